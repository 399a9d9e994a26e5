"""Gates of floating-point circuits against their definitions: all operand pairs, adverse totals, seeded faults."""

import numpy as np
import pytest

from simhw.circuits.float_sums import fp32_codes
from simhw.circuits.fp32_adder import fp32_adder
from simhw.errors import InputError
from simhw.formats.catalog import FP32
from simhw.pes import circuit_names, get_circuit
from simhw.rtl.check import check_circuit
from simhw.rtl.faults import faults, operator_faults
from simhw.rtl.float_stimuli import adverse_totals, float_codes, float_vectors
from simhw.rtl.netlist import RESET, gates_of, netlist
from simhw.rtl.prove import Verdict, same_function
from simhw.rtl.rtlil import rtlil
from simhw.rtl.simulation import simulate

FP8 = ("e4m3", "e5m2", "e4m3_e5m2", "e5m2_e4m3")
CIRCUITS = [
    ("fp16_mac", None, {}),
    ("bf16_mac", None, {}),
    *(("fp8_mac", variant, {}) for variant in FP8),
    ("fp4_mac", None, {}),
    ("mixpe_w4a16", "fixed_point", {}),
    ("mixpe_w4a16", "fixed_point", {"weight_signed": 1, "group_size": 32}),
    ("mixpe_w4a16", "fp32", {}),
    ("mixpe_w4a16", "fp32", {"weight_signed": 1}),
    ("w4a16_dequantize_first", None, {}),
    ("w4a16_dequantize_first", None, {"weight_signed": 1}),
    ("mxfp4_dot", None, {}),
    ("nvfp4_dot", None, {}),
    ("mixpe_w4a8", "float_dequantizer", {}),
]
IDS = ["-".join(str(part) for part in (name, variant, *sizes.values()) if part) for name, variant, sizes in CIRCUITS]
ADVERSE_TOTALS = (
    *(0x00000000, 0x80000000, 0x00000001, 0x807FFFFF, 0x00800000, 0x3F800000, 0xBF800001),
    *(0x7F800000, 0xFF800000, 0x7FC00000, 0xFF800001, 0x7F7FFFFF, 0xFF7FFFFF),
)


def assert_equal(circuit, vectors, gates=None):
    found, expected = simulate(gates or netlist(circuit), vectors), circuit.step(vectors)
    for port, codes in expected.items():
        differing = np.flatnonzero(found[port] != codes)
        assert not differing.size, {name: hex(code[differing[0]]) for name, code in vectors.items()}


def operands_in_registers(circuit, operands, total, rng):
    """Vectors with these operand registers and total, enabled, in the middle of a sum; inputs are random."""
    count = len(total)
    vectors = {port.name: rng.integers(0, 1 << port.bits, count) for port in circuit.inputs}
    flags = {"first_q": np.zeros(count, np.int64), "enable_q": np.ones(count, np.int64)}
    return {**vectors, **flags, **operands, "total": total}


@pytest.mark.parametrize(("name", "variant", "sizes"), CIRCUITS, ids=IDS)
def test_adverse_vectors(name, variant, sizes):
    circuit = get_circuit(name, variant, **sizes)
    rng = np.random.default_rng(11)
    for _ in range(2):
        assert_equal(circuit, float_vectors(circuit, 1 << 16, rng))


@pytest.mark.parametrize(("name", "variant", "sizes"), CIRCUITS, ids=IDS)
def test_all_operands_and_sequences(name, variant, sizes):
    report = check_circuit(get_circuit(name, variant, **sizes), rounds=1, vectors=1 << 14, lanes=64, steps=32)
    assert report.equal, str(report)
    if name in ("fp8_mac", "fp4_mac", "mixpe_w4a16"):
        assert "total" in report.exhaustive


def test_the_adder_alone():
    circuit = fp32_adder()
    rng = np.random.default_rng(12)
    for _ in range(4):
        term = float_codes(FP32, 1 << 16, rng)
        assert_equal(circuit, {"term": term, "total": adverse_totals(term, rng)})


@pytest.mark.parametrize("variant", FP8)
def test_all_fp8_pairs_meet_adverse_totals(variant):
    circuit = get_circuit("fp8_mac", variant)
    rng = np.random.default_rng(13)
    pair = np.arange(1 << 16)
    operands = {"activation_q": pair & 0xFF, "weight_q": pair >> 8}
    alone = operands_in_registers(circuit, operands, np.zeros(1 << 16, np.int64), rng)
    products = circuit.step(alone)["total"]
    gates = netlist(circuit)
    fixed = [np.full(1 << 16, code, np.int64) for code in ADVERSE_TOTALS]
    for total in (*fixed, products ^ 1 << 31, products ^ 1, *(adverse_totals(products, rng) for _ in range(4))):
        assert_equal(circuit, operands_in_registers(circuit, operands, total, rng), gates)


@pytest.mark.parametrize("variant", ["fixed_point", "fp32"])
@pytest.mark.parametrize("weight_signed", [0, 1])
def test_all_w4a16_pairs(variant, weight_signed):
    circuit = get_circuit("mixpe_w4a16", variant, weight_signed=weight_signed)
    rng = np.random.default_rng(14)
    pair = np.arange(1 << 20)
    operands = {"activation_q": pair & 0xFFFF, "weight_q": pair >> 16}
    zero = np.zeros(1 << 20, np.int64)
    gates = netlist(circuit)
    alone = operands_in_registers(circuit, operands, zero, rng)
    assert_equal(circuit, alone, gates)
    if variant == "fp32":
        products = circuit.step(alone)["total"]
        assert_equal(circuit, operands_in_registers(circuit, operands, adverse_totals(products, rng), rng), gates)
    else:
        total = rng.integers(0, 1 << circuit.state[-1].bits, 1 << 20)
        assert_equal(circuit, operands_in_registers(circuit, operands, total, rng), gates)


