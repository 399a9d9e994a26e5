"""DRAM by type, technologies at other nodes, the fit of SRAM energies, leakage of synthesised PEs."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simhw.cli
from simhw.arrays import Gemm
from simhw.cost_settings import CostSettings
from simhw.cost_table import cost_rows
from simhw.costs import CombinedTable, load_table
from simhw.costs.base import Quantity
from simhw.costs.dram import dram_kinds, read_dram
from simhw.costs.sram import between, power_law
from simhw.costs.stillmaker import AREA, ENERGY, area_factor, energy_factor
from simhw.errors import InputError
from simhw.layer_files import NamedLayer
from simhw.pes import get_pe
from simhw.pes.price import leakage_nw

LAYERS = [NamedLayer(name="x", layer=Gemm(m=64, n=64, k=64))]


def test_every_technology_has_every_type_of_dram():
    assert set(dram_kinds()) == {"ddr4", "lpddr4", "lpddr5", "hbm2", "hbm3", "gddr6"}
    for name in ("jouppi_7nm", "gates_28nm", "aladdin_40nm"):
        assert load_table(name).dram_pj_per_bit("hbm3") == 4.05
        assert load_table(name).dram_pj_per_bit("ddr4") == 1300 / 64
    assert load_table("horowitz_45nm").dram_pj_per_bit() == load_table("horowitz_45nm").dram_pj_per_bit("ddr")


def test_dram_is_priced_as_chosen():
    parts = [dict(cost_rows(LAYERS, CostSettings(dram=kind))[0]) for kind in ("ddr4", "hbm2")]
    for part in ("energy_dram_read_pj", "energy_dram_write_pj"):
        assert parts[0][part] / parts[1][part] == pytest.approx(float(Fraction(1300, 64) / Fraction(39, 10)))
    assert parts[0]["energy_multiply_pj"] == parts[1]["energy_multiply_pj"]
    with pytest.raises(InputError, match="dram is 'hbm9', which is not known"):
        cost_rows(LAYERS, CostSettings(dram="hbm9"))


GOOD = """[sources]
a = "where it stands"
[[dram]]
kind = "x"
pj_per_bit = 2
source = "a"
note = ""
confidence = "recalled"
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('source = "a"', 'source = "b"'), "cites 'b', which"),
        (("= 2", "= 0"), "must be a positive number"),
        (("= 2", '= "2"'), "must be a positive number"),
        (('note = ""\n', ""), "lacks 'note'"),
        (('note = ""', 'note = ""\nunit = "pJ"'), "has the unknown key 'unit'"),
        (('"recalled"', '"sure"'), "has no confidence"),
    ],
)
def test_dram_without_source_or_unit_is_refused(change, message):
    assert read_dram(GOOD)["x"].pj_per_bit == 2
    with pytest.raises(InputError, match=message):
        read_dram(GOOD.replace(*change))


WITH_STANDBY = (
    GOOD
    + """
[dram.standby]
chips = 4
voltage_v = 1.5
active_ma = 20
precharged_ma = 10
source = "a"
"""
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("chips = 4", "chips = 0"), "standby of dram 'x' has 0 chips, must be an integer from 1"),
        (("chips = 4", "chips = 4.5"), "has 4.5 chips"),
        (("= 1.5", "= -1.5"), "takes -1.5 V, must be a positive number"),
        (("= 20", "= inf"), "takes inf mA, must be a positive number"),
        (("precharged_ma = 10\n", ""), "standby of dram 'x' lacks 'precharged_ma'"),
        (("chips = 4", "chips = 4\nwatts = 1"), "has the unknown key 'watts'"),
        (('precharged_ma = 10\nsource = "a"', 'precharged_ma = 10\nsource = "b"'), "standby of dram 'x' cites 'b'"),
    ],
)
def test_standby_without_source_or_unit_is_refused(change, message):
    standby = read_dram(WITH_STANDBY)["x"].standby
    assert standby is not None
    assert (standby.active_mw, standby.precharged_mw) == (4 * 1.5 * 20, 4 * 1.5 * 10)
    with pytest.raises(InputError, match=message):
        read_dram(WITH_STANDBY.replace(*change))


def test_standby_of_ddr4_by_its_data_sheet():
    """8 chips at 1.2 V: 34 mA each precharged, 43 mA with an open row. No other kind states one."""
    found = {kind: each.standby for kind, each in dram_kinds().items() if each.standby is not None}
    assert set(found) == {"ddr4"}
    assert found["ddr4"].precharged_mw == pytest.approx(326.4)
    assert found["ddr4"].active_mw == pytest.approx(412.8)


def test_scaling_by_hand():
    """Energy by the polynomial of each node at its voltage, area by the row of 45 nm; DRAM stays."""
    here, there = load_table("horowitz_45nm"), load_table("horowitz_45nm@7nm,0.7V")
    old, new = (a * v * v + b * v + c for (a, b, c), v in ((ENERGY[45], 0.9), (ENERGY[7], 0.7)))
    for before, after in zip(here.entries, there.entries, strict=True):
        if before.part == "dram":
            assert after == before
            continue
        factor = new / old if before.quantity is Quantity.ENERGY else 0.059
        assert after.value == pytest.approx(before.value * factor)
        assert after.scaled
        assert "Stillmaker" in after.scaling
    assert (there.node_nm, there.voltage_v) == (7, 0.7)
    assert load_table("horowitz_45nm@45nm").entries[0].value == pytest.approx(here.entries[0].value)


