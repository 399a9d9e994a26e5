from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from simhw.cli import main


def test_rows_of_one_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["published", "mixpe_artifact", "--network", "opt_6_7b", "--design", "int8", "--design", "fp16"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["design"] for row in rows] == ["int8", "fp16"]
    assert round(int(rows[0]["cycles"]) / int(rows[1]["cycles"]), 2) == 0.86  # as published
    for row in rows:
        parts = [float(row[f"energy_{part}_nj"]) for part in ("static", "dram", "buffer", "core")]
        assert sum(parts) == pytest.approx(float(row["energy_total_nj"]), rel=1e-12)


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "ant.csv"
    assert main(["published", "ant_artifact", "--csv", str(path)]) == 0
    assert len(path.read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mixpe"], "cost preset is 'mixpe', which is not known; nearest: mixpe_artifact"),
        (["mixpe_artifact", "--network", "vit"], "network is 'vit', which is not known"),
        (["mixpe_artifact", "--design", "int4"], "design is 'int4', which is not known; nearest: int8"),
    ],
)
def test_unknown_names(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["published", *words]) == 2
    assert message in capsys.readouterr().err
