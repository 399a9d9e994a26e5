"""Circuits of special function units: gates against the unit's own definition, over every code."""

import numpy as np
import pytest

from simhw.errors import InputError
from simhw.rtl.check import check_circuit
from simhw.rtl.faults import seed_faults
from simhw.rtl.netlist import netlist
from simhw.rtl.prove import Verdict, prove_circuit
from simhw.rtl.selection import select
from simhw.rtl.simulation import simulate
from simhw.sfu import circuit_names, get_circuit, get_unit
from simhw.sfu.base import code_range

CODES = np.arange(1 << 16)


@pytest.mark.parametrize("name", circuit_names())
def test_gates_are_the_unit(name):
    """Without the circuit's definition in between: the unit's Python integers for every code."""
    unit, circuit = get_unit(name), get_circuit(name)
    bits = circuit.outputs[0].bits
    assert unit.output_format == f"int{bits}"
    zeros = np.zeros(len(CODES), np.int64)
    found = simulate(netlist(circuit), {"value": zeros, "value_q": CODES, "result": zeros})["result"]
    lowest, _ = code_range(unit.input_format)
    expected = unit.definition([int(code) - (1 << 16 if code >= -lowest else 0) for code in CODES])
    assert found.tolist() == [value % (1 << bits) for value in expected]


@pytest.mark.parametrize("name", circuit_names())
def test_check_and_proof(name):
    circuit = get_circuit(name)
    report = check_circuit(circuit)
    assert report.equal, report
    assert set(report.exhaustive) >= {"result", "value_q"}
    assert prove_circuit(circuit).verdict is Verdict.PROVEN


@pytest.mark.parametrize("name", circuit_names())
def test_exchanged_gates_are_noticed(name):
    """Every 41st gate; some are redundant, most are not."""
    circuit = get_circuit(name)
    gates = netlist(circuit)
    report = seed_faults(circuit, gates, range(0, gates.gates, 41))
    assert len(report.missed) < report.seeded / 10


def test_names():
    assert [circuit.name for circuit in select("gelu_ibert", [], [])] == ["gelu_ibert"]
    with pytest.raises(InputError, match=r"softmax_ibert has no circuit; those that have one: gelu_ibert"):
        get_circuit("softmax_ibert")
    with pytest.raises(InputError, match=r"gelu_ibert was given bits, which it does not have; its circuit has no size"):
        get_circuit("gelu_ibert", bits=8)
