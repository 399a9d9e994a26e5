"""Block quantization against its definition in fractions, and at the corners that others get wrong."""

import itertools
from fractions import Fraction

import gfloat
import numpy as np
import pytest
import torch
from gfloat import formats as gformats

from simhw.errors import InputError
from simhw.formats import (
    Overflow,
    Rounding,
    ScaleRule,
    decode,
    decode_exact,
    encode_exact,
    get_block_format,
    pack_codes,
    quantize_block_exact,
    quantize_blocks,
    tensor_scale_exact,
)
from simhw.formats.block_definition import LARGEST_FLOAT32
from simhw.formats.kernels import random_bits

NAMES = [
    "mxfp8_e4m3",
    "mxfp8_e5m2",
    "mxfp6_e3m2",
    "mxfp6_e2m3",
    "mxfp4",
    "mxint8",
    "nvfp4",
    "e2m1_e4m3_b16",
    "int4_fp16_b7",
    "nf4_fp32_b64",
    "flint4_e5m2_b8",
    "e4m3fnuz_e8m0_b32",
    "int8_bf16_b32",
    "e4m3_fp32_b128",
    "uint4_ue5m3fn_b5",
]
POWERS = [ScaleRule.FLOOR, ScaleRule.CEIL, ScaleRule.EVEN, ScaleRule.ROUND_UP]


def hostile_rows(length: int, dtype: type, seed: int) -> np.ndarray:
    """Rows of extreme spread, of ties, of neighbours of powers of two, of zeros, subnormals, infinities and NaN."""
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        rows = (rng.standard_normal((11, length)) * 2.0 ** rng.integers(-20, 20, (11, 1))).astype(dtype)
        rows[1] = 0
        rows[2] = rng.integers(-8, 9, length)
        rows[3, 0] = np.inf
        rows[4] = 2.0 ** rng.integers(-149, 127, length)
        rows[5] = np.nextafter(dtype(2.0) ** rng.integers(-100, 100, length).astype(dtype), dtype(0))
        rows[6] *= dtype(2.0**-140)
        rows[7, 3] = np.nan
        rows[8, 0] = -0.0
        rows[9] = rows[9].astype(np.float16)
        rows[9][~np.isfinite(rows[9])] = 65504
        rows[10, -1] = -np.inf
    return rows


