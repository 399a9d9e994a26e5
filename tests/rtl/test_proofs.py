"""Proofs: right circuits are proven, wrong ones refuted with values, limits are told; symbols equal arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.circuits.codes import to_code, to_signed
from simhw.errors import InputError
from simhw.pes import get_circuit
from simhw.rtl import smt
from simhw.rtl.equivalence import prove_netlist
from simhw.rtl.faults import faults
from simhw.rtl.netlist import netlist
from simhw.rtl.prove import Verdict, prove_circuit, same_function
from simhw.rtl.smt import Answer, Script, Solver, solve
from simhw.rtl.symbolic import Symbol

FAST = [
    ("int4_mac", "carry_save", {}),
    ("int4_mac", "booth", {}),
    ("mixpe_w4a8", "adders", {}),
    ("mixpe_w4a8", "adders", {"weight_signed": 1}),
    ("mixpe_w4a8", "multiplier", {}),
    ("bit_serial_booth", "term", {}),
    ("bit_serial_booth", "encoder", {}),
]
SLOW = [
    ("mixpe_w4a8", "carry_save", {}),
    ("mixpe_w4a8", "carry_save", {"weight_signed": 1}),
    ("mixpe_w4a8", "booth", {}),
    ("mixpe_w4a8", "booth", {"weight_signed": 1}),
    ("mixpe_w4a8", "carry_save", {"accumulator_bits": 32}),
    ("int8_mac", "carry_save", {}),
    ("int8_mac", "booth", {}),
]


@pytest.mark.parametrize(("name", "variant", "sizes"), FAST)
def test_adders_equal_the_arithmetic_for_all_inputs_and_states(name, variant, sizes):
    proof = prove_circuit(get_circuit(name, variant, **sizes))
    assert proof.verdict is Verdict.PROVEN, str(proof)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant", "sizes"), SLOW)
def test_compressed_adders_equal_the_arithmetic(name, variant, sizes):
    proof = prove_circuit(get_circuit(name, variant, **sizes), limit_s=1800)
    assert proof.verdict is Verdict.PROVEN, str(proof)


@pytest.mark.parametrize("solver", Solver)
@pytest.mark.parametrize("gate", [3, 60, 150, 250])
def test_a_mutated_pe_has_a_counterexample(solver, gate):
    circuit = get_circuit("mixpe_w4a8", "adders")
    (fault,) = faults(netlist(circuit), [gate])
    proof = prove_circuit(circuit, gates=fault.netlist, solver=solver)
    assert proof.verdict is Verdict.COUNTEREXAMPLE
    wrong = next(found for found in proof.results if found.verdict is Verdict.COUNTEREXAMPLE)
    batch = {name: np.array([code]) for name, code in wrong.counterexample.items() if name not in ("expected", "got")}
    assert int(circuit.step(batch)[wrong.result][0]) == wrong.counterexample["expected"] != wrong.counterexample["got"]
    assert f"total = {wrong.counterexample['total']:#x}" in str(proof)


def test_what_is_not_decided_says_that_it_is_only_tested():
    proof = prove_circuit(get_circuit("mixpe_w4a8", "integer_dequantizer"), limit_s=0.2)
    assert proof.verdict is Verdict.UNDECIDED
    assert "total: not decided (bitwuzla, 0.2 s" in str(proof)
    assert "tested only" in str(proof)


def test_netlists_equal_the_rtl():
    for name, variant in (("int4_mac", "carry_save"), ("mixpe_w4a8", "adders"), ("bit_serial_booth", "encoder")):
        assert prove_netlist(get_circuit(name, variant)) is Verdict.PROVEN


def test_a_faulty_netlist_is_not_proven():
    circuit = get_circuit("int4_mac")
    gates = netlist(circuit)
    for fault in faults(gates, [10, 200]):
        assert prove_netlist(circuit, gates=fault.netlist, limit_s=20) is Verdict.UNDECIDED
        assert same_function(gates, fault.netlist) is Verdict.COUNTEREXAMPLE
    assert same_function(gates, gates) is Verdict.PROVEN


def test_without_a_solver_the_sentence_names_the_extra(monkeypatch):
    monkeypatch.setattr(smt, "find_spec", lambda name: None if name == "bitwuzla" else True)
    assert smt.installed_solvers() == (Solver.Z3,)
    with pytest.raises(InputError, match=r"proofs need bitwuzla, not installed; run: pip install 'simhw\[formal\]'"):
        solve(Script(), limit_s=1, solver=Solver.BITWUZLA)
    monkeypatch.setattr(smt, "find_spec", lambda name: None)  # noqa: ARG005
    with pytest.raises(InputError, match=r"proofs need bitwuzla or z3-solver"):
        prove_circuit(get_circuit("int4_mac"))


EXPRESSIONS = {
    "signed product": lambda a, b: to_signed(a, 8) * to_signed(b, 8),
    "where": lambda a, b: np.where(a < b, a - b, b + 3),
    "clip": lambda a, b: np.clip(to_signed(a, 8) * 5 - b, -100, 99),
    "absolute": lambda a, b: np.abs(to_signed(a, 8) - b),
    "shift by data": lambda a, b: (to_signed(a, 8) << (b & 7)) >> (b >> 6),
    "bits": lambda a, b: (a & -a) | (b ^ 0x35) & ~a,
    "code": lambda a, b: to_code(to_signed(a, 8) - 3 * b, 11),
    "truth": lambda a, b: (((a == b) | (a > 7)) & ~(b != 3)).astype(np.int64) + 2 * (a >= b) + 4 * (a <= 9),
    "negated": lambda a, b: (
        np.where(b == 1, -a, a) * (a & 1) + sum(((b >> place & 1) * place for place in range(3)), a)
    ),
    "wraps": lambda a, b: (a * 0x7FFFFFFFFFFFFF + b * 0x3FFFFFFFFFFFFFFF) >> 3,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@settings(max_examples=8, deadline=None)
@given(a=st.integers(0, 255), b=st.integers(0, 255))
def test_symbols_compute_what_arrays_compute(name, a, b):
    """The solver has to find the same number that NumPy gives, and no other."""
    expression = EXPRESSIONS[name]
    expected = int(expression(np.array([a]), np.array([b]))[0])
    script = Script()
    symbols = [
        Symbol(script, script.define(f"((_ zero_extend 1) {script.declare(port, 8)})", 9), 0, 255) for port in "ab"
    ]
    found = expression(*symbols)
    assert found.low <= expected <= found.high
    script.claim(f"(= a #x{a:02x})")
    script.claim(f"(= b #x{b:02x})")
    wanted = f"#b{expected % (1 << found.bits):0{found.bits}b}"
    assert solve(script, limit_s=10, extra=f"(= {found.term} {wanted})").answer is Answer.SATISFIABLE
    assert solve(script, limit_s=10, extra=f"(distinct {found.term} {wanted})").answer is Answer.UNSATISFIABLE


def test_definitions_beyond_the_integers_are_not_followed():
    script = Script()
    symbol = Symbol(script, script.define(f"((_ zero_extend 1) {script.declare('a', 8)})", 9), 0, 255)
    with pytest.raises(TypeError, match=r"np.sqrt, which symbols do not know"):
        np.sqrt(symbol)
