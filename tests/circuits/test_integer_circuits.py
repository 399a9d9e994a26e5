"""Circuits of integer PEs: equal to their definitions, definitions equal to the PEs' products, no sum overflows."""

import numpy as np
import pytest

from simhw.errors import InputError
from simhw.pes import circuit_names, get_circuit, get_pe
from simhw.pes.bit_serial_booth import booth_digits, weight_cycles
from simhw.rtl.check import check_circuit
from simhw.rtl.faults import operator_faults, seed_faults
from simhw.rtl.netlist import gates_of, netlist
from simhw.rtl.prove import Verdict, same_function
from simhw.rtl.rtlil import rtlil
from simhw.rtl.simulation import simulate

INT8 = [code - 256 * (code >> 7) for code in range(256)]
INT4 = [code - 16 * (code >> 3) for code in range(16)]
UINT4 = list(range(16))
SIGNED, UNSIGNED = {"weight_signed": 1}, {"weight_signed": 0}

TWO_OPERANDS = [
    *(("int8_mac", variant, {}, INT8, INT8) for variant in ("carry_save", "booth", "naive")),
    *(("int4_mac", variant, {}, INT4, INT4) for variant in ("carry_save", "booth", "naive")),
    *(
        ("mixpe_w4a8", variant, sizes, INT8, weights)
        for variant in ("carry_save", "adders", "booth", "multiplier")
        for sizes, weights in ((UNSIGNED, UINT4), (SIGNED, INT4))
    ),
]
OTHERS = [
    ("mixpe_w4a8", "integer_dequantizer", {}),
    ("mixpe_w4a8", "integer_dequantizer_naive", {}),
    ("w4a8_dequantize_first", "carry_save", {}),
    ("w4a8_dequantize_first", "carry_save", {"fraction_bits": 4, **SIGNED}),
    ("w4a8_dequantize_first", "naive", {"fraction_bits": 3}),
    ("bitfusion", "adders", {}),
    ("bit_serial", "bit_plane", {}),
    ("bit_serial", "bit_plane", {"activation_bits": 3, "accumulator_bits": 20}),
    ("bit_serial_booth", "term", {}),
    ("bit_serial_booth", "encoder", {}),
]
CIRCUITS = [case[:3] for case in TWO_OPERANDS] + OTHERS


def _ids(cases):
    return ["-".join([case[0], case[1], *map(str, case[2].values())]) for case in cases]


def _zeros(circuit, lanes=1):
    return {port.name: np.zeros(lanes, np.int64) for port in (*circuit.inputs, *circuit.state)}


@pytest.mark.parametrize(("name", "variant", "sizes"), CIRCUITS, ids=_ids(CIRCUITS))
def test_gates_equal_the_definition(name, variant, sizes):
    report = check_circuit(get_circuit(name, variant, **sizes))
    assert report.equal, report


@pytest.mark.parametrize(("name", "variant", "sizes", "activations", "weights"), TWO_OPERANDS, ids=_ids(TWO_OPERANDS))
def test_all_products_and_wrapped_sums(name, variant, sizes, activations, weights):
    """Gates against Python integers, without the definition in between."""
    circuit = get_circuit(name, variant, **sizes)
    bits = circuit.parameters["accumulator_bits"]
    a, w = (code.ravel() for code in np.meshgrid(np.arange(len(activations)), np.arange(len(weights))))
    rng = np.random.default_rng(1)
    codes = {port.name: rng.integers(0, 1 << port.bits, len(a)) for port in (*circuit.inputs, *circuit.state)}
    found = simulate(netlist(circuit), {**codes, "activation_q": a, "weight_q": w})
    for lane in range(len(a)):
        total = int(codes["total"][lane])
        if codes["enable_q"][lane]:
            total = activations[a[lane]] * weights[w[lane]] + (0 if codes["first_q"][lane] else total)
        assert found["total"][lane] == total % (1 << bits)
    assert get_circuit(name, variant, **sizes).cycles == 1


@pytest.mark.parametrize(("name", "variant", "sizes"), CIRCUITS, ids=_ids(CIRCUITS))
def test_every_exchanged_gate_is_noticed_or_redundant(name, variant, sizes):
    """A change that no vector shows is one that a solver proves to be none."""
    circuit = get_circuit(name, variant, **sizes)
    gates = netlist(circuit)
    some = range(0, gates.gates, 1 if gates.gates < 800 else 37)
    report = seed_faults(circuit, gates, some)
    assert report.seeded == len(some)
    assert len(report.missed) < report.seeded / 10
    for fault in report.missed:
        assert same_function(gates, fault.netlist) is Verdict.PROVEN, fault


