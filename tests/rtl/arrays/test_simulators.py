"""The description in Amaranth's simulator, and compiled C++, make of the same streams what the gates make."""

import shutil

import numpy as np
import pytest

from simhw.errors import InputError
from simhw.rtl.arrays import Dequantizer, check_array
from simhw.rtl.arrays import cxxrtl as compiled
from simhw.rtl.arrays.amaranth_simulator import simulate_amaranth
from simhw.rtl.clocked import Loop, run_clocks
from simhw.rtl.netlist import netlist

DATAFLOWS = ("output_stationary", "weight_stationary")


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize(
    ("pe", "options"),
    [
        ("int4_mac", {"variant": "naive"}),
        ("mixpe_w4a8", {"variant": "multiplier", "dequantizer": Dequantizer.INTEGER, "group_size": 8}),
    ],
)
def test_amaranth_simulator(make_array, make_problems, pe, options, dataflow):
    """Operators are left whole in these variants, which keeps Amaranth's simulator quick."""
    array = make_array(pe, rows=2, columns=2, dataflow=dataflow, **options)
    reports = check_array(array, make_problems(array, 6, longest=8), simulator=simulate_amaranth)
    assert all(report.equal for report in reports), reports


@pytest.mark.slow
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_cxxrtl(make_array, make_problems, dataflow):
    if not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("no C++ compiler")
    array = make_array(
        "mixpe_w4a8", rows=3, columns=2, dataflow=dataflow, dequantizer=Dequantizer.INTEGER, group_size=24
    )
    reports = check_array(array, make_problems(array, 64), simulator=compiled.simulate_cxxrtl)
    assert all(report.equal for report in reports), reports


def test_without_a_compiler_cxxrtl_says_what_to_do(monkeypatch):
    monkeypatch.setattr(compiled.shutil, "which", lambda _: None)
    monkeypatch.setattr(compiled, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"no C\+\+ compiler was found, CXXRTL needs one; .*pip install ziglang"):
        compiled.compiler()


def test_clocked_runs_refuse_what_does_not_fit(make_array):
    gates = netlist(make_array("int8_mac", rows=1, columns=1).circuit)
    names = ("activation_0", "weight_0", "first", "enable", "last")
    inputs = {name: np.zeros((4, 2), np.int64) for name in names}
    assert run_clocks(gates, inputs, ["sum_0"])["sum_0"].shape == (4, 2)
    with pytest.raises(InputError, match=r"its inputs are \['activation_0', 'enable', 'first', 'last', 'weight_0'\]"):
        run_clocks(gates, {"first": inputs["first"]}, ["sum_0"])
    with pytest.raises(InputError, match="with at most 64 runs"):
        run_clocks(gates, {name: np.zeros((4, 65), np.int64) for name in names}, ["sum_0"])
    with pytest.raises(InputError, match="must be one shape"):
        run_clocks(gates, {**inputs, "last": np.zeros((5, 2), np.int64)}, ["sum_0"])


def test_a_loop_carries_what_an_output_was(make_array):
    """The chain's sum of 2 x 3 joins what left one clock before: a running count, and a start that is given."""
    gates = netlist(make_array("int8_mac", rows=1, columns=1, dataflow="weight_stationary").circuit)
    clocks = 12
    inputs = {name: np.zeros((clocks, 2), np.int64) for name in ("weight_0", "load", "swap", "enable")}
    inputs["activation_0"] = np.full((clocks, 2), 2)
    inputs["weight_0"][:] = 3
    inputs["load"][0], inputs["swap"][1], inputs["enable"][1:] = 1, 1, 1
    same = np.arange(clocks)[:, None].repeat(2, 1)
    sources = np.where(same < 6, -1, same)
    sources[:, 1] = -1
    loop = Loop(input="carried_0", output="sum_0", sources=sources, nothing=5)
    sums = run_clocks(gates, inputs, ["sum_0"], [loop])["sum_0"]
    assert sums[7:, 0].tolist() == [17, 23, 29, 35, 41]
    assert sums[7:, 1].tolist() == [11] * 5
