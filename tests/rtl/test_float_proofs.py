"""Proofs of floating-point circuits: gates against SMT-LIB's own floating-point operations, for all states."""

import pytest

from simhw.circuits.fp32_adder import fp32_adder
from simhw.pes import get_circuit
from simhw.rtl.faults import operator_faults
from simhw.rtl.netlist import gates_of, netlist
from simhw.rtl.prove import Verdict, claim, prove_circuit
from simhw.rtl.rtlil import rtlil
from simhw.rtl.smt import Answer, solve

HOUR_S = 3600.0


def proven(circuit, result, limit_s):
    """Whether the solver finds no vector at which the gates of one register differ from its specification."""
    return solve(claim(circuit, netlist(circuit), result), limit_s=limit_s).answer is Answer.UNSATISFIABLE


def test_e5m2_is_multiplied_and_added_as_the_standard_says():
    assert prove_circuit(get_circuit("fp8_mac", "e5m2"), limit_s=300).verdict is Verdict.PROVEN


def test_e2m1_sums_are_exact():
    assert prove_circuit(get_circuit("fp4_mac"), limit_s=60).verdict is Verdict.PROVEN


def test_a_fault_gives_a_counterexample_that_the_definition_confirms():
    circuit = fp32_adder()
    what, text = next(fault for fault in operator_faults(rtlil(circuit)) if ": $sub " in fault[0])
    proof = prove_circuit(circuit, gates=gates_of(text, circuit), limit_s=60)
    assert proof.verdict is Verdict.COUNTEREXAMPLE, what


@pytest.mark.slow
def test_the_fp32_adder():
    assert prove_circuit(fp32_adder(), limit_s=HOUR_S).verdict is Verdict.PROVEN


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["e4m3", "e4m3_e5m2", "e5m2_e4m3"])
def test_fp8(variant):
    assert prove_circuit(get_circuit("fp8_mac", variant), limit_s=HOUR_S).verdict is Verdict.PROVEN


@pytest.mark.slow
@pytest.mark.parametrize("weight_signed", [0, 1])
def test_w4a16_with_an_fp32_accumulator(weight_signed):
    circuit = get_circuit("mixpe_w4a16", "fp32", weight_signed=weight_signed)
    assert prove_circuit(circuit, limit_s=HOUR_S).verdict is Verdict.PROVEN


@pytest.mark.slow
@pytest.mark.parametrize("weight_signed", [0, 1])
def test_weights_dequantized_to_fp16(weight_signed):
    assert proven(get_circuit("w4a16_dequantize_first", weight_signed=weight_signed), "weight_q", HOUR_S)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mxfp4_dot", "nvfp4_dot"])
def test_one_lane_of_a_block_dot_product(name):
    """Scaling and addition for every product of one lane; the tree over more lanes is tested, not proven here."""
    assert proven(get_circuit(name, lanes=1), "total", HOUR_S)