@pytest.mark.parametrize(
    ("name", "variant", "operators"),
    [
        ("int8_mac", "naive", ["$mul", "$add"]),
        ("mixpe_w4a8", "adders", ["$neg", "$add"]),
        ("w4a8_dequantize_first", "naive", ["$sub", "$mul", "$add"]),
        ("bitfusion", "adders", ["$add"]),
    ],
)
def test_an_exchanged_operator_is_noticed(name, variant, operators):
    # Sizes at which every operator has something to do: a sign to negate, a half to add.
    sizes = {"mixpe_w4a8": SIGNED, "w4a8_dequantize_first": {"fraction_bits": 3}}.get(name, {})
    circuit = get_circuit(name, variant, **sizes)
    seen = set()
    for what, text in operator_faults(rtlil(circuit)):
        was = what.split()[2]
        if was in operators and was not in seen:
            seen.add(was)
            assert not check_circuit(circuit, gates=gates_of(text, circuit)).equal, what
    assert seen == set(operators)


@pytest.mark.parametrize(("sizes", "weights"), [(UNSIGNED, UINT4), (SIGNED, INT4)])
@pytest.mark.parametrize("group", [1, 32, 128, 129])
def test_no_sum_of_a_group_overflows(sizes, weights, group):
    """Extreme operands for a whole group: the register, read as a signed number, is the exact sum."""
    circuit = get_circuit("mixpe_w4a8", group_size=group, **sizes)
    bits = circuit.parameters["accumulator_bits"]
    gates = netlist(circuit)
    pairs = [(a, w) for a in (0x80, 0x7F, 0xFF) for w in (0, 7, 8, 15)]
    state = _zeros(circuit, len(pairs))
    state = {port.name: state[port.name] for port in circuit.state}
    inputs = {
        "activation": np.array([a for a, _ in pairs]),
        "weight": np.array([w for _, w in pairs]),
        "enable": np.ones(len(pairs), np.int64),
    }
    for clock in range(group + 1):
        first = np.full(len(pairs), int(clock == 0))
        state = {
            name: codes for name, codes in simulate(gates, {**state, **inputs, "first": first}).items() if name in state
        }
    for lane, (a, w) in enumerate(pairs):
        total = int(state["total"][lane])
        assert total - (total >> (bits - 1) << bits) == group * INT8[a] * weights[w]


def test_integer_dequantizer_is_the_progressive_form():
    """s (sum of q x) - s z (sum of x) over groups, from codes, for a column of QServe's two-level weights."""
    circuit = get_circuit("mixpe_w4a8", "integer_dequantizer", group_size=32)
    gates = netlist(circuit)
    rng = np.random.default_rng(4)
    x = rng.integers(-128, 128, (64, 4, 32))
    q, scale = rng.integers(0, 16, (64, 4, 32)), rng.integers(1, 9, (64, 4))
    zero = rng.integers(0, 16, (64, 4))
    bits = {port.name: port.bits for port in circuit.inputs}
    state = {port.name: np.zeros(64, np.int64) for port in circuit.state}
    for clock in range(5):
        group = min(clock, 3)
        given = {
            "group_sum": (q[:, group] * x[:, group]).sum(1),
            "activation_sum": x[:, group].sum(1),
            "scale": scale[:, group],
            "scaled_zero": -scale[:, group] * zero[:, group],
        }
        codes = {name: value & ((1 << bits[name]) - 1) for name, value in given.items()}
        flags = {"first": np.full(64, int(clock == 0)), "enable": np.full(64, int(clock < 4))}
        found = simulate(gates, {**state, **codes, **flags})
        state = {name: found[name] for name in state}
    expected = (scale[..., None] * (q - zero[..., None]) * x).sum((1, 2))
    assert (state["total"] == expected & 0xFFFFFFFF).all()


def test_scales_with_fractions_round_to_nearest_and_saturate():
    circuit = get_circuit("w4a8_dequantize_first", fraction_bits=4)
    w, z, s = (code.ravel() for code in np.meshgrid(np.arange(16), np.arange(16), np.arange(256)))
    vectors = {**_zeros(circuit, len(w)), "weight": w, "zero": z, "scale": s}
    found = simulate(netlist(circuit), vectors)["weight_q"]
    exact = (w - z) * np.array(INT8)[s] / 16
    assert (np.array(INT8)[found] == np.clip(np.floor(exact + 0.5), -128, 127)).all()


