"""simhw rtl: what its commands print, write and return."""

import re

import numpy as np
import pytest

from simhw import pes, sfu
from simhw.cli import main
from simhw.errors import InputError


def test_list_names_every_circuit(capsys):
    assert main(["rtl", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [*pes.circuit_names(), *sfu.circuit_names()]


def test_export_writes_a_file_per_variant(tmp_path, capsys):
    assert main(["rtl", "export", "int4_mac", "--variant", "all", "--out", str(tmp_path / "v")]) == 0
    written = sorted(path.name for path in (tmp_path / "v").iterdir())
    assert written == ["int4_mac.v", "int4_mac_booth.v", "int4_mac_naive.v"]
    assert capsys.readouterr().out.splitlines()[0].endswith("int4_mac.v")


def test_check_and_prove_say_what_they_did(capsys):
    assert main(["rtl", "check", "int4_mac", "--faults", "--set", "accumulator_bits=12"]) == 0
    told = capsys.readouterr().out
    assert "all operands of total" in told
    assert "equal to the definition" in told
    assert "exchanged one by one, 0 not noticed" in told
    assert main(["rtl", "prove", "int4_mac", "--netlist"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("int4_mac: proven")
    assert "gates against RTL: proven (yosys)" in told


def test_a_circuit_that_differs_exits_with_1(capsys, monkeypatch):
    from simhw.rtl import check
    from simhw.rtl.faults import faults

    right = check.netlist
    monkeypatch.setattr(check, "netlist", lambda circuit: next(faults(right(circuit), [100])).netlist)
    assert main(["rtl", "check", "int4_mac"]) == 1
    assert "DIFFERS, total: expected" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "int5_mac"], "pe is 'int5_mac', which is not known; nearest: int8_mac, int4_mac"),
        (["check", "fp32_mac"], "fp32_mac has no circuit; those that have one"),
        (["export", "int4_mac", "--variant", "both", "--out", "x"], "nearest: booth"),
        (["prove", "int4_mac", "--set", "group=3"], "int4_mac was given group, which it does not have"),
        (["prove", "int4_mac", "--set", "three"], "--set is 'three', must be NAME=INTEGER"),
        (
            ["check", "bf16_mac", "--set", "lanes=3"],
            "bf16_mac was given lanes, which it does not have; its circuit",
        ),
        (["check", "bit_serial", "--set", "accumulator_bits=64"], "accumulator_bits is 64, must be 16..63"),
        (["check", "bitfusion", "--set", "accumulator_bits=-1"], "accumulator_bits is -1, must be 16..63"),
        (["check", "mxfp4_dot", "--set", "lanes=0"], "lanes is 0, must be 1..116,508"),
        (["check", "mixpe_w4a8", "--set", "weight_signed=2"], "weight_signed is 2, must be 0 or 1"),
        (["check", "int4_mac", "--seed", "-1"], "-1 is not in the range"),
        (["array", "int4_mac", "--seed", "-1"], "-1 is not in the range"),
        (["synth", "int4_mac", "--liberty", "x.lib", "--vectors", "0"], "0 is not in the range"),
        (
            ["synth", "int4_mac", "--liberty", "x.lib", "--layer", "blocks.0"],
            "blocks.0 was given without --model",
        ),
        (["synth", "int4_mac", "--liberty", "x.lib", "--set", "group=3"], "int4_mac was given group, which it does"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, capsys):
    assert main(["rtl", *arguments]) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert "Traceback" not in told


@pytest.mark.parametrize("command", [["export", "int4_mac", "--out"], ["array", "int4_mac", "--out"]])
def test_a_folder_that_cannot_be_made(command, tmp_path, capsys):
    (tmp_path / "file").write_text("kept")
    assert main(["rtl", *command, str(tmp_path / "file" / "folder")]) == 2
    told = capsys.readouterr()
    assert "which cannot be made (Not a directory); choose another place" in told.err
    assert not told.out
    assert (tmp_path / "file").read_text() == "kept"


def _zip_magic(path):
    path.write_bytes(b"PK\x03\x04 and nothing else")


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: None, "cannot be read (No such file or directory)"),  # noqa: ARG005
        (lambda path: path.touch(), "cannot be read (no file of NumPy arrays)"),
        (_zip_magic, "cannot be read (no file of NumPy arrays)"),
        (lambda path: np.savez(path, weight=np.array([None])), "cannot be read (no file of NumPy arrays)"),
        (lambda path: np.save(path.open("wb"), np.zeros(3)), "is one array"),
    ],
)
def test_operands_that_cannot_be_read(write, sentence, tmp_path):
    from simhw.cli.rtl.synth import _codes

    write(tmp_path / "operands.npz")
    with pytest.raises(InputError, match=re.escape(sentence)):
        _codes(str(tmp_path / "operands.npz"))


@pytest.mark.parametrize("command", [["check", "int4_mac"], ["export", "int4_mac", "--out"]])
def test_without_the_extra_exit_code_2(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("simhw.circuits.base.find_spec", lambda name: None)  # noqa: ARG005
    folder = [str(tmp_path / "folder")] if command[-1] == "--out" else []
    assert main(["rtl", *command, *folder]) == 2
    assert "pip install 'simhw[rtl]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