@given(st.sampled_from(sorted(AREA)), st.sampled_from(sorted(AREA)), st.floats(0.6, 1.3))
def test_scaling_there_and_back_is_nothing(old: float, new: float, voltage: float):
    assert area_factor(old, new) * area_factor(new, old) == pytest.approx(1)
    assert energy_factor(old, new, 1.0, voltage) * energy_factor(new, old, voltage, 1.0) == pytest.approx(1)
    assert energy_factor(old, new, voltage, voltage) > 0


@given(st.floats(7, 130), st.floats(7, 130))
def test_smaller_nodes_are_smaller(one: float, other: float):
    assert (area_factor(45, one) <= area_factor(45, other)) == (one <= other) or math.isclose(
        area_factor(45, one), area_factor(45, other)
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("horowitz_45nm@5nm", "node is 5 nm, Stillmaker and Baas scale 7..130 nm"),
        ("horowitz_45nm@180nm", "node is 180 nm"),
        ("horowitz_45nm@7nm,0.4V", "supply voltage is 0.4 V, scaling allows 0.6..1.3 V"),
        ("horowitz_45nm@7", "a scaled one is TABLE@7nm or TABLE@7nm,0.7V"),
        ("horowitz@7nm", "technology is 'horowitz', which is not known"),
        ("gates_28nm@7nm", "prices gates or synthesised PEs, which do not scale"),
        ("asap7_7nm_synthesised_mixed@16nm", "do not scale"),
    ],
)
def test_nodes_that_are_refused(name: str, message: str):
    with pytest.raises(InputError, match=message):
        load_table(name)


@given(st.floats(-3, 3), st.floats(-1, 1), st.lists(st.floats(0, 12), min_size=2, max_size=6, unique=True))
def test_a_power_law_is_found_again(start: float, power: float, places: list[float]):
    capacities = sorted(2.0**place for place in places)
    if capacities[0] * 1.01 > capacities[-1]:
        return
    points = [(x, math.exp(start) * x**power) for x in capacities]
    law = power_law(points)
    assert law is not None
    assert law.max_error < 1e-6
    assert between(points, capacities[0]) == points[0][1]
    assert between(points, 3 * capacities[-1]) == pytest.approx(
        math.exp(start) * (3 * capacities[-1]) ** power, rel=1e-4
    )


def test_the_error_of_a_fit_is_over_its_points():
    """Horowitz: 10, 20, 100 pJ per 64 bits at 8, 32, 1024 KiB."""
    table = load_table("horowitz_45nm")
    law = table.sram_fit()
    assert law is not None
    errors = [law.factor * kib**law.power / (pj / 64) - 1 for kib, pj in ((8, 10), (32, 20), (1024, 100))]
    assert law.max_error == pytest.approx(np.abs(errors).max())
    assert law.rms_error == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    assert power_law([(8, 1.0)]) is None


def test_a_pe_leaks_as_the_circuit_that_stands_for_it():
    table = load_table("asap7_7nm_synthesised_mixed")
    assert isinstance(table, CombinedTable)
    for name, circuit in (("mixpe_w4a8_progressive", "mixpe_w4a8"), ("w4a8_dequantize_first", "int8_mac")):
        pe, own = get_pe(name), get_pe(circuit)
        assert leakage_nw(pe, table, 32) == leakage_nw(own, table, 32) > 0
    assert leakage_nw(get_pe("int8_mac"), load_table("horowitz_45nm"), 32) == 0


def test_leakage_is_power_times_time():
    """Nanowatts of each PE, for as long as the layer takes; no leakage where the technology states none."""
    name = "asap7_7nm_synthesised_mixed"
    slow, fast = (cost_rows(LAYERS, CostSettings(technology=name, clock_mhz=mhz))[0] for mhz in (100.0, 400.0))
    each = leakage_nw(get_pe("int8_mac"), load_table(name), 32)
    assert each > 0
    seconds = Fraction(slow["total_cycles"]) / 100_000_000
    joules = each * 1e-9 * 32 * 32 * float(seconds)
    assert slow["energy_leakage_pj"] == pytest.approx(joules * 1e12)
    assert slow["energy_leakage_pj"] == pytest.approx(4 * fast["energy_leakage_pj"])
    assert cost_rows(LAYERS, CostSettings())[0]["energy_leakage_pj"] == 0
    with pytest.raises(InputError, match="clock is 0 MHz, must be greater than 0"):
        cost_rows(LAYERS, CostSettings(clock_mhz=0))


def test_technologies_explain_themselves(capsys):
    assert simhw.cli.main(["explain", "horowitz_45nm@7nm"]) == 0
    text = capsys.readouterr().out
    assert "scaled to 7 nm and 0.9 V" in text
    assert "fits the points within" in text
    assert "not stated: counted as 0" in text
    assert simhw.cli.main(["explain", "asap7_7nm_synthesised_mixed"]) == 0
    assert "of the synthesised PEs" in capsys.readouterr().out
