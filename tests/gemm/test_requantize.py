"""Requantization: exact definitions against the libraries' own arithmetic, kernels against definitions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.gemm.requantize import RULES, quantize_multiplier, requantize, requantize_exact

INT32 = st.integers(-(2**31), 2**31 - 1)
SCALE = st.floats(2.0**-31, 1.0, exclude_max=True, width=32)
FLOATING = ("xnnpack_fp32", "onnxruntime", "gemmini_scale")


def clamp(value, zero_point=0):
    return max(-128, min(127, value + zero_point))


# The libraries' arithmetic, step by step on machine words, as their sources describe it.


def divide_toward_zero(numerator, denominator):
    return abs(numerator) // denominator * (1 if numerator >= 0 else -1)


def gemmlowp(total, multiplier, shift):
    product = (total << max(shift, 0)) * multiplier
    nudge = 2**30 if product >= 0 else 1 - 2**30
    high = divide_toward_zero(product + nudge, 2**31)
    exponent = max(-shift, 0)
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (high < 0)
    return (high >> exponent) + ((high & mask) > threshold)


def xnnpack_rndnu(total, scale):
    bits = int(np.float32(scale).view(np.uint32))
    multiplier = bits & 0x007FFFFF | 0x00800000
    shift = 127 + 23 - (bits >> 23)
    return (total * multiplier + (1 << (shift - 1))) >> shift


def xnnpack_magic(total, scale, zero_point):
    value = np.float32(total) * np.float32(scale)
    value = min(max(value, np.float32(-128 - zero_point)), np.float32(127 - zero_point))
    magic = np.float32(12582912.0)
    return int((value + magic).view(np.int32)) - (int(magic.view(np.int32)) - zero_point)


def gemmini_shift(x, shift):
    if shift == 0:
        return x
    below = 0 if shift <= 1 else x & ((1 << (shift - 1)) - 1)
    return (x >> shift) + ((x >> (shift - 1)) & 1 & (int(below != 0) | (x >> shift) & 1))


@given(total=INT32, scale=SCALE)
@example(total=-3, scale=0.5)
@example(total=-(2**31), scale=float(np.nextafter(np.float32(1), np.float32(0))))
@example(total=2**31 - 1, scale=2.0**-31)
def test_tflite(total, scale):
    multiplier, shift = quantize_multiplier(scale)
    assert requantize_exact(total, scale, "tflite_double_rounding") == clamp(gemmlowp(total, multiplier, shift))
    once = (total * multiplier + (1 << (30 - shift))) >> (31 - shift)
    assert requantize_exact(total, scale, "tflite_single_rounding") == clamp(once)


@given(total=INT32, scale=SCALE, zero_point=st.integers(-128, 127))
@example(total=5, scale=0.5, zero_point=1)
@example(total=2**24 + 1, scale=2.0**-18, zero_point=0)
def test_xnnpack(total, scale, zero_point):
    got = requantize_exact(total, scale, "xnnpack_rndnu", zero_point=zero_point)
    assert got == clamp(xnnpack_rndnu(total, scale), zero_point)
    for rule in FLOATING:
        assert requantize_exact(total, scale, rule, zero_point=zero_point) == xnnpack_magic(total, scale, zero_point)


@given(total=INT32, shift=st.integers(0, 31))
def test_gemmini_shift(total, shift):
    assert requantize_exact(total, 2.0**-shift, "gemmini_shift") == clamp(gemmini_shift(total, shift))


@pytest.mark.parametrize("rule", RULES)
def test_kernel_equals_definition(rule):
    """Random sums, ties of every shift and their neighbours, and both ends of int32; one scale per column."""
    rng = np.random.default_rng(0)
    powers = np.exp2(-np.arange(1, 31, 3).astype(np.float64))
    scales = powers if rule == "gemmini_shift" else np.concatenate([powers, rng.uniform(2.0**-20, 0.9, 6)])
    scales = scales.astype(np.float32).astype(np.float64)
    ties = np.array([k << s >> 1 for s in range(1, 31) for k in (-3, -1, 1, 3, 101) if abs(k << s >> 1) < 2**31 - 1])
    random = rng.integers(-(2**31), 2**31, 60) >> rng.integers(0, 31, 60)
    column = np.concatenate([ties, ties + 1, ties - 1, random, [-(2**31), 2**31 - 1, 0, 1, -1]])
    sums = np.repeat(column[:, None], len(scales), axis=1)
    got = requantize(sums, scales, rule, zero_point=-7).view(np.int8)
    for i, total in enumerate(column):
        for j, scale in enumerate(scales):
            assert got[i, j] == requantize_exact(int(total), float(scale), rule, zero_point=-7)


def test_rules_differ_where_they_should():
    """A tie tells them apart: 2.5, -2.5, and a value that two roundings push over a tie."""
    ties = {rule: (requantize_exact(5, 0.5, rule), requantize_exact(-5, 0.5, rule)) for rule in RULES}
    assert ties["tflite_single_rounding"] == ties["xnnpack_rndnu"] == (3, -2)
    assert {ties[rule] for rule in (*FLOATING, "gemmini_shift")} == {(2, -2)}
    # Halves of the 31-bit multiplier: the first rounding already decides (ties up), the second has none left to round.
    assert ties["tflite_double_rounding"] == (3, -2)
    assert requantize_exact(-10, 0.25, "tflite_double_rounding") == -3
    assert requantize_exact(-10, 0.25, "tflite_single_rounding") == -2
    scale = 0.3
    exact = {t: Fraction(t) * Fraction(scale) for t in range(-400, 400)}
    once = {t: requantize_exact(t, scale, "tflite_single_rounding") for t in exact}
    twice = {t: requantize_exact(t, scale, "tflite_double_rounding") for t in exact}
    assert [t for t in exact if once[t] != twice[t]]


def test_scales_of_one_and_more():
    assert requantize_exact(3, 2.5, "tflite_double_rounding") == 8
    assert requantize([3, -3], 2.5, "tflite_double_rounding").view(np.int8).tolist() == [8, -7]
    assert requantize([3, -3], 2.5, "tflite_single_rounding").view(np.int8).tolist() == [8, -7]
    assert requantize([3, -3], 2.5, "onnxruntime").view(np.int8).tolist() == [8, -8]
    with pytest.raises(InputError, match="shifted left for a scale of 1 or more leaves int32"):
        requantize([2**30], 2.5, "tflite_double_rounding")


def test_multiplier_rounds_up_into_the_next_power_of_two():
    assert quantize_multiplier(1 - 2.0**-33) == (2**30, 1)
    assert quantize_multiplier(2.0**-40) == (0, 0)


def test_onnx_reference_multiplies_in_fp64():
    """The runtime's fp32 product rounds to a tie that the reference, in fp64, sees it is not."""
    found = [
        total
        for total in range(1, 40000)
        if requantize_exact(total, SCALE_OF_A_THIRD, "onnxruntime", zero_point=-128)
        != requantize_exact(total, SCALE_OF_A_THIRD, "onnx_reference", zero_point=-128)
    ]
    assert found
    for total in found:
        value = float(total) * SCALE_OF_A_THIRD
        assert requantize_exact(total, SCALE_OF_A_THIRD, "onnx_reference", zero_point=-128) == clamp(round(value), -128)