def check(rows: np.ndarray, name: str, rule: ScaleRule, rounding: Rounding, infinite: Overflow) -> None:
    fmt = get_block_format(name)
    made = quantize_blocks(rows, fmt, scale_rule=rule, rounding=rounding, infinite=infinite)
    per_row = -(-rows.shape[1] // fmt.block_size)
    assert made.codes.shape == rows.shape
    assert made.scales.shape == (rows.shape[0], per_row)
    scale = Fraction(1)
    if fmt.has_tensor_scale:
        skip_infinite = infinite is Overflow.NAN
        known = [
            value for value in rows.ravel().tolist() if value == value and not (skip_infinite and abs(value) == np.inf)
        ]
        magnitudes = [LARGEST_FLOAT32 if abs(value) == np.inf else abs(Fraction(value)) for value in known]
        scale = tensor_scale_exact(max(magnitudes), fmt)
    assert Fraction(float(made.tensor_scale)) == scale
    for row, block in itertools.product(range(rows.shape[0]), range(per_row)):
        span = slice(block * fmt.block_size, (block + 1) * fmt.block_size)
        scale_code, codes = quantize_block_exact(rows[row, span].tolist(), fmt, rule, rounding, infinite, scale)
        assert made.scales[row, block] == scale_code
        assert made.codes[row, span].tolist() == codes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_blocks_are_quantized_as_defined(name, dtype):
    fmt = get_block_format(name)
    rows = hostile_rows(min(fmt.block_size * 2 + 3, 80), dtype, 3)
    for rule in POWERS if fmt.scale_rule is ScaleRule.FLOOR else ScaleRule:
        check(rows, name, rule, Rounding.NEAREST_EVEN, Overflow.SATURATE)


@pytest.mark.parametrize("name", ["mxfp4", "mxint8", "nvfp4", "nf4_fp32_b64", "int4_fp16_b7"])
@pytest.mark.parametrize("rounding", [rounding for rounding in Rounding if rounding is not Rounding.STOCHASTIC])
def test_all_roundings_of_elements(name, rounding):
    rows = hostile_rows(70, np.float32, 4)
    check(rows, name, get_block_format(name).scale_rule, rounding, Overflow.NAN)


@pytest.mark.parametrize("exponent", range(-126, 128))
def test_floor_rule_just_below_a_power_of_two(exponent):
    # float32 log2 of the last value below 2**k is k: libraries that use it make the scale twice too large.
    below = np.nextafter(np.float32(2.0) ** np.float32(exponent), np.float32(0))
    for name, emax in [("mxfp8_e4m3", 8), ("mxfp8_e5m2", 15), ("mxfp4", 2), ("mxint8", 0)]:
        made = quantize_blocks([below, 0.0], name)
        assert made.scales[0] == max(exponent - 1 - emax + 127, 0)
        exact = quantize_blocks([np.float32(2.0) ** np.float32(exponent), 0.0], name)
        assert exact.scales[0] == max(exponent - emax + 127, 0)


@pytest.mark.parametrize(("name", "largest"), [("mxfp8_e4m3", 448.0), ("mxfp4", 6.0), ("mxfp8_e5m2", 57344.0)])
def test_round_up_rule_around_the_largest_element(name, largest):
    for exponent in range(-100, 100):
        amax = np.float32(largest * 2.0**exponent)
        above = np.nextafter(amax, np.float32(np.inf))
        assert quantize_blocks([amax], name, scale_rule="round_up").scales[0] == exponent + 127
        assert quantize_blocks([above], name, scale_rule="round_up").scales[0] == exponent + 128
        assert np.abs(quantize_blocks([above], name, scale_rule="round_up").decode()) <= above * 1.125


def test_zero_blocks_have_the_smallest_scale_and_keep_signs():
    made = quantize_blocks(np.array([[0.0, -0.0, 0.0]]), "mxfp4")
    assert made.scales.tolist() == [[0]]
    assert made.codes.tolist() == [[0, 8, 0]]
    nvfp4 = quantize_blocks(np.zeros((2, 16)), "nvfp4")
    assert nvfp4.tensor_scale == 1.0
    assert decode(nvfp4.scales, "e4m3").tolist() == [[2.0**-6], [2.0**-6]]


def test_nan_makes_its_block_nan_and_no_other():
    values = np.ones((1, 96), np.float32)
    values[0, 40] = np.nan
    for name in ["mxfp8_e4m3", "mxint8", "nvfp4"]:
        made = quantize_blocks(values, name)
        size = made.format.block_size
        nan = np.isnan(made.decode()).reshape(-1, size)
        assert nan[40 // size].all()
        assert np.delete(nan, 40 // size, axis=0).sum() == 0
        assert made.scales.ravel()[40 // size] == made.format.scale.nan_code
    assert quantize_blocks(values, "mxfp4").scales.ravel()[1] == 0xFF


def test_infinity_counts_as_the_largest_float32():
    values = np.array([1.0, -np.inf] + [0.0] * 30, dtype=np.float32)
    made = quantize_blocks(values, "mxfp8_e4m3")
    assert made.scales.tolist() == [127 + 127 - 8]
    assert made.decode().tolist()[:2] == [0.0, -448.0 * 2.0**119]
    assert np.isnan(quantize_blocks(values, "mxfp8_e4m3", infinite="nan").decode()).all()


def test_a_block_at_the_bottom_of_float32_keeps_its_values():
    # Some divide by 2**-126 while they store 2**-127, and return half of it.
    values = np.float32(2.0**-126) * np.array([1.0, 0.5, 1.5, 0.25], dtype=np.float32)
    for name in ["mxfp8_e4m3", "mxfp8_e5m2"]:
        assert (quantize_blocks(values, name).decode() == values).all()
    tiny = np.array([6e-11, 3e-11, -1e-12], dtype=np.float32)
    assert (np.abs(quantize_blocks(tiny, "mxfp8_e4m3").decode() / tiny - 1) < 1 / 16).all()


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_any_axis_and_ragged_blocks(axis):
    values = np.random.default_rng(3).standard_normal((5, 37, 3)).astype(np.float32)
    made = quantize_blocks(values, "mxfp4", axis=axis)
    length = values.shape[axis]
    expected = list(values.shape)
    expected[axis] = -(-length // 32)
    assert made.scales.shape == tuple(expected)
    assert made.codes.shape == values.shape
    assert made.axis == axis % 3
    last = np.ascontiguousarray(np.moveaxis(values, axis, -1))
    flat = quantize_blocks(last, "mxfp4")
    assert (np.moveaxis(made.codes, axis, -1) == flat.codes).all()
    assert (np.moveaxis(made.decode(), axis, -1) == flat.decode()).all()
    padded = np.zeros((*last.shape[:-1], -(-length // 32) * 32), np.float32)
    padded[..., :length] = last
    assert (quantize_blocks(padded, "mxfp4").scales == flat.scales).all()
    assert (quantize_blocks(padded, "mxfp4").codes[..., :length] == flat.codes).all()


def test_zero_size_and_layouts():
    assert quantize_blocks(np.zeros((0, 5)), "mxfp4").scales.shape == (0, 1)
    assert quantize_blocks(np.zeros((3, 0)), "nvfp4").scales.shape == (3, 0)
    assert quantize_blocks(np.zeros((3, 0)), "nvfp4").decode().shape == (3, 0)
    values = np.random.default_rng(0).standard_normal((64, 96))
    plain = quantize_blocks(values, "mxfp6_e2m3")
    for other in (np.asfortranarray(values), values.astype(">f8"), values.repeat(2, axis=0)[::2], values.tolist()):
        assert (quantize_blocks(other, "mxfp6_e2m3").codes == plain.codes).all()


def test_threads_change_nothing():
    values = np.random.default_rng(1).standard_normal((1500, 2048)).astype(np.float32)
    for name in ["mxfp4", "nvfp4"]:
        one, four = quantize_blocks(values, name), quantize_blocks(values, name, threads=4)
        assert (one.codes == four.codes).all()
        assert (one.scales == four.scales).all()
    rows = values[:1100]
    one = quantize_blocks(rows, "mxfp8_e4m3", rounding="stochastic", seed=1)
    assert (one.codes == quantize_blocks(rows, "mxfp8_e4m3", rounding="stochastic", seed=1, threads=3).codes).all()
    assert (one.codes != quantize_blocks(rows, "mxfp8_e4m3", rounding="stochastic", seed=2).codes).any()


@pytest.mark.parametrize("name", ["mxfp4", "mxint8", "nvfp4", "e4m3_bf16_b12"])
def test_stochastic_elements_as_defined(name):
    fmt = get_block_format(name)
    values = np.random.default_rng(21).standard_normal((7, fmt.block_size * 2))
    made = quantize_blocks(values, name, rounding="stochastic", random_bits=12, seed=99)
    nearest = quantize_blocks(values, name)
    assert (made.scales == nearest.scales).all()
    flat = zip(values.ravel().tolist(), np.repeat(made.scales.ravel(), fmt.block_size), made.codes.ravel(), strict=True)
    for place, (value, scale_code, code) in enumerate(flat):
        scale = decode_exact(int(scale_code), fmt.scale) * Fraction(float(made.tensor_scale))
        draw = random_bits(99, place, 12)
        assert code == encode_exact(Fraction(value) / scale, fmt.element, Rounding.STOCHASTIC, draw=draw, draw_bits=12)
    assert (made.codes != nearest.codes).any()
    with pytest.raises(InputError, match=r"random_bits is 32, must be 1\.\."):
        quantize_blocks(values, "int21_bf16_b4", rounding="stochastic", random_bits=32)


def test_given_tensor_scale_is_used():
    values = np.linspace(-3, 3, 64).astype(np.float32)
    made = quantize_blocks(values, "nvfp4", tensor_scale=0.25)
    assert made.tensor_scale == 0.25
    for block in range(4):
        span = slice(block * 16, block * 16 + 16)
        fmt = get_block_format("nvfp4")
        scale, codes = quantize_block_exact(values[span].tolist(), fmt, ScaleRule.AMAX, tensor_scale=Fraction(1, 4))
        assert (scale, codes) == (made.scales[block], made.codes[span].tolist())


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("mxfp8_e5m2", gformats.format_info_mxfp8_e5m2),
        ("mxfp8_e4m3", gformats.format_info_mxfp8_e4m3),
        ("mxfp6_e3m2", gformats.format_info_mxfp6_e3m2),
        ("mxfp6_e2m3", gformats.format_info_mxfp6_e2m3),
        ("mxfp4", gformats.format_info_mxfp4_e2m1),
    ],
)
def test_gfloat_makes_the_same_blocks_of_float64(name, theirs):
    rng = np.random.default_rng(8)
    for _ in range(60):
        values = rng.standard_normal(32) * 2.0 ** rng.integers(-30, 30)
        scale = gfloat.compute_scale_amax(theirs.etype.emax, values)
        fields = list(gfloat.encode_block(theirs, scale, values / scale))
        made = quantize_blocks(values, name)
        assert [made.scales[0], *made.codes.tolist()] == fields


def test_onnx_reference_quantizes_blocks_alike():
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    values = np.random.default_rng(6).standard_normal((8, 96)).astype(np.float32) * 5
    for name, target in [("mxfp8_e4m3", "FLOAT8E4M3FN"), ("mxfp8_e5m2", "FLOAT8E5M2"), ("mxfp4", "FLOAT4E2M1")]:
        made = quantize_blocks(values, name)
        scales = decode(made.scales, "e8m0")
        kind = getattr(onnx.TensorProto, target)
        node = onnx.helper.make_node(
            "QuantizeLinear", ["x", "s"], ["y"], axis=1, block_size=32, output_dtype=kind, saturate=1
        )
        inputs = [onnx.helper.make_tensor_value_info(key, 1, None) for key in "xs"]
        graph = onnx.helper.make_graph([node], "g", inputs, [onnx.helper.make_tensor_value_info("y", kind, None)])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 23)])
        (theirs,) = reference.ReferenceEvaluator(model).run(None, {"x": values, "s": scales})
        assert (theirs.view(np.uint8) == made.codes).all()


@pytest.mark.parametrize("rule", POWERS)
def test_torchao_makes_the_same_mx_blocks(rule):
    torchao = pytest.importorskip("torchao.prototype.mx_formats.mx_tensor")
    modes = pytest.importorskip("torchao.prototype.mx_formats.config").ScaleCalculationMode
    mode = modes.RCEIL if rule is ScaleRule.ROUND_UP else modes[rule.name]
    rng = np.random.default_rng(0)
    values = (rng.standard_normal((500, 96)) * 2.0 ** rng.integers(-20, 20, (500, 1))).astype(np.float32)
    for name, dtype in [
        ("mxfp8_e4m3", torch.float8_e4m3fn),
        ("mxfp8_e5m2", torch.float8_e5m2),
        ("mxfp4", torch.float4_e2m1fn_x2),
    ]:
        scales, codes = torchao.to_mx(torch.from_numpy(values), dtype, 32, mode)
        made = quantize_blocks(values, name, scale_rule=rule)
        ours = pack_codes(made.codes, "e2m1") if name == "mxfp4" else made.codes
        assert (scales.view(torch.uint8).numpy() == made.scales).all()
        assert (codes.view(torch.uint8).numpy() == ours).all()


def test_torchao_makes_the_same_nvfp4_blocks():
    torchao = pytest.importorskip("torchao.prototype.mx_formats.nvfp4_tensor")
    tensor = torch.from_numpy(np.random.default_rng(0).standard_normal((500, 96)).astype(np.float32))
    scales, codes = torchao.nvfp4_quantize(tensor, 16, torchao.per_tensor_amax_to_scale(tensor.abs().max()))
    made = quantize_blocks(tensor, "nvfp4")
    # It rounds three times in float32 where we round once: no value of this tensor lies that near a boundary.
    assert (scales.view(torch.uint8).numpy() == made.scales).all()
    assert (codes.view(torch.uint8).numpy() == pack_codes(made.codes, "e2m1")).all()


def test_decode_is_exact_in_float64_and_rounds_once():
    values = np.random.default_rng(9).standard_normal((4, 64)).astype(np.float32)
    made = quantize_blocks(values, "nvfp4")
    exact = made.decode(np.float64)
    elements = decode(made.codes, "e2m1").astype(np.float64).reshape(4, 4, 16)
    scales = decode(made.scales, "e4m3").astype(np.float64)[..., None]
    assert (exact.reshape(4, 4, 16) == elements * (scales * float(made.tensor_scale))).all()
    assert (made.decode() == exact.astype(np.float32)).all()
    assert np.abs(exact - values).max() < 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantize_blocks(1.0, "mxfp4"), "0 axes"),
        (lambda: quantize_blocks([1.0], "mxfp4", axis=1), "axis is 1"),
        (lambda: quantize_blocks([1.0], "e4m3"), "e4m3 is an element format"),
        (lambda: quantize_blocks([1.0], "mxfp5"), "nearest: mxfp"),
        (
            lambda: quantize_blocks([1.0], "mxfp4", scale_rule="log2"),
            "must be one of: floor, ceil, even, round_up, amax",
        ),
        (lambda: quantize_blocks([1.0], "mxfp4", infinite="wrap"), "must be 'saturate' or 'nan'"),
        (lambda: quantize_blocks([1.0], "mxfp4", tensor_scale=2.0), "mxfp4 has none"),
        (lambda: quantize_blocks([1.0], "nvfp4", tensor_scale=0.0), "positive finite float32"),
        (lambda: quantize_blocks([1.0], "nvfp4", tensor_scale=0.1), "positive finite float32"),
        (lambda: quantize_blocks([1.0], "mxfp4", threads=0), "threads is 0"),
        (lambda: quantize_blocks([np.nan], "e2m1_e3m2_b4"), "replace them"),
        (lambda: get_block_format("int32_e8m0_b4"), "at most 26"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
