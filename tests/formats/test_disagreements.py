"""Where other libraries differ from exact rounding: what they return is recorded, what we return is right.

Each row: library, format, input, what it made of it, what exact rounding to nearest even with saturation makes of it.
Measured with: ml_dtypes 0.6.0, torch 2.13, torchao 0.18, gfloat 0.5.2, qtorch 0.3.0, pychop 0.6.2, APyTypes 0.5.1,
CPFloat 3583976, microxcaling 7bc4195, mptorch b8e4dc8, FP8-Emulation-Toolkit, compressed-tensors 0.20, Quark 0.13,
ModelOpt 0.47, Brevitas 0.13.4.
"""

import math
from fractions import Fraction

import gfloat
import ml_dtypes
import numpy as np
import pytest
from gfloat import formats as gformats
from gfloat.types import RoundMode

from simhw.formats import (
    Rounding,
    ScaleRule,
    decode,
    encode,
    encode_exact,
    get_block_format,
    get_element_format,
    p3109_format,
    quantize_block_exact,
    quantize_blocks,
    round_to,
)

CASTS = [
    ("ml_dtypes astype", "e4m3", 464.00003, math.nan, 448.0),
    ("ml_dtypes astype", "e5m2", 64508.0, math.inf, 57344.0),
    ("torch to(float8_e5m2)", "e5m2", 61440.0, math.inf, 57344.0),
    ("qtorch, ties away", "e4m3", 1.0625, 1.125, 1.0),
    ("qtorch, subnormals round twice", "e4m3", 0.00097656232, 0.001953125, 0.0),
    ("qtorch, subnormals round twice", "e4m3", 0.0029296867, 0.00390625, 0.001953125),
    ("qtorch, has no NaN", "e4m3", math.nan, 480.0, math.nan),
    ("qtorch, largest value", "e4m3", math.inf, 480.0, 448.0),
    ("qtorch, largest value", "e5m2", 1e6, 114688.0, 57344.0),
    ("pychop Chop(4,3), first binade above its largest", "e4m3", 256.0, 0.0, 256.0),
    ("pychop Chop(4,3), first binade above its largest", "e4m3", 448.0, 0.0, 448.0),
    ("pychop Chop(4,3)", "e4m3", 1e6, math.inf, 448.0),
    ("pychop Chop, first binade above its largest", "e2m1", 4.0, 0.0, 4.0),
    ("pychop Chop, subnormal ties", "e4m3", 0.00097656262, 0.0, 0.001953125),
    ("APyFloat(4,3), IEEE-like", "e4m3", 256.0, math.inf, 256.0),
    ("mptorch, IEEE-like", "e4m3", 256.0, 240.0, 256.0),
    ("CPFloat, no exception for the NaN code", "e4m3", 464.00003, 480.0, 448.0),
    ("torchao _f32_to_floatx", "e4m3", 465.0, 480.0, 448.0),
    ("torchao _f32_to_floatx", "e4m3", math.nan, 1.5, math.nan),
    ("microxcaling even, rounds twice", "e4m3", 0.00097656244, 0.001953125, 0.0),
    ("microxcaling even, saturating", "e4m3", math.inf, math.inf, 448.0),
    ("compressed-tensors", "e2m1", math.inf, math.nan, 6.0),
    ("FP8-Emulation-Toolkit, no E4M3 value", "e4m3", 0.0029296875, 0.0029296875, 0.00390625),
    ("FP8-Emulation-Toolkit", "e4m3", 0.016601564, 0.015625, 0.017578125),
    ("FP8-Emulation-Toolkit", "e4m3", math.nan, 448.0, math.nan),
    ("FP8-Emulation-Toolkit", "e5m2", 6.87e-5, 6.103515625e-05, 7.62939453125e-05),
    ("ModelOpt, ties toward zero", "e2m1", 0.75, 0.5, 1.0),
    ("ModelOpt, ties toward zero", "e2m1", 3.5, 3.0, 4.0),
    ("ml_dtypes e8m0, subnormal inputs twice too large", "e8m0", 8.000998e-39, 2.0**-126, 2.0**-127),
]


