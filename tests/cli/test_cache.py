"""The cache of steps' results from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simhw.cli import main

RUN = ["run", "--model", "fashion_resnet", "--samples", "2", "--datapath", "w8a8_int8", "--json", "-"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIMHW_CACHE", str(tmp_path))
    return tmp_path / "layers"


def rows(capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    assert main([*RUN, *options]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found]


def test_run_info_and_clear(folder: Path, capsys: pytest.CaptureFixture[str]):
    plain = rows(capsys)  # as SIMHW_RUN_CACHE=0 has it in the tests
    assert not folder.exists()
    assert rows(capsys, "--cache") == rows(capsys, "--cache") == plain
    assert main(["cache", "info"]) == 0
    info = capsys.readouterr().out
    assert info.startswith(f"{folder / 'layers.sqlite'}: ")
    assert not info.startswith(f"{folder / 'layers.sqlite'}: 0 entries")
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out.endswith(" MB removed\n")
    assert main(["cache", "info"]) == 0
    assert capsys.readouterr().out == f"{folder / 'layers.sqlite'}: 0 entries, 0.0 MB\n"


def test_the_environment_is_a_default_only(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SIMHW_RUN_CACHE", "1")
    rows(capsys, "--no-cache")
    assert not folder.exists()
    rows(capsys)
    assert folder.exists()


def test_a_folder_that_cannot_be_used(folder: Path, capsys: pytest.CaptureFixture[str]):
    folder.write_text("")  # a file in its place
    assert main([*RUN, "--cache"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)
    assert "results of steps were not kept" in said.err
    for command in ("info", "clear"):
        assert main(["cache", command]) == 2
        said = capsys.readouterr()
        assert "the cache cannot be opened" in said.err
        assert "set SIMHW_CACHE to another folder" in said.err


@pytest.mark.parametrize("size", ["0", "-1"])
def test_a_cache_without_room(size: str, capsys: pytest.CaptureFixture[str]):
    assert main([*RUN, "--cache", "--cache-size", size]) == 2
    assert "must be at least 1,048,576; give a larger size" in capsys.readouterr().err
