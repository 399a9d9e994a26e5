"""Documentation cannot rot: docstring examples, the README's Python and its command lines run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import simhw
from simhw.cli import main
from simhw.errors import InputError

README = Path(__file__).resolve().parents[1] / "README.md"
MODULES = ["simhw", *sorted(module.name for module in pkgutil.walk_packages(simhw.__path__, "simhw."))]
PROGRAMS = ("simhw.__main__",)
"""Modules that run when they are imported."""


def fences(language: str) -> list[str]:
    """Return the README's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Return the README's command lines that call simhw."""
    lines = [line for block in fences("") for line in block.splitlines()]
    return [found[1].strip() for line in lines if (found := re.match(r"(?:\S*/)?simhw (.*?)(?:#.*)?$", line))]


@pytest.mark.parametrize("name", [name for name in MODULES if name not in PROGRAMS])
def test_docstring_examples(name: str):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"needs {error.name}")
    assert doctest.testmod(module, optionflags=doctest.IGNORE_EXCEPTION_DETAIL).failed == 0


def test_there_are_examples():
    assert len(fences("python")) >= 2
    assert len(commands()) >= 5


@pytest.mark.parametrize("block", fences("python"), ids=lambda block: block.splitlines()[-1][:40])
def test_python_of_the_readme(block: str, capsys: pytest.CaptureFixture[str]):
    exec(compile(block, str(README), "exec"), {})
    assert capsys.readouterr().out


def marked(line: str) -> Any:
    return pytest.param(line, marks=[pytest.mark.slow] if "smollm2" in line else [])


@pytest.mark.parametrize("line", [marked(line) for line in commands()])
def test_command_lines_of_the_readme(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """As they stand, but on one sample, and on one datapath where the line names none."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)
    if words[:2] == ["models", "fetch"]:
        pytest.skip("downloads a package")
    if words[0] == "run":
        _require_weights(words)
        for option in ("--json", "--csv", "--html"):
            if option in words and words[words.index(option) + 1] != "-":
                Path(words[words.index(option) + 1]).parent.mkdir(parents=True, exist_ok=True)
        words += ["--tokens", "8"] if "--tokens" in words else ["--samples", "1"]
        words += [] if "--datapath" in words else ["--datapath", "fp16"]
    assert main(words) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


def _require_weights(words: list[str]) -> None:
    """Skip where a network's weights were not fetched."""
    from simhw.catalog import get_network

    names = [words[i + 1] for i, word in enumerate(words) if word == "--model"]
    for name in names:
        try:
            get_network(name).dataset(1, None)
        except InputError as error:
            pytest.skip(str(error))