@pytest.mark.parametrize(("library", "name", "value", "theirs", "expected"), CASTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_casts(library, name, value, theirs, expected, dtype):
    given = dtype(np.float32(value))
    made = float(round_to(given, name))
    assert made == expected or (math.isnan(made) and math.isnan(expected))
    assert made != theirs, library
    if math.isfinite(value):
        # The expected column is right by itself: no value of the format is nearer to the input.
        fmt = get_element_format(name)
        values = decode(np.arange(fmt.code_count), fmt).astype(np.float64)
        distances = [abs(Fraction(v) - Fraction(float(given))) for v in values[np.isfinite(values)].tolist()]
        assert abs(Fraction(expected) - Fraction(float(given))) == min(distances)


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e2m1", "e2m3", "e3m2"])
def test_zeros_and_underflow_keep_their_sign(name):
    # qtorch, microxcaling, compressed-tensors, qonnx and Quark make +0 of them; ModelOpt makes code 0x8 of +0.
    fmt = get_element_format(name)
    for value, code in [(0.0, 0), (-0.0, fmt.sign_bit), (1e-30, 0), (-1e-30, fmt.sign_bit)]:
        for dtype in (np.float32, np.float64):
            assert encode(dtype(value), name) == code


def test_all_ties_of_e4m3_go_to_the_even_code():
    # microxcaling's default "nearest" sends all of them away from zero.
    values = decode(np.arange(0x7F), "e4m3").astype(np.float64)
    ties = (values[1:] + values[:-1]) / 2
    made = encode(ties, "e4m3")
    assert len(ties) == 126
    assert (made % 2 == 0).all()
    assert (np.abs(made.astype(int) - np.arange(126) - 0.5) == 0.5).all()


def test_e8m0_of_zero_and_of_negative_values_is_named_by_the_policy():
    values = np.array([0.0, -1.0, np.inf], dtype=np.float32)
    theirs = values.astype(ml_dtypes.float8_e8m0fnu).view(np.uint8)
    assert theirs.tolist() == [0xFF, 0xFF, 0xFF]
    assert encode(values, "e8m0", overflow="nan").tolist() == theirs.tolist()
    assert encode(values, "e8m0").tolist() == [0, 0, 0xFE]


def test_e8m0_of_float32_subnormals():
    # The tie between 2**-127 and 2**-126 is 1.5 * 2**-127, itself a float32 subnormal: ml_dtypes rounds up below it.
    words = np.arange(0x00200000, 0x00800000, 4099, dtype=np.uint32)
    made = encode(words.view(np.float32), "e8m0")
    fmt = get_element_format("e8m0")
    assert made.tolist() == [encode_exact(float(value), fmt) for value in words.view(np.float32)]
    assert (made != words.view(np.float32).astype(ml_dtypes.float8_e8m0fnu).view(np.uint8)).any()


def test_ties_away_of_float64_just_below_a_tie():
    # gfloat adds 1/2 to the fraction in float64, which rounds up to a tie what lies just below it.
    fmt = p3109_format(bits=8, precision=3, signed=False, extended=False)
    below = math.nextafter(2.0**-34, 0.0)
    theirs = gformats.format_info_p3109(8, 3, gfloat.types.Signedness.Unsigned, gfloat.Domain.Finite)
    assert gfloat.round_float(theirs, below, RoundMode.TiesToAway) == 2.0**-33
    assert round_to(below, fmt, rounding="nearest_away") == 0.0
    assert encode_exact(below, fmt, Rounding.NEAREST_AWAY) == 0


def test_shared_exponent_of_the_last_value_below_a_power_of_two():
    # microxcaling, Quark, pychop and gfloat (float32 input) take floor(log2 amax) in float32: one too large.
    wrong = 0
    for exponent in range(-74, 74, 2):
        amax = np.nextafter(np.float32(2.0**exponent), np.float32(0))
        by_logarithm = int(np.floor(np.log2(amax))) - 2 + 127
        made = quantize_blocks([amax], "mxfp4").scales[0]
        expected, _ = quantize_block_exact([float(amax)], get_block_format("mxfp4"), ScaleRule.FLOOR)
        assert made == expected == exponent - 1 - 2 + 127
        wrong += by_logarithm != expected
    assert wrong >= 70


def test_elements_below_a_power_of_two_keep_their_bits():
    # The scale that is one too large costs an element one bit: 7.24e-32 became 9.86e-32 instead of 4.93e-32.
    amax = np.nextafter(np.float32(2.0**-100), np.float32(0))
    values = np.array([amax, amax / 10], dtype=np.float32)
    made = quantize_blocks(values, "mxfp4")
    assert made.scales[0] == 127 - 101 - 2
    assert made.decode()[1] == round_to(values[1] * 2.0**103, "e2m1") * 2.0**-103


@pytest.mark.parametrize(("name", "largest"), [("mxfp8_e4m3", 448.0), ("mxfp4", 6.0)])
def test_round_up_scale_just_above_the_largest_element(name, largest):
    # torchao RCEIL (784 of 960 probes) and ModelOpt MXFP4 (768) take ceil(log2()) in float32: one too small.
    for exponent in range(-100, 60):
        amax = np.nextafter(np.float32(largest * 2.0**exponent), np.float32(np.inf))
        made = quantize_blocks([amax], name, scale_rule="round_up")
        assert made.scales[0] == exponent + 1 + 127


def test_blocks_at_the_smallest_scale():
    # torchao stores 2**-127 but divides by 2**-126, which halves the values; Brevitas flushes below about 6e-11.
    values = np.array([2.0**-120, -(2.0**-121), 2.0**-125], dtype=np.float32)
    made = quantize_blocks(values, "mxfp8_e4m3")
    assert made.scales[0] == 0
    assert (made.decode() == values).all()
    small = np.array([5e-11, 1e-12], dtype=np.float32)
    assert np.allclose(quantize_blocks(small, "mxfp8_e4m3").decode(), small, rtol=1 / 16, atol=0)


def test_zero_and_infinity_in_a_block_are_defined():
    # ModelOpt encodes 0.0 as -0; torchao and Quark make -0 or NaN of everything beside an infinity.
    made = quantize_blocks(np.array([0.0, 1.0, -0.0], dtype=np.float32), "mxfp4")
    assert made.codes.tolist() == [0, encode(4.0, "e2m1"), 8]
    made = quantize_blocks(np.array([np.inf, 3e38, 1.0], dtype=np.float32), "mxfp4")
    assert made.decode().tolist() == [6 * 2.0**125, 6 * 2.0**125, 0.0]
