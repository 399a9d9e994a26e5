"""The report of all networks, made of one that ships and of one that is not there."""

from __future__ import annotations

import csv
import io

import pytest

from simhw.catalog import get_report, model_entries
from simhw.errors import InputError
from simhw.reports import zoo


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Two samples of one network; an empty cache, so that nothing is fetched."""
    monkeypatch.setenv("SIMHW_CACHE", str(tmp_path))
    monkeypatch.setattr(zoo, "SAMPLES", {"fashion_resnet": 2})
    return zoo._Report(models=("fashion_resnet", "silero_vad"))


def test_the_page_says_what_ran_and_what_did_not(small):
    said = []
    output = small.make(command="simhw report zoo", say=said.append)
    page = output.files["zoo.md"]
    assert "Made by `simhw report zoo`" in page
    rows = list(csv.DictReader(io.StringIO(output.files["zoo.csv"])))
    assert [row["datapath"] for row in rows] == list(zoo.DATAPATHS)
    (line,) = (line for line in page.splitlines() if line.startswith("| fashion_resnet | top1"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert [float(cell.rstrip("%")) / 100 for cell in cells[3:]] == [float(row["metric"]) for row in rows]
    assert "| fashion_resnet | 2 images |" in page
    assert "Not run: silero_vad (simhw models fetch silero_vad" in page
    assert any("silero_vad does not run" in phrase for phrase in said)


@pytest.mark.usefixtures("small")
def test_nothing_to_run():
    with pytest.raises(InputError, match="no network could run"):
        zoo._Report(models=("silero_vad",)).make(command="", say=lambda _: None)


def test_it_covers_all_networks_and_no_other():
    assert {*zoo.SAMPLES, *zoo.TOKENS} <= set(model_entries())
    assert get_report("zoo") is zoo.REPORT
