"""Gates of floating-point PEs, clocked through whole sums, against the emulator's matrix products: the same bits."""

import numpy as np
import pytest

import simhw
from simhw.pes import get_circuit
from simhw.rtl.float_stimuli import float_format
from simhw.rtl.netlist import netlist
from simhw.rtl.simulation import simulate

OUTPUTS = 64
K = 24


def fp32_bits(values):
    values = np.ascontiguousarray(values, np.float32)
    return np.where(np.isnan(values), 0x7FFFFFFF, values.view(np.uint32).astype(np.int64))


def run(circuit, clocks):
    """Clock the gates from reset and return what the total holds when all operands are through."""
    gates = netlist(circuit)
    lanes = len(next(iter(clocks[0].values())))
    state = {port.name: np.zeros(lanes, np.int64) for port in circuit.state}
    idle = {name: np.zeros(lanes, np.int64) for name in clocks[0]}
    for inputs in (*clocks, idle):
        found = simulate(gates, {**inputs, **state})
        state = {name: found[name] for name in state}
    return state["total"]


def flags(step, lanes):
    return {"first": np.full(lanes, int(step == 0)), "enable": np.ones(lanes, np.int64)}


def codes_near_one(port, shape, rng, *, specials):
    """Codes whose products are of one size, so that sums round and cancel; a few of any kind where wanted."""
    fmt = float_format(port)
    field = fmt.bias + rng.integers(-2, 3, shape)
    codes = (rng.integers(0, 2, shape) * fmt.sign_bit) | field << fmt.mantissa_bits
    codes |= rng.integers(0, 1 << fmt.mantissa_bits, shape)
    anything = rng.integers(0, 1 << fmt.bits, shape)
    return np.where(rng.random(shape) < (0.03 if specials else 0), anything, codes)


@pytest.mark.parametrize("specials", [False, True])
@pytest.mark.parametrize(
    ("name", "datapath"), [("fp16_mac", "fp16"), ("bf16_mac", "bf16"), ("fp8_mac", "fp8_e4m3_fp32")]
)
def test_chains_of_multiply_adds(name, datapath, specials):
    circuit = get_circuit(name)
    rng = np.random.default_rng(21)
    a, b = (codes_near_one(circuit.inputs[0], (OUTPUTS, K), rng, specials=specials) for _ in range(2))
    clocks = [{"activation": a[:, k], "weight": b[:, k], **flags(k, OUTPUTS)} for k in range(K)]
    expected = simhw.matmul(a[:, None], b[:, :, None], datapath)
    assert np.array_equal(run(circuit, clocks), fp32_bits(expected[:, 0, 0]))


def test_dequantized_weights():
    circuit = get_circuit("w4a16_dequantize_first")
    rng = np.random.default_rng(22)
    a = codes_near_one(circuit.inputs[0], (OUTPUTS, K), rng, specials=False)
    weights, zeros = rng.integers(0, 16, (OUTPUTS, K)), rng.integers(0, 16, OUTPUTS)
    scales = codes_near_one(circuit.inputs[0], OUTPUTS, rng, specials=False)
    held = {"zero": zeros, "scale": scales}
    clocks = [{"activation": a[:, k], "weight": weights[:, k], **held, **flags(k, OUTPUTS)} for k in range(K)]
    expected = simhw.matmul(
        a[:, None],
        weights[:, :, None],
        "w4a16_dequantize_first",
        b_scales=scales.astype(np.uint16).view(np.float16).astype(np.float32)[:, None, None],
        zero_points=zeros[:, None, None],
        group_size=K,
    )
    assert np.array_equal(run(circuit, clocks), fp32_bits(expected[:, 0, 0]))


def test_fixed_point_sums():
    """The whole group sum in the register, before it is rounded; the emulator's is that rounded to fp32."""
    circuit = get_circuit("mixpe_w4a16", group_size=K)
    bits = circuit.state[-1].bits - 2
    rng = np.random.default_rng(23)
    a = codes_near_one(circuit.inputs[0], (OUTPUTS, K), rng, specials=False)
    weights = rng.integers(0, 16, (OUTPUTS, K))
    clocks = [{"activation": a[:, k], "weight": weights[:, k], **flags(k, OUTPUTS)} for k in range(K)]
    total = run(circuit, clocks)
    assert not (total >> bits).any()
    signed = total - ((total >> (bits - 1) & 1) << bits)
    expected = simhw.matmul(a[:, None], weights[:, :, None], "w4a16_mixpe")
    assert np.array_equal(fp32_bits(np.ldexp(signed.astype(np.float32), -24)), fp32_bits(expected[:, 0, 0]))


@pytest.mark.parametrize(
    ("name", "block", "scale_format", "low", "high"),
    [("mxfp4_dot", 32, "e8m0", 120, 134), ("nvfp4_dot", 16, "ue4m3", 40, 72), ("mxfp4_dot", 32, "e8m0", 40, 64)],
)
def test_block_dot_products(name, block, scale_format, low, high):
    """With scales around one, and with those whose products leave fp32 below."""
    circuit = get_circuit(name)
    rng = np.random.default_rng(24)
    blocks = 6
    a, b = (rng.integers(0, 16, (OUTPUTS, blocks, block)) for _ in range(2))
    scales = [rng.integers(low, high, (OUTPUTS, blocks)) for _ in range(2)]
    clocks = []
    for number in range(blocks):
        lanes = {f"activation_{lane}": a[:, number, lane] for lane in range(block)}
        lanes |= {f"weight_{lane}": b[:, number, lane] for lane in range(block)}
        pair = dict(zip(("activation_scale", "weight_scale"), (side[:, number] for side in scales), strict=True))
        clocks.append({**lanes, **pair, **flags(number, OUTPUTS)})
    values = [simhw.decode(side, scale_format).astype(np.float32) for side in scales]
    expected = simhw.matmul(
        a.reshape(OUTPUTS, 1, -1),
        b.reshape(OUTPUTS, -1, 1),
        name.removesuffix("_dot"),
        a_scales=values[0][:, None],
        b_scales=values[1][:, :, None],
    )
    assert np.array_equal(run(circuit, clocks), fp32_bits(expected[:, 0, 0]))


def test_the_float_dequantizer_behind_integer_group_sums():
    circuit = get_circuit("mixpe_w4a8", "float_dequantizer")
    rng = np.random.default_rng(25)
    groups, size = 5, 32
    a, weights = rng.integers(-128, 128, (OUTPUTS, groups, size)), rng.integers(0, 16, (OUTPUTS, groups, size))
    zeros = rng.integers(0, 16, (OUTPUTS, groups))
    scales = rng.normal(size=(OUTPUTS, groups)).astype(np.float32)
    width = {port.name: port.bits for port in circuit.inputs}
    clocks = []
    for group in range(groups):
        sums = {"group_sum": (a * weights)[:, group].sum(1), "activation_sum": a[:, group].sum(1)}
        held = {name: total & ((1 << width[name]) - 1) for name, total in sums.items()}
        held |= {"zero": zeros[:, group], "scale": scales.view(np.uint32).astype(np.int64)[:, group]}
        clocks.append({**held, **flags(group, OUTPUTS)})
    expected = simhw.matmul(
        (a & 0xFF).reshape(OUTPUTS, 1, -1),
        weights.reshape(OUTPUTS, -1, 1),
        "w4a8_mixpe",
        b_scales=scales[:, :, None],
        zero_points=zeros[:, :, None],
        group_size=size,
    )
    assert np.array_equal(run(circuit, clocks), fp32_bits(expected[:, 0, 0]))
