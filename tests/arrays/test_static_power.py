"""Power that a machine takes while it computes or waits, against hand arithmetic; one rule for both commands."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.arrays import Gemm
from simhw.arrays.static_power import static_power
from simhw.cost_settings import CostSettings
from simhw.cost_table import ENERGY_PARTS, cost_rows
from simhw.costs import load_table
from simhw.costs.synthesised import load_synthesis
from simhw.errors import InputError
from simhw.layer_files import NamedLayer
from simhw.machine import Machine
from simhw.pes import get_pe
from simhw.workload_table import workload_cost
from simhw.workloads import load_shape

LAYERS = [NamedLayer(name="x", layer=Gemm(m=64, n=64, k=64))]
DDR4_MW = Fraction(8) * Fraction(12, 10) * 43
"""Eight chips of a channel at 1.2 V, 43 mA each with an open row."""


def test_standby_is_power_times_time():
    row = cost_rows(LAYERS, CostSettings(dram="ddr4", clock_mhz=250))[0]
    picojoules = DDR4_MW * Fraction(row["total_cycles"], 250) * 1000  # mW x us = nJ
    assert row["energy_dram_static_pj"] == pytest.approx(float(picojoules), rel=1e-12)
    assert "MT40A1G8PM-083E" in row["dram_static_source"]


@pytest.mark.parametrize(
    ("technology", "dram", "reason"),
    [
        ("horowitz_45nm", None, "0: the ddr constant of horowitz_45nm does not set it apart"),
        ("jouppi_7nm", "hbm2", "0: the hbm2 constant of jouppi_7nm does not set it apart"),
        ("horowitz_45nm", "lpddr5", "0: no citable figure for lpddr5 at hand"),
        ("horowitz_45nm", "hbm3", "0: no citable figure for hbm3 at hand"),
    ],
)
def test_without_a_figure_the_row_says_why_it_is_0(technology: str, dram: str | None, reason: str):
    row = cost_rows(LAYERS, CostSettings(technology=technology, dram=dram))[0]
    assert (row["energy_dram_static_pj"], row["dram_static_source"]) == (0, reason)


@given(
    m=st.integers(1, 300),
    n=st.integers(1, 300),
    k=st.integers(1, 300),
    dram=st.sampled_from([None, "ddr4", "hbm2"]),
    technology=st.sampled_from(["horowitz_45nm", "asap7_7nm_synthesised_mixed"]),
    pe=st.sampled_from(["int8_mac", "mixpe_w4a8"]),
    clock_mhz=st.floats(1, 4000),
)
def test_the_total_is_the_sum_of_its_parts(m, n, k, dram, technology, pe, clock_mhz):
    settings = CostSettings(dram=dram, technology=technology, pe=pe, clock_mhz=clock_mhz, rows=8, columns=8)
    row = cost_rows([NamedLayer(name="x", layer=Gemm(m=m, n=n, k=k))], settings)[0]
    assert row["energy_total_pj"] == sum(row[f"energy_{part}_pj"] for part in ENERGY_PARTS)
    assert (row["energy_dram_static_pj"] > 0) == (dram == "ddr4")


def test_a_whole_network_stands_by_for_all_its_cycles():
    *rows, total = workload_cost(load_shape("bert_base"), CostSettings(dram="ddr4"), tokens=16)
    picojoules = DDR4_MW * Fraction(total["total_cycles"], 500) * 1000
    assert total["energy_dram_static_pj"] == pytest.approx(float(picojoules), rel=1e-9)
    assert any(row["kind"] == "vector" and row["energy_dram_static_pj"] > 0 for row in rows)


def test_dequantizers_behind_the_groups_leak_as_their_synthesis():
    """One for each column, or as many as are given; the entries are read from the synthesis table directly."""
    table, entries = load_table("asap7_7nm_synthesised_mixed"), load_synthesis("asap7_7nm").pes
    for pe, variant in (("mixpe_w4a8", "float_dequantizer"), ("mixpe_w4a8_progressive", "integer_dequantizer")):
        (each,) = {e.leakage_nw for e in entries if e.pe == "mixpe_w4a8" and e.variant == variant}
        power = static_power(get_pe(pe), table, rows=4, columns=6, accumulator_bits=20)
        assert power.dequantizers_nw == 6 * each > 0
        fewer = static_power(get_pe(pe), table, rows=4, columns=6, accumulator_bits=20, dequantizers=2)
        assert (fewer.dequantizers_nw, fewer.pes_nw) == (2 * each, power.pes_nw)
        in_gates = load_table("gates_28nm")
        assert static_power(get_pe(pe), in_gates, rows=4, columns=6, accumulator_bits=20).leakage_pj(10, 1) == 0
    assert static_power(get_pe("int8_mac"), table, rows=4, columns=6, accumulator_bits=32).dequantizers_nw == 0


@pytest.mark.parametrize("pe", ["int8_mac", "mixpe_w4a8", "mxfp4_dot"])
def test_both_commands_have_one_machine(pe: str):
    common = {"technology": "asap7_7nm_synthesised_mixed", "dram": "ddr4", "clock_mhz": 800.0, "rows": 5, "columns": 7}
    one = get_pe(pe)
    width = one.fixed_accumulator_bits or max(32, one.least_accumulator_bits)
    cost, run = CostSettings(pe=pe, **common), Machine(**common)
    assert cost.standing(one, run.table).power == run.static_power(one, width)


def test_what_a_machine_refuses():
    with pytest.raises(InputError, match="clock is -1 MHz, must be greater than 0"):
        Machine(clock_mhz=-1)
    with pytest.raises(InputError, match=r"clock is 1e-310 MHz"):  # energies would be infinite
        Machine(clock_mhz=1e-310)
    with pytest.raises(InputError, match="dram is 'hbm9', which is not known"):
        replace(Machine(), dram="hbm9").static_power(get_pe("int8_mac"), 32)
