"""SRAM macros by capacity and width: against single runs of CACTI, an earlier fit, and hand arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simhw.cli
from simhw.costs import load_table
from simhw.costs.sram_table import MacroFigure, load_sram, parse_sram, sram_names
from simhw.errors import InputError
from simhw.memory import Sram, buffer_price

NAMES = sram_names()
TABLE = load_sram("cacti_45nm")

RUNS = {
    # table, KiB, bits, ports: nJ read, nJ written, mW of leakage, mm2, as CACTI printed them
    ("cacti_45nm", 32, 64, 1): (0.0170418, 0.0153975, 0.000923907, 0.0948597),
    ("cacti_45nm", 128, 256, 1): (0.0737616, 0.0882016, 0.00331979, 0.473839),
    ("cacti_45nm", 2048, 1024, 1): (1.10482, 1.22239, 0.0485929, 8.76263),
    ("cacti_45nm", 8, 64, 2): (0.00767023, 0.00991592, 0.000291315, 0.0539342),
    ("cacti_40nm", 128, 64, 1): (0.0264929, 0.0211336, 0.00464334, 0.339417),
    ("cacti_28nm", 32, 256, 1): (0.0115026, 0.0208514, 0.00393601, 0.0400045),
    ("cacti_45nm_hp", 128, 256, 1): (0.0562922, 0.0664696, 138.442, 0.473782),
    ("cacti_28nm_hp", 8, 512, 1): (0.010443, 0.0153722, 4.18539, 0.0190827),
}


@pytest.mark.parametrize("run", RUNS)
def test_points_are_what_cacti_printed(run: tuple[str, int, int, int]):
    name, kib, bits, ports = run
    read_nj, write_nj, leakage_mw, area_mm2 = RUNS[run]
    table = load_sram(name)
    expected = (read_nj * 1000, write_nj * 1000, leakage_mw, area_mm2)
    for figure, value in zip(MacroFigure, expected, strict=True):
        assert table.value(figure, kib, bits, ports) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("figure", "factor", "capacity_power", "width_power", "middle"),
    [
        (MacroFigure.READ, 0.1255, 0.591, 0.634, 0.15),
        (MacroFigure.WRITE, 0.0738, 0.457, 0.891, 0.10),
        (MacroFigure.LEAKAGE, 3.69e-5, 0.940, -0.007, 0.05),
        (MacroFigure.AREA, 2.49e-3, 0.973, 0.092, 0.10),
    ],
)
def test_an_earlier_fit_to_other_points_agrees(figure, factor, capacity_power, width_power, middle):
    """A fit to another sweep of CACTI at 45 nm, made apart from this table: half of the points within ``middle``."""
    errors = [
        abs(factor * kib**capacity_power * bits**width_power / TABLE.value(figure, kib, bits) - 1)
        for ports, kib, bits, *_ in TABLE.points
        if ports == 1
    ]
    assert np.median(errors) < middle
    assert max(errors) < 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("figure", MacroFigure)
def test_the_error_of_a_fit_is_over_its_points(name: str, figure: MacroFigure):
    table = load_sram(name)
    place = 3 + list(MacroFigure).index(figure)
    for ports in table.ports:
        law = table.fit(figure, ports)
        errors = [
            law.factor * p[1] ** law.capacity_power * p[2] ** law.width_power / p[place] - 1
            for p in table.points
            if p[0] == ports
        ]
        assert law.max_error == pytest.approx(max(map(abs, errors)))
        assert law.rms_error == pytest.approx(math.sqrt(sum(e * e for e in errors) / len(errors)))


def test_between_points_by_hand():
    """Half way in logarithms: the geometric mean of the ends, of four corners in the middle of a cell."""
    at = {(kib, bits): TABLE.value(MacroFigure.READ, kib, bits) for kib in (64, 128) for bits in (128, 256)}
    middle = math.sqrt(64 * 128)
    assert TABLE.value(MacroFigure.READ, middle, 128) == pytest.approx(math.sqrt(at[64, 128] * at[128, 128]))
    corners = math.prod(at.values()) ** 0.25
    assert TABLE.value(MacroFigure.READ, middle, math.sqrt(128 * 256)) == pytest.approx(corners)


@given(st.sampled_from(list(MacroFigure)), st.floats(0.1, 4), st.floats(2, 32), st.sampled_from([1, 2]))
def test_beyond_the_points_by_the_powers_of_the_fit(figure: MacroFigure, kib: float, bits: float, ports: int):
    law, corner = TABLE.fit(figure, ports), TABLE.value(figure, 4, 32, ports)
    expected = corner * (kib / 4) ** law.capacity_power * (bits / 32) ** law.width_power
    assert TABLE.value(figure, kib, bits, ports) == pytest.approx(expected)


def test_a_buffer_is_its_macros():
    """Eight banks of 16 KiB with ports of 64 bits: a bit costs a 64th of such a macro's word."""
    found = buffer_price(Sram(kib=128, banks=8, width_bits=64), 999, load_table("horowitz_45nm"), TABLE)
    assert found.read_pj_per_bit == pytest.approx(11.6097 / 64)  # CACTI: 16 KiB, 64 bits, 0.0116097 nJ
    assert found.write_pj_per_bit == pytest.approx(10.6968 / 64)
    assert found.leakage_nw == pytest.approx(8 * 469.172)
    assert found.area_um2 == pytest.approx(8 * 50_742)


