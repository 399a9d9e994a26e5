"""An array with one thing wrong must not pass: skew, drain, loads, one PE, one gate."""

import re
from dataclasses import replace

import numpy as np
import pytest

from simhw.rtl.arrays import Dequantizer, check_array, output_stationary_wiring, weight_stationary_wiring
from simhw.rtl.arrays.bench import array_netlist, simulate_netlist
from simhw.rtl.arrays.placing import Placer
from simhw.rtl.faults import faults, operator_faults
from simhw.rtl.netlist import RESET, gates_of, netlist
from simhw.rtl.prove import Verdict, same_function
from simhw.rtl.rtlil import rtlil
from simhw.rtl.simulation import simulate
from simhw.rtl.stimuli import random_vectors

SIZES = {"rows": 2, "columns": 2}
DATAFLOWS = ("output_stationary", "weight_stationary")


def _wrong(array, problems, gates):
    """How many GEMMs show that these gates are not the array's, and how many of them by their results alone."""
    reports = check_array(array, problems, simulator=simulate_netlist(gates))
    return sum(not report.equal for report in reports), sum(report.difference is not None for report in reports)


def _without(circuit, *removed):
    """The circuit, with registers that a fault leaves out."""
    return replace(circuit, state=tuple(port for port in circuit.state if port.name not in removed))


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("lane", ["activation_1", "weight_1"])
def test_a_wrong_skew_is_found(make_array, make_problems, monkeypatch, dataflow, lane):
    array = make_array("int4_mac", dataflow=dataflow, **SIZES)
    right = Placer.delay

    def delay(self, name, source, clocks):
        return right(self, name, source, clocks - (name == lane))

    monkeypatch.setattr(Placer, "delay", delay)
    gates = netlist(_without(array.circuit, f"{lane}_delay_1"))
    assert _wrong(array, make_problems(array, 16), gates)[1] >= 8


def test_a_bus_that_opens_one_clock_early_is_found(make_array, make_problems, monkeypatch):
    array = make_array("int4_mac", **SIZES)
    right = output_stationary_wiring._travelling_flags

    def early(*arguments):
        wires = right(*arguments)
        return {**wires, ("last", 1, 2): wires["last", 1, 1]}

    monkeypatch.setattr(output_stationary_wiring, "_travelling_flags", early)
    assert _wrong(array, make_problems(array, 16), netlist(array.circuit))[1] >= 8


def test_a_bus_that_opens_one_clock_late_takes_one_cycle_more(make_array, make_problems, monkeypatch):
    """The last bus alone, late: with one fold the result is still right, the count is not."""
    array = make_array("int4_mac", rows=1, columns=1)
    right = output_stationary_wiring._travelling_flags

    def late(placer, *arguments):
        wires = right(placer, *arguments)
        return {**wires, ("last", 0, 2): placer.register("late", wires["last", 0, 2])}

    monkeypatch.setattr(output_stationary_wiring, "_travelling_flags", late)
    circuit = replace(array.circuit, state=(*array.circuit.state, replace(array.circuit.outputs[1], name="late")))
    problems = [problem for problem in make_problems(array, 64) if problem.shape[0] == problem.shape[1] == 1]
    reports = check_array(array, problems, simulator=simulate_netlist(netlist(circuit)))
    assert len(reports) >= 2
    assert all(report.difference is None and report.cycles == report.predicted + 1 for report in reports)


def test_a_row_that_shifts_its_weights_too_short_is_found(make_array, make_problems, monkeypatch):
    array = make_array("int4_mac", dataflow="weight_stationary", **SIZES)
    monkeypatch.setattr(weight_stationary_wiring, "either", lambda values: values[0])
    assert _wrong(array, make_problems(array, 16), netlist(array.circuit))[1] >= 8


@pytest.mark.parametrize("column", [0, 1])
def test_scales_that_are_held_for_the_wrong_rows_are_found(make_array, make_problems, monkeypatch, column):
    array = make_array("mixpe_w4a8", dequantizer=Dequantizer.INTEGER, group_size=16, **SIZES)
    right = output_stationary_wiring._place_foot

    def early(placer, ports, stage, foot, holds, arriving, marks, c):
        held = ports.last if c == column else holds
        return right(placer, ports, stage, foot, held, arriving, marks, c)

    monkeypatch.setattr(output_stationary_wiring, "_place_foot", early)
    assert _wrong(array, make_problems(array, 16), netlist(array.circuit))[1] >= 8


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_a_dropped_carry_of_one_pe_is_found(make_array, make_problems, dataflow):
    """One of four PEs is another module, in which an OR that makes a carry is an AND."""
    array = make_array("int4_mac", dataflow=dataflow, **SIZES)
    part, text = array.circuit.parts[0], rtlil(array.circuit)
    module = rtlil(part).replace("attribute \\top 1\n", "")
    dropped = [wrong for what, wrong in operator_faults(module) if what.endswith("$or -> $and")]
    assert len(dropped) >= 8
    problems = make_problems(array, 16)
    instance = rf"cell \\{part.name} \\(pe|cell)_1_0\n"
    for wrong in dropped[::4]:
        named = wrong.replace(f"module \\{part.name}\n", f"module \\{part.name}_faulty\n")
        swapped, count = re.subn(instance, rf"cell \\{part.name}_faulty \\\1_1_0\n", text)
        assert count == 1
        gates = gates_of(named + "\n" + swapped, array.circuit)
        assert _wrong(array, problems, gates)[1] >= 1


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_gates_exchanged_anywhere_are_found(make_array, make_problems, dataflow):
    array = make_array("int4_mac", dataflow=dataflow, **SIZES)
    gates, problems = array_netlist(array), make_problems(array, 64)
    rng = np.random.default_rng(0)
    # GEMMs of these sizes leave the top of a sum unused; single clocks from any state see it.
    batch = {**random_vectors(array.circuit, 4000, {}, rng), RESET: (rng.random(4000) < 1 / 8).astype(np.int64)}
    right = simulate(gates, batch)
    by_gemms, missed = 0, []
    for fault in faults(gates, rng.choice(gates.gates, 40, replace=False).tolist()):
        got = simulate(fault.netlist, batch)
        found = bool(_wrong(array, problems, fault.netlist)[0])
        by_gemms += found
        if not found and all((got[name] == codes).all() for name, codes in right.items()):
            missed.append(fault.netlist)
    assert by_gemms >= 32
    assert all(same_function(gates, redundant) is Verdict.PROVEN for redundant in missed)