def test_fused_bricks_multiply_all_pairs_at_every_place():
    circuit = get_circuit("bitfusion")
    gates = netlist(circuit)
    rng = np.random.default_rng(5)
    for a_mode, a_bits in enumerate((2, 4, 8)):
        for w_mode, w_bits in enumerate((2, 4, 8)):
            a, w = (code.ravel() for code in np.meshgrid(np.arange(1 << a_bits), np.arange(1 << w_bits)))
            for product in range(64 // (a_bits * w_bits)):
                signs = rng.integers(0, 2, (2, len(a)))
                vectors = {**_zeros(circuit, len(a)), "enable_q": np.ones_like(a)}
                vectors |= {"activation_q": a << product * a_bits, "weight_q": w << product * w_bits}
                vectors |= {"activation_mode_q": np.full_like(a, a_mode), "weight_mode_q": np.full_like(a, w_mode)}
                vectors |= {"activation_signed_q": signs[0], "weight_signed_q": signs[1]}
                a_value = a - (signs[0] & a >> (a_bits - 1)) * (1 << a_bits)
                w_value = w - (signs[1] & w >> (w_bits - 1)) * (1 << w_bits)
                assert (simulate(gates, vectors)["total"] == (a_value * w_value) & 0xFFFFFFFF).all()


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_bit_planes_take_as_many_clocks_as_bits(bits):
    circuit = get_circuit("bit_serial", activation_bits=bits)
    assert circuit.cycles == bits
    gates = netlist(circuit)
    rng = np.random.default_rng(6)
    x, w = rng.integers(-(1 << bits - 1), 1 << bits - 1, (16, 500)), rng.integers(-128, 128, (16, 500))
    state = {port.name: np.zeros(500, np.int64) for port in circuit.state}
    for clock in range(bits + 1):
        plane = sum((x[lane] >> min(clock, bits - 1) & 1) << lane for lane in range(16))
        inputs = {f"weight_{lane}": w[lane] & 0xFF for lane in range(16)}
        inputs |= {"activation": plane, "place": np.full(500, min(clock, bits - 1))}
        inputs |= {"negative": np.full(500, int(clock == bits - 1)), "first": np.full(500, int(clock == 0))}
        found = simulate(gates, {**state, **inputs, "enable": np.full(500, int(clock < bits))})
        state = {name: found[name] for name in state}
    assert (state["total"] == (x * w).sum(0) & 0xFFFFFFFF).all()


def test_encoder_and_term_pe_take_the_cycles_that_the_weights_ask_for():
    """Both netlists run side by side on a stream of all weights: cycles and sum are exact."""
    encoder, pe = get_circuit("bit_serial_booth", "encoder"), get_circuit("bit_serial_booth")
    encoder_gates, pe_gates = netlist(encoder), netlist(pe)
    rng = np.random.default_rng(7)
    weights = rng.permutation(np.arange(256))
    x = rng.integers(-128, 128, 256)
    sending = {port.name: np.zeros(1, np.int64) for port in encoder.state}
    summing = {port.name: np.zeros(1, np.int64) for port in pe.state}
    taken, cycles, current = 0, [], None
    while taken < 256 or current is not None:
        found = simulate(encoder_gates, {**sending, "weight": weights[taken % 256 : taken % 256 + 1]})
        if current is not None:
            cycles[-1] += 1
        active = np.array([x[current] & 0xFF if current is not None else 0])
        inputs = {"activation": active, "term": found["term"], "enable": np.ones(1, np.int64)}
        summed = simulate(pe_gates, {**summing, **inputs, "first": np.array([int(current is None)])})
        sending, summing = {name: found[name] for name in sending}, {name: summed[name] for name in summing}
        if found["ready"][0]:
            current = taken if taken < 256 else None
            taken += 1
            if current is not None:
                cycles.append(0)
    last = simulate(pe_gates, {**summing, **{port.name: np.zeros(1, np.int64) for port in pe.inputs}})
    values = np.array(INT8)[weights]
    assert int(last["total"][0]) == int((values * x).sum()) % (1 << 32)
    assert cycles == weight_cycles(weights.astype(np.uint8), "int8").tolist()
    assert cycles == [max(1, sum(map(bool, booth_digits(int(code), "int8")))) for code in weights]


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(InputError, match=r"accumulator_bits is 11, must be 12..63"):
        get_circuit("mixpe_w4a8", accumulator_bits=11)
    with pytest.raises(InputError, match=r"fraction_bits is 9, must be 0..8"):
        get_circuit("w4a8_dequantize_first", fraction_bits=9)
    with pytest.raises(InputError, match=r"activation_bits is 9, must be 2..8"):
        get_circuit("bit_serial", activation_bits=9)
    with pytest.raises(InputError, match="nearest: booth"):
        get_circuit("int8_mac", "both")


def test_every_integer_pe_has_a_circuit_and_its_width():
    for name, sizes, weight in (("mixpe_w4a8", UNSIGNED, "uint4"), ("mixpe_w4a8", SIGNED, "int4")):
        for group in (32, 64, 128):
            bits = get_circuit(name, group_size=group, **sizes).parameters["accumulator_bits"]
            assert bits == get_pe(name).group_accumulator_bits(group, weight)
    assert {"int8_mac", "int4_mac", "mixpe_w4a8", "w4a8_dequantize_first", "bitfusion", "bit_serial"} <= set(
        circuit_names()
    )
