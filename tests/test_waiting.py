"""What a run adds for leakage and for DRAM at rest, by step and in the rows of ``simhw run``."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import simhw
import simhw.cli
from simhw.costs.synthesised import load_synthesis
from simhw.execution import Step
from simhw.formats import get_element_format
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.operand import Storage
from simhw.graph.ops import operators
from simhw.layer_cost import step_cost, step_costs
from simhw.machine import Machine

DDR4_MW = Fraction(8) * Fraction(12, 10) * 43
TECHNOLOGY = "asap7_7nm_synthesised_mixed"


def product(m: int, n: int, k: int) -> Step:
    operand = Storage(format="fp16", bits=get_element_format("fp16").bits)
    return Step(
        label="x",
        operator=operators()["linear"],
        m=m,
        n=n,
        k=k,
        batch=1,
        elements=m * k,
        activation=operand,
        weight=operand,
    )


@given(m=st.integers(1, 200), n=st.integers(1, 200), k=st.integers(1, 200), clock_mhz=st.integers(1, 3000))
def test_a_product_leaks_and_stands_by_for_its_cycles(m: int, n: int, k: int, clock_mhz: int):
    machine = Machine(rows=4, columns=6, technology=TECHNOLOGY, dram="ddr4", clock_mhz=clock_mhz)
    found = step_cost(product(m, n, k), get_datapath("fp16"), machine, 32)
    (entry,) = load_synthesis("asap7_7nm").entries("fp16_mac")
    microseconds = Fraction(found.cycles, clock_mhz)
    leaked = Fraction(entry.leakage_nw) * 4 * 6 * microseconds / 1000  # nW x us = fJ
    assert found.energy_pj["leakage"] == pytest.approx(float(leaked))
    assert found.energy_pj["static"] == pytest.approx(float(DDR4_MW * microseconds * 1000))  # mW x us = nJ
    usual = step_cost(product(m, n, k), get_datapath("fp16"), replace(machine, dram=None), 32)
    assert usual.energy_pj["static"] == 0
    assert usual.energy_pj["dram"] == found.energy_pj["dram"]
    stacked = step_cost(product(m, n, k), get_datapath("fp16"), replace(machine, dram="hbm3"), 32)
    assert stacked.energy_pj["dram"] == pytest.approx(found.energy_pj["dram"] * 4.05 / (1300 / 64))


def test_hidden_vector_steps_add_nothing():
    """A step that costs no cycles does not leak: leakage follows the cycles that a step adds, not those of its unit."""
    machine = Machine(rows=4, columns=4, technology=TECHNOLOGY, dram="ddr4")
    steps = [product(8, 8, 8), Step(label="y", operator=operators()["softmax"], elements=64)]
    for cost in step_costs(steps, get_datapath("fp16"), machine, 32):
        assert (cost.energy_pj["static"] == 0) == (cost.cycles == 0)
        assert cost.energy_pj["static"] == pytest.approx(float(DDR4_MW * cost.cycles / 500 * 1000))


def test_a_row_states_dram_clock_and_source():
    settings = {"models": ["fashion_resnet"], "datapaths": ["fp16"], "samples": 1, "technology": TECHNOLOGY}
    (row,) = simhw.run(**settings, dram="ddr4", clock_mhz=250.0)
    assert (row.dram, row.clock_mhz) == ("ddr4", 250.0)
    assert "MT40A1G8PM-083E" in row.dram_static_source
    assert row.energy_pj["static"] == pytest.approx(float(DDR4_MW * Fraction(row.cycles, 250) * 1000))
    assert row.energy_pj["leakage"] == pytest.approx(sum(layer.energy_pj["leakage"] for layer in row.layers))
    (plain,) = simhw.run(**settings)
    assert (plain.dram, plain.energy_pj["static"]) == ("ddr", 0)
    assert plain.dram_static_source == f"0: the ddr constant of {TECHNOLOGY} does not set it apart"
    assert plain.energy_pj["leakage"] == pytest.approx(row.energy_pj["leakage"] / 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dram", "hbm9"], "dram is 'hbm9', which is not known"),
        (["--clock-mhz", "0"], "clock is 0.0 MHz, must be greater than 0"),
        (["--clock-mhz", "inf"], "clock is inf MHz"),
    ],
)
def test_what_a_run_refuses(capsys: pytest.CaptureFixture[str], options: list[str], message: str):
    assert simhw.cli.main(["run", "--model", "fashion_resnet", "--samples", "1", *options]) == 2
    assert message in capsys.readouterr().err
