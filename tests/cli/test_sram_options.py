"""``--sram`` and its fellows: what they add to ``simhw cost`` and ``simhw size``, and what is refused."""

from __future__ import annotations

import csv
import io
from fractions import Fraction

import pytest

import simhw.cli
from simhw.arrays import array_area
from simhw.costs import load_table
from simhw.pes import get_pe

GEMMS = "name,m,n,k\nffn,128,768,768\n"


@pytest.fixture
def row(tmp_path, capsys):
    """Run ``simhw cost`` and return its one row."""
    file = tmp_path / "gemms.csv"
    file.write_text(GEMMS)

    def run(*options: str) -> dict[str, str]:
        assert simhw.cli.main(["cost", "--gemms", str(file), *options]) == 0, capsys.readouterr().err
        (found,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
        return found

    return run


def test_reads_leakage_and_area_by_hand(row):
    """Output-stationary, 32 x 32, 8 bits: words of 256 bits. CACTI, 45 nm: 124.61 pJ at 256 KiB, 73.7616 at 128."""
    found = row("--sram", "cacti_45nm")
    reads = 128 * 768 * 24, 768 * 768 * 4  # every activation for each of 24 column folds, every weight for 4 row folds
    for part, words, word_pj in (("activation", reads[0], 124.61), ("weight", reads[1], 73.7616)):
        expected = Fraction(words) * 8 * Fraction(str(word_pj)) / 256
        assert float(found[f"energy_{part}_sram_read_pj"]) == pytest.approx(float(expected), rel=1e-9)
    leakage_nw = Fraction("6231.84") + 2 * Fraction("3319.79")
    picojoules = leakage_nw * Fraction(found["total_cycles"]) / 500 / 1000
    assert float(found["energy_leakage_pj"]) == pytest.approx(float(picojoules), rel=1e-9)
    assert float(found["sram_area_mm2"]) == pytest.approx(0.859765 + 2 * 0.473839)
    assert (found["sram"], found["sram_width"]) == ("cacti_45nm", "array")


def test_without_it_nothing_changes(row):
    found = row()
    table = load_table("horowitz_45nm")
    assert float(found["energy_weight_sram_read_pj"]) == 768 * 768 * 4 * 8 * table.sram_pj_per_bit(128, False)
    assert (found["energy_leakage_pj"], found["sram"], found["sram_area_mm2"]) == ("0.0", "horowitz_45nm", "not stated")


def test_narrow_ports_slow_the_array_down(row):
    """64 bits per cycle where 256 are needed: four cycles for each; four banks or four ports of 64 bits suffice."""
    plain = row()
    narrow = row("--sram-width", "64")
    assert int(narrow["total_cycles"]) == 4 * int(plain["total_cycles"])
    for name in ("--sram-banks", "--sram-ports"):
        assert row("--sram-width", "64", name, "4")["total_cycles"] == plain["total_cycles"]
    banked = row("--sram", "cacti_45nm", "--sram-width", "64", "--sram-banks", "4")
    # four banks of 32 KiB with ports of 64 bits, 17.0418 pJ a read
    assert (banked["sram_banks"], banked["sram_width"]) == ("4", "64")
    assert float(banked["energy_weight_sram_read_pj"]) == pytest.approx(768 * 768 * 4 * 8 * 17.0418 / 64)


def size(capsys, *options: str) -> tuple[int, int, str]:
    """Return rows and columns that ``simhw size`` prints for int8_mac, and its last line."""
    assert simhw.cli.main(["size", "int8_mac", *options]) == 0, capsys.readouterr().err
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line.split() for line in lines if line.strip().startswith("int8_mac")]
    return int(line[1]), int(line[2]), " ".join(lines[lines.index(next(x for x in lines if "stationary" in x)) :])


def test_array_and_buffers_within_one_area(capsys):
    rows, columns, text = size(capsys, "--area-mm2", "3", "--sram", "cacti_45nm")
    buffers_mm2 = 0.859765 + 2 * 0.473839

    def total_mm2(side: int) -> float:
        settings = {"dataflow": "output_stationary", "accumulator_bits": 32, "group_size": 128}
        array = array_area(get_pe("int8_mac"), load_table("horowitz_45nm"), rows=side, columns=side, **settings)
        return array.total_um2 * 1e-6 + buffers_mm2

    assert rows == columns
    assert total_mm2(rows) <= 3 < total_mm2(rows + 1)
    assert f"{buffers_mm2:.4g} mm2, which the area budget holds too" in text
    assert size(capsys, "--area-mm2", "3")[0] > rows
    smaller = size(capsys, "--area-mm2", "3", "--sram", "cacti_45nm", "--ifmap-kb", "64", "--sram-width", "64")
    assert smaller[0] > rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cost", "--sram", "cacti"], "sram is 'cacti', which is not known"),
        (["cost", "--sram", "cacti_28nm"], "buffers and logic must be of one node"),
        (["cost", "--sram", "cacti_45nm", "--sram-ports", "3"], "SRAM ports is 3, macros of cacti_45nm have 1, 2"),
        (["cost", "--sram-banks", "2"], "neither the width of a port nor a table of macros was given"),
        (["cost", "--sram-width", "0"], "SRAM width_bits is 0, must be an integer of at least 1"),
        (["cost", "--sram-banks", "-1"], "SRAM banks is -1"),
        (["cost", "--compat", "scalesim3", "--sram", "cacti_45nm"], "--sram was given together with --compat"),
        (["size", "int8_mac", "--count", "4", "--ifmap-kb", "4"], "--ifmap-kb was given without --sram"),
        (["size", "int8_mac", "--area-mm2", "1", "--sram", "cacti_45nm"], "beside 1.81 mm2 of buffers"),
    ],
)
def test_refused(tmp_path, capsys, arguments, message):
    file = tmp_path / "gemms.csv"
    file.write_text(GEMMS)
    assert simhw.cli.main([*arguments, *(["--gemms", str(file)] if arguments[0] == "cost" else [])]) == 2
    assert message in capsys.readouterr().err
