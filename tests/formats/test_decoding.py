"""Every code of every format up to 16 bits: against the definition, ml_dtypes, gfloat; wider ones at their joints."""

import math
from fractions import Fraction

import gfloat
import ml_dtypes
import numpy as np
import pytest
from gfloat import formats as gformats

from simhw.formats import (
    FloatFormat,
    decode,
    decode_exact,
    float_format,
    get_element_format,
    p3109_format,
    view_as_dtype,
)
from simhw.formats.catalog import ELEMENTS
from simhw.formats.decoding import value_table

ML_DTYPES = {
    "int2": "int2",
    "int4": "int4",
    "uint2": "uint2",
    "uint4": "uint4",
    "e4m3": "float8_e4m3fn",
    "e5m2": "float8_e5m2",
    "e4m3_ieee": "float8_e4m3",
    "e3m4": "float8_e3m4",
    "e4m3fnuz": "float8_e4m3fnuz",
    "e5m2fnuz": "float8_e5m2fnuz",
    "e4m3b11fnuz": "float8_e4m3b11fnuz",
    "e8m0": "float8_e8m0fnu",
    "e2m3": "float6_e2m3fn",
    "e3m2": "float6_e3m2fn",
    "e2m1": "float4_e2m1fn",
    "bf16": "bfloat16",
}


def same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Equal values, equal signs (of zeros too), NaN at the same places."""
    nan = np.isnan(theirs)
    numbers = np.where(nan, 0.0, ours), np.where(nan, 0.0, theirs)
    return bool(
        (np.isnan(ours) == nan).all()
        and (numbers[0] == numbers[1]).all()
        and (np.signbit(numbers[0]) == np.signbit(numbers[1])).all()
    )


def exact_values(fmt, codes) -> np.ndarray:
    values = [decode_exact(int(code), fmt) for code in codes]
    floats = [float(value) for value in values]
    assert all(Fraction(made) == value for made, value in zip(floats, values, strict=True) if math.isfinite(value))
    return np.array(floats)


def test_every_code_decodes_as_defined(countable_element):
    codes = np.arange(countable_element.code_count)
    values = decode(codes, countable_element)
    assert values.dtype == (np.float32 if countable_element.exact_in_float32 else np.float64)
    assert same(values.astype(np.float64), exact_values(countable_element, codes))


@pytest.mark.parametrize("name", ["tf32", "fp32", "int17", "int24", "uint24", "int25", "uint32", "int32", "e11m20"])
def test_wide_formats_decode_as_defined(name):
    fmt = get_element_format(name)
    count = fmt.code_count
    spread = np.linspace(0, count - 1, 4001).astype(np.int64)
    joints = [0, 1, count // 2 - 1, count // 2, count - 1]
    if isinstance(fmt, FloatFormat):
        joints += [fmt.max_code + step for step in (-1, 0, 1, 2)] + [
            fmt.first_normal_code + step for step in (-1, 0, 1)
        ]
    codes = np.unique(np.array([*spread, *joints]))
    assert same(decode(codes, fmt).astype(np.float64), exact_values(fmt, codes))


@pytest.mark.parametrize("name", ML_DTYPES)
def test_every_code_decodes_as_in_ml_dtypes(name):
    fmt = get_element_format(name)
    codes = np.arange(fmt.code_count).astype(fmt.code_dtype)
    theirs = codes.view(getattr(ml_dtypes, ML_DTYPES[name])).astype(np.float32)
    assert same(decode(codes, name), theirs)
    assert view_as_dtype(codes, fmt).dtype == getattr(ml_dtypes, ML_DTYPES[name])


@pytest.mark.parametrize("bits", [3, 4, 6, 8, 11])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("extended", [True, False])
def test_every_code_of_p3109_decodes_as_in_gfloat(bits, signed, extended):
    for precision in range(1, bits if signed else bits + 1):
        specials = int(extended) + int(not signed)
        if specials >= 1 << (bits - int(signed)) or (bits - precision == 0 and specials > (1 << bits) - 2):
            continue  # nothing but zero and specials left
        if bits + int(not signed) - precision > 9:
            continue  # beyond float64
        ours = p3109_format(bits=bits, precision=precision, signed=signed, extended=extended)
        signedness = gfloat.types.Signedness.Signed if signed else gfloat.types.Signedness.Unsigned
        domain = gfloat.Domain.Extended if extended else gfloat.Domain.Finite
        theirs = gformats.format_info_p3109(bits, precision, signedness, domain)
        assert ours.name == theirs.name
        values = np.array([gfloat.decode_float(theirs, code).fval for code in range(1 << bits)])
        assert same(decode(np.arange(1 << bits), ours).astype(np.float64), values), ours.name


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("e4m3", gformats.format_info_ocp_e4m3),
        ("e5m2", gformats.format_info_ocp_e5m2),
        ("e2m3", gformats.format_info_ocp_e2m3),
        ("e3m2", gformats.format_info_ocp_e3m2),
        ("e2m1", gformats.format_info_ocp_e2m1),
        ("e8m0", gformats.format_info_ocp_e8m0),
        ("mxint8_element", gformats.format_info_ocp_int8),
    ],
)
def test_every_ocp_code_decodes_as_in_gfloat(name, theirs):
    values = np.array([gfloat.decode_float(theirs, code).fval for code in range(1 << theirs.k)])
    assert same(decode(np.arange(1 << theirs.k), name).astype(np.float64), values)


def test_ieee_formats_are_those_of_numpy():
    halves = np.arange(1 << 16, dtype=np.uint16)
    assert same(decode(halves, "fp16"), halves.view(np.float16).astype(np.float32))
    words = np.arange(0, 1 << 32, 65_521, dtype=np.uint32)
    assert same(decode(words, "fp32"), words.view(np.float32))
    tensor_floats = np.arange(1 << 19, dtype=np.uint32)
    assert same(decode(tensor_floats, "tf32"), (tensor_floats << 13).view(np.float32))
    assert (view_as_dtype(words[:9], get_element_format("fp32")) == words[:9].view(np.float32)).sum() >= 8


def test_any_exmy_with_ieee_specials_equals_the_catalogue():
    codes = np.arange(1 << 16)
    for made, named in [("e5m10", "fp16"), ("e8m7", "bf16")]:
        assert same(decode(codes, made), decode(codes, named))
    assert same(decode(codes[:256], "e4m3_ieee"), decode(codes[:256], float_format(exponent_bits=4, mantissa_bits=3)))
    fnuz = float_format(exponent_bits=4, mantissa_bits=3, bias=11, infinity=False, nan="negative_zero")
    assert same(decode(codes[:256], "e4m3b11fnuz"), decode(codes[:256], fnuz))


@pytest.mark.parametrize("name", ELEMENTS)
def test_every_code_is_decoded_as_the_table_says(name):
    """Whatever kernel runs; codes in every place of a vector, the last one not full."""
    fmt = ELEMENTS[name]
    if fmt.bits > 16:
        pytest.skip("no table")
    codes = np.resize(np.arange(fmt.code_count, dtype=fmt.code_dtype), max(fmt.code_count, 64) * 2 + 37)
    expected = value_table(fmt)[codes]
    kind = f"u{expected.dtype.itemsize}"
    assert (decode(codes, fmt).view(kind) == expected.view(kind)).all()
    assert decode(codes[:0], fmt).shape == (0,)
    assert decode(codes[3:4], fmt).tobytes() == expected[3:4].tobytes()