@pytest.mark.parametrize("fields", [(15, 15), (15, 0), (0, 15), (0, 0)], ids=str)
def test_all_fp16_significand_products(fields):
    """Every pair of mantissas, normal and subnormal, as the first product of a sum: it is exact in fp32."""
    circuit = get_circuit("fp16_mac")
    rng = np.random.default_rng(15)
    pair = np.arange(1 << 20)
    codes = [fields[0] << 10 | pair & 0x3FF, fields[1] << 10 | pair >> 10]
    vectors = operands_in_registers(circuit, dict(zip(("activation_q", "weight_q"), codes, strict=True)), 0 * pair, rng)
    found = simulate(netlist(circuit), vectors)["total"]
    left, right = (code.astype(np.uint16).view(np.float16).astype(np.float32) for code in codes)
    assert np.array_equal(found, fp32_codes(left * right))


def test_all_fp16_exponent_and_sign_pairs():
    circuit = get_circuit("fp16_mac")
    rng = np.random.default_rng(16)
    pair = np.repeat(np.arange(1 << 12), 64)
    mantissas = [rng.choice([0, 1, 0x200, 0x3FF, int(rng.integers(1 << 10))], len(pair)) for _ in range(2)]
    operands = {
        "activation_q": (pair & 0x3F) << 10 | mantissas[0],
        "weight_q": (pair >> 6) << 10 | mantissas[1],
    }
    products = circuit.step(operands_in_registers(circuit, operands, 0 * pair, rng))["total"]
    gates = netlist(circuit)
    for total in (0 * pair, adverse_totals(products, rng)):
        assert_equal(circuit, operands_in_registers(circuit, operands, total, rng), gates)


def test_all_dequantized_weights():
    """Every fp16 scale with every difference of weight and zero point."""
    circuit = get_circuit("w4a16_dequantize_first")
    gates = netlist(circuit)
    scale = np.arange(1 << 16)
    for difference in range(-15, 16):
        vectors = {port.name: 0 * scale for port in (*circuit.inputs, *circuit.state)}
        vectors["weight"] = np.full(1 << 16, max(difference, 0))
        vectors["zero"] = np.full(1 << 16, max(-difference, 0))
        assert_equal(circuit, {**vectors, "scale": scale}, gates)


def test_all_pairs_of_mxfp4_scales():
    """Every product of two scales, those that vanish, those beyond fp32, NaN, with sums that are rounded and not."""
    circuit = get_circuit("mxfp4_dot", lanes=2)
    gates = netlist(circuit)
    rng = np.random.default_rng(17)
    pair = np.arange(1 << 16)
    for _ in range(4):
        operands = {
            f"{side}_{lane}_q": rng.integers(0, 16, 1 << 16) for side in ("activation", "weight") for lane in (0, 1)
        }
        operands |= {"activation_scale_q": pair & 0xFF, "weight_scale_q": pair >> 8}
        first = operands_in_registers(circuit, operands, 0 * pair, rng)
        assert_equal(circuit, {**first, "first_q": np.ones(1 << 16, np.int64)}, gates)
        terms = circuit.step(first)["total"]
        assert_equal(circuit, operands_in_registers(circuit, operands, adverse_totals(terms, rng), rng), gates)


@pytest.mark.parametrize(("name", "variant", "sizes"), CIRCUITS, ids=IDS)
def test_an_exchanged_gate_is_caught(name, variant, sizes):
    """Faults all over the circuit: each is seen by the vectors, or a solver finds nothing that it changes."""
    circuit = get_circuit(name, variant, **({"lanes": 2} if name.endswith("_dot") else sizes))
    gates = netlist(circuit)
    rng = np.random.default_rng(18)
    batches = [float_vectors(circuit, count, rng) for count in (1 << 13, 1 << 13, *[1 << 15] * 6)]
    batches[0][RESET] = np.ones(1 << 13, np.int64)
    expected = [simulate(gates, batch) for batch in batches]
    tried = list(faults(gates, rng.choice(gates.gates, 16, replace=False)))
    missed = [fault for fault in tried if not shows(fault.netlist, batches, expected)]
    assert len(missed) < len(tried) // 4
    for fault in missed:
        assert same_function(gates, fault.netlist, limit_s=5) is not Verdict.COUNTEREXAMPLE, fault


def shows(faulty, batches, expected):
    pairs = ((simulate(faulty, batch), right) for batch, right in zip(batches, expected, strict=True))
    return any((found[port] != right[port]).any() for found, right in pairs for port in right)


@pytest.mark.parametrize("operator", ["$sub", "$xor", "$lt"])
def test_an_exchanged_operator_of_the_adder_is_caught(operator):
    circuit = fp32_adder()
    rng = np.random.default_rng(19)
    term = float_codes(FP32, 1 << 14, rng)
    vectors = {"term": term, "total": adverse_totals(term, rng)}
    what, text = next(fault for fault in operator_faults(rtlil(circuit)) if f": {operator} " in fault[0])
    found = simulate(gates_of(text.replace("$le", "$ge"), circuit), vectors)
    assert (found["sum"] != circuit.step(vectors)["sum"]).any(), what


def test_a_sum_that_no_port_carries_is_refused():
    with pytest.raises(InputError, match="needs 62 bits, a register has at most 61"):
        get_circuit("mixpe_w4a16", group_size=1 << 17)


def test_an_accumulator_below_one_product_is_refused():
    with pytest.raises(InputError, match=r"accumulator_bits is 8, must be 9\.\.63"):
        get_circuit("fp4_mac", accumulator_bits=8)


def test_every_float_pe_has_a_circuit():
    assert {name for name, _, _ in CIRCUITS} <= circuit_names().keys()
