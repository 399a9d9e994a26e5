"""Every PE's product equals the product of the decoded values, decoded by NumPy and ml_dtypes."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.pes import get_pe

DTYPES = {
    "fp32": (np.uint32, np.float32),
    "fp16": (np.uint16, np.float16),
    "bf16": (np.uint16, ml_dtypes.bfloat16),
    "e4m3": (np.uint8, ml_dtypes.float8_e4m3fn),
    "e5m2": (np.uint8, ml_dtypes.float8_e5m2),
    "e2m1": (np.uint8, ml_dtypes.float4_e2m1fn),
    "int8": (np.uint8, np.int8),
}


def _values(name, codes):
    """Values of codes as exact Fractions, None for NaN and infinity."""
    if name in ("uint4", "int4"):
        return [Fraction(code - 16 if name == "int4" and code > 7 else code) for code in codes]
    unsigned, dtype = DTYPES[name]
    floats = np.array(codes, dtype=unsigned).view(dtype).astype(np.float64)
    return [Fraction(value) if np.isfinite(value) else None for value in floats.tolist()]


def _check(pe, activation, weight, activation_codes, weight_codes):
    weights = list(zip(weight_codes, _values(weight, weight_codes), strict=True))
    multiply = pe.products[activation, weight]
    checked = 0
    for a_code, a in zip(activation_codes, _values(activation, activation_codes), strict=True):
        if a is None:
            continue
        for w_code, w in weights:
            if w is not None:
                assert multiply(a_code, w_code) == a * w, (a_code, w_code)
                checked += 1
    return checked


@pytest.mark.parametrize(
    ("name", "activation", "weight", "pairs"),
    [
        ("mixpe_w4a8", "int8", "uint4", 256 * 16),
        ("mixpe_w4a8", "int8", "int4", 256 * 16),
        ("mixpe_w4a8", "int8", "int8", 256 * 256),
        ("int8_mac", "int8", "int8", 256 * 256),
        ("w4a8_dequantize_first", "int8", "int8", 256 * 256),
        ("fp8_mac", "e4m3", "e4m3", 254 * 254),
        ("fp8_mac", "e4m3", "e5m2", 254 * 248),
        ("fp8_mac", "e5m2", "e4m3", 248 * 254),
        ("fp8_aligned", "e5m2", "e5m2", 248 * 248),
        ("mxfp8_dot", "e4m3", "e4m3", 254 * 254),
        ("mxfp4_dot", "e2m1", "e2m1", 16 * 16),
        ("nvfp4_dot", "e2m1", "e2m1", 16 * 16),
    ],
)
def test_every_pair_of_codes(name, activation, weight, pairs):
    codes = {"uint4": 16, "int4": 16, "e2m1": 16}
    spans = [range(codes.get(operand, 256)) for operand in (activation, weight)]
    assert _check(get_pe(name), activation, weight, *spans) == pairs


@pytest.mark.parametrize("weight", ["uint4", "int4"])
def test_fp16_codes_with_every_nibble(weight):
    """Every 41st code (41 and 2^16 have no common factor), and those around the ends of the binades."""
    binades = range(0, 0x7C00, 0x400)
    edges = {sign | (binade + step) for binade in binades for step in (0, 1, 0x3FF) for sign in (0, 0x8000)}
    codes = sorted(edges | set(range(0, 65_536, 41)))
    assert _check(get_pe("mixpe_w4a16"), "fp16", weight, codes, range(16)) > 16 * 1500


@pytest.mark.slow
@pytest.mark.parametrize("weight", ["uint4", "int4"])
def test_every_fp16_code_with_every_nibble(weight):
    pairs = _check(get_pe("mixpe_w4a16"), "fp16", weight, range(65_536), range(16))
    assert pairs == 16 * (65_536 - 2 * 1024)


def test_fp16_in_two_passes_with_every_byte():
    codes = [*range(0, 65_536, 641), 1, 0x3FF, 0x400, 0x7BFF, 0xFBFF]
    assert _check(get_pe("mixpe_w4a16"), "fp16", "int8", codes, range(256)) > 256 * 90


@pytest.mark.parametrize(
    ("name", "operand", "bits"),
    [
        ("fp32_mac", "fp32", 32),
        ("fp16_mac", "fp16", 16),
        ("bf16_mac", "bf16", 16),
        ("w4a16_dequantize_first", "fp16", 16),
    ],
)
@given(data=st.data())
def test_wide_floats(name, operand, bits, data):
    codes = st.integers(0, 2**bits - 1)
    pair = [data.draw(codes, label="code") for _ in range(2)]
    values = _values(operand, pair)
    if None in values:
        with pytest.raises(InputError, match="is NaN or infinity, a PE multiplies finite numbers"):
            get_pe(name).product(*pair)
    else:
        assert get_pe(name).product(*pair) == values[0] * values[1]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("fp8_mac", 0x7F),
        ("fp8_mac", 0xFF),
        ("mxfp8_dot", 0x7F),
        ("mixpe_w4a16", 0x7C00),
        ("mixpe_w4a16", 0xFE00),
    ],
)
def test_nan_and_infinity_are_refused(name, code):
    with pytest.raises(InputError, match="is NaN or infinity, a PE multiplies finite numbers; saturate before it"):
        get_pe(name).product(code, 0)


@pytest.mark.parametrize(
    ("name", "activation", "weight", "message"),
    [
        ("mixpe_w4a8", 256, 0, r"int8 code is 256, must be 0\.\.255"),
        ("mixpe_w4a8", -1, 0, r"int8 code is -1, must be 0\.\.255"),
        ("mixpe_w4a8", 0, 16, r"uint4 code is 16, must be 0\.\.15"),
        ("mixpe_w4a16", 0, 16, r"uint4 code is 16, must be 0\.\.15"),
        ("mxfp4_dot", 16, 0, r"e2m1 code is 16, must be 0\.\.15"),
    ],
)
def test_codes_out_of_range_are_refused(name, activation, weight, message):
    with pytest.raises(InputError, match=message):
        get_pe(name).product(activation, weight)


def test_pairings_that_a_pe_lacks_are_refused():
    with pytest.raises(InputError, match="was given int8 x fp16, it executes int8 x uint4, int8 x int4, int8 x int8"):
        get_pe("mixpe_w4a8").product(0, 0, weight_format="fp16")