def test_words_wider_than_any_macro_are_macros_side_by_side():
    table = load_table("horowitz_45nm")
    wide = buffer_price(Sram(kib=256), 4096, table, TABLE)
    apart = buffer_price(Sram(kib=64, width_bits=1024), 1, table, TABLE)
    assert wide.read_pj_per_bit == pytest.approx(apart.read_pj_per_bit)
    assert wide.area_um2 == pytest.approx(4 * apart.area_um2)
    assert wide.leakage_nw == pytest.approx(4 * apart.leakage_nw)
    shared = buffer_price(Sram(kib=256, banks=2, ports=2), 4096, table, TABLE)  # 1024 bits for each port
    assert shared.read_pj_per_bit == pytest.approx(TABLE.value(MacroFigure.READ, 128, 1024, 2) / 1024)


def test_without_a_table_the_technology_prices_a_bit():
    table = load_table("jouppi_7nm")
    found = buffer_price(Sram(kib=128, banks=4), 256, table)
    assert found.read_pj_per_bit == table.sram_pj_per_bit(128, False)
    assert (found.leakage_nw, found.area_um2) == (0, None)


def test_what_a_table_refuses():
    with pytest.raises(InputError, match="SRAM ports is 4, macros of cacti_45nm have 1, 2"):
        TABLE.value(MacroFigure.READ, 64, 64, 4)
    with pytest.raises(InputError, match="0 KiB and words of 64 bits, must be greater than 0"):
        TABLE.value(MacroFigure.READ, 0, 64)
    with pytest.raises(InputError, match="of 45 nm, but jouppi_7nm is of 7 nm, and buffers and logic must be"):
        buffer_price(Sram(kib=1), 8, load_table("jouppi_7nm"), TABLE)
    with pytest.raises(InputError, match="sram is 'cacti', which is not known"):
        load_sram("cacti")


GOOD = """
description = "x"
node_nm = 45
voltage_v = 1
temperature_k = 300
source = "s"
command = "c"
configuration = "d"
columns = ["ports", "capacity_kib", "width_bits", "read_pj", "write_pj", "leakage_mw", "area_mm2"]
points = [[1, 1, 8, 1, 1, 1, 1], [1, 1, 16, 1, 1, 1, 1], [1, 2, 8, 1, 1, 1, 1], [1, 2, 16, 1, 1, 1, 1]]
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('source = "s"\n', ""), "lacks 'source'"),
        (('source = "s"', 'source = ""'), "must be a sentence"),
        (("node_nm = 45", "node_nm = 0"), "node_nm of SRAM table 'x' is 0, must be a positive number"),
        (("node_nm = 45", "node = 45"), "'node"),
        (("read_pj", "read_nj"), "columns of SRAM table 'x' are"),
        ((", [1, 2, 16, 1, 1, 1, 1]", ""), "with 1 ports are 3, must be every capacity with every width once"),
        (("[1, 2, 16, 1, 1, 1, 1]", "[1, 2, 16, 1, 1, 1, -1]"), "is -1, must be a positive number"),
        (("[1, 2, 16, 1, 1, 1, 1]", "[1, 2, 16, 1, 1, 1]"), "must each have 7 numbers"),
        (("points = [", "points = [["), "not valid TOML"),
    ],
)
def test_tables_that_are_refused(change: tuple[str, str], message: str):
    assert parse_sram(GOOD, "x").value(MacroFigure.AREA, 1.5, 9) == pytest.approx(1)
    with pytest.raises(InputError, match=message):
        parse_sram(GOOD.replace(*change), "x")


def test_a_table_explains_itself(capsys):
    assert simhw.cli.main(["explain", "cacti_45nm"]) == 0
    text = capsys.readouterr().out
    assert "45 nm, 1.1 V, 300 K" in text
    assert "fits the points of one port within" in text
    assert "-infile FILE" in text