SCALE_OF_A_THIRD = float(np.float32(1 / 300))


def matmul_operands(seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (16, 64)).astype(np.int8)
    b = rng.integers(-128, 128, (64, 24)).astype(np.int8)
    a_scale, b_scale, spread = rng.uniform([0.001, 0.001, 400.0], [0.02, 0.02, 900.0]).astype(np.float32)
    return a, b, (a_scale, b_scale, a_scale * b_scale * spread)


@pytest.mark.parametrize("seed", range(6))
def test_onnxruntime_and_the_onnx_reference(seed):
    """QLinearMatMul of both, int8 x int8 -> int8, 384 results per seed."""
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    from onnx.reference import ReferenceEvaluator

    a, b, (a_scale, b_scale, y_scale) = matmul_operands(seed)
    zero_point = np.int8(seed - 3)
    names = ["a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "y_scale", "y_zero"]
    values = [a, a_scale, np.int8(3), b, b_scale, np.int8(0), y_scale, zero_point]
    feeds = dict(zip(names, map(np.asarray, values), strict=True))
    node = onnx.helper.make_node("QLinearMatMul", names, ["y"])
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in feeds.items()
    ]
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT8, (16, 24))
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "g", inputs, [output]),
        opset_imports=[onnx.helper.make_opsetid("", 21)],
        ir_version=10,
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    sums = (a.astype(np.int64) - 3) @ b.astype(np.int64)
    scale = np.float32(np.float32(a_scale * b_scale) / y_scale)
    for rule, run in (("onnxruntime", session.run), ("onnx_reference", ReferenceEvaluator(model).run)):
        got = requantize(sums, float(scale), rule, zero_point=int(zero_point)).view(np.int8)
        assert len(np.unique(got)) > 100
        np.testing.assert_array_equal(got, run(None, feeds)[0])


def test_bad_input_is_refused():
    with pytest.raises(InputError, match=r"requantization is 'tflite_double'.*nearest: tflite_double_rounding"):
        requantize([1], 0.5, "tflite_double")
    with pytest.raises(InputError, match="sums have dtype float64, must be integers"):
        requantize([1.5], 0.5, "onnxruntime")
    with pytest.raises(InputError, match="sums reach beyond int32"):
        requantize([2**31], 0.5, "onnxruntime")
    with pytest.raises(InputError, match="scale is 0, onnxruntime takes"):
        requantize([1], 0.0, "onnxruntime")
    with pytest.raises(InputError, match="scale is nan"):
        requantize([1], float("nan"), "onnxruntime")
    with pytest.raises(InputError, match=r"scale is 1, xnnpack_rndnu takes 2\.32831e-10 up to 1;"):
        requantize([1], 1.0, "xnnpack_rndnu")
    with pytest.raises(InputError, match="which fp32 has not"):
        requantize([1], 0.1, "onnxruntime")
    with pytest.raises(InputError, match="a scale must be a power of two"):
        requantize([1], 0.75, "gemmini_shift")
    with pytest.raises(InputError, match=r"zero point is 300, must be -128\.\.127"):
        requantize([1], 0.5, "onnxruntime", zero_point=300)
    with pytest.raises(InputError, match="output is 'e4m3', must be an integer format"):
        requantize([1], 0.5, "onnxruntime", output="e4m3")


def test_shapes_and_unsigned_output():
    assert requantize(np.int32(5), 0.5, "onnxruntime").shape == ()
    got = requantize(np.array([[[300, -300]]], np.int32), [0.5, 0.25], "gemmini_shift", zero_point=10, output="uint8")
    assert got.tolist() == [[[160, 0]]]
    assert requantize(np.zeros((0, 3), np.int32), 0.5, "onnxruntime").shape == (0, 3)
