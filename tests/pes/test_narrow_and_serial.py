"""int4, E2M1, fused bricks and serial operands: every product, every rate, every stated width."""

import itertools
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.pes import get_pe
from simhw.pes.base import signed_bits
from simhw.pes.bit_serial import SUM_BITS
from simhw.pes.bit_serial_booth import booth_digits, weight_cycles, weight_terms
from simhw.pes.bitfusion import slices


def _integers(name):
    """Values by code of an integer format, by plain arithmetic."""
    bits = int(name.lstrip("uint"))
    half = 1 << (bits - 1)
    return [code if name[0] == "u" or code < half else code - 2 * half for code in range(2 * half)]


def _check_all(name, activation, weight):
    multiply, checked = get_pe(name).products[activation, weight], 0
    for (a_code, a), (w_code, w) in itertools.product(enumerate(_integers(activation)), enumerate(_integers(weight))):
        assert multiply(a_code, w_code) == a * w, (a_code, w_code)
        checked += 1
    return checked


NARROW = [f"{sign}int{bits}" for bits in (2, 4, 8) for sign in ("", "u")]


@pytest.mark.parametrize(("activation", "weight"), list(itertools.product(NARROW, NARROW)))
def test_fused_bricks_multiply_every_pair(activation, weight):
    assert _check_all("bitfusion", activation, weight) >= 16


@given(
    a=st.integers(0, 2**16 - 1),
    w=st.integers(0, 2**16 - 1),
    names=st.tuples(*[st.sampled_from(["int16", "uint16", "int8", "uint4"])] * 2),
)
def test_fused_bricks_of_16_bits(a, w, names):
    def value(code, name):
        bits = int(name.lstrip("uint"))
        return (code - (1 << bits) if name[0] != "u" and code >> (bits - 1) else code), bits

    a, w = (code & ((1 << value(0, name)[1]) - 1) for code, name in zip((a, w), names, strict=True))
    expected = value(a, names[0])[0] * value(w, names[1])[0]
    assert get_pe("bitfusion").product(a, w, activation_format=names[0], weight_format=names[1]) == expected


@pytest.mark.parametrize("bits", range(2, 9))
def test_serial_activations_multiply_every_pair(bits):
    assert _check_all("bit_serial", f"int{bits}", "int8") == 256 << bits


@pytest.mark.parametrize("weight", ["int8", "int4", "uint4"])
def test_booth_terms_multiply_every_pair(weight):
    assert _check_all("bit_serial_booth", "int8", weight) == 256 * len(_integers(weight))


def test_int4_multiplies_every_pair():
    assert _check_all("int4_mac", "int4", "int4") == 256


def test_e2m1_multiplies_every_pair():
    values = np.arange(16, dtype=np.uint8).view(ml_dtypes.float4_e2m1fn).astype(np.float64)
    for a, w in itertools.product(range(16), range(16)):
        assert get_pe("fp4_mac").product(a, w) == Fraction(values[a]) * Fraction(values[w])


@pytest.mark.parametrize(
    ("name", "activation_bits", "weight_bits", "cycles"),
    [
        ("bitfusion", 8, 8, Fraction(1)),
        ("bitfusion", 8, 4, Fraction(1, 2)),
        ("bitfusion", 4, 8, Fraction(1, 2)),
        ("bitfusion", 4, 4, Fraction(1, 4)),
        ("bitfusion", 8, 2, Fraction(1, 4)),
        ("bitfusion", 2, 2, Fraction(1, 16)),
        ("bitfusion", 16, 8, Fraction(2)),
        ("bitfusion", 16, 16, Fraction(4)),
        ("bit_serial", 8, 8, Fraction(8, 16)),
        ("bit_serial", 3, 8, Fraction(3, 16)),
        ("bit_serial_booth", 8, 8, Fraction(4)),
        ("bit_serial_booth", 8, 4, Fraction(3)),
        ("int4_mac", 4, 4, Fraction(1)),
        ("mixpe_w4a8", 8, 8, Fraction(2)),
    ],
)
def test_cycles_of_a_product(name, activation_bits, weight_bits, cycles):
    assert get_pe(name).cycles_per_product(weight_bits, activation_bits) == cycles


def test_widths_of_either_operand_are_refused():
    with pytest.raises(InputError, match="operands have 8 x 4 bits, int4_mac executes 4 x 4; choose another format"):
        get_pe("int4_mac").cycles_per_product(4, 8)


@pytest.mark.parametrize("name", ["int8", "int4", "uint4"])
def test_booth_digits_are_the_weight(name):
    for code, value in enumerate(_integers(name)):
        digits = booth_digits(code, name)
        assert sum(digit * 4**place for place, digit in enumerate(digits)) == value
        assert set(digits) <= {-2, -1, 0, 1, 2}


@pytest.mark.parametrize("name", ["int8", "int4", "uint4"])
def test_terms_are_counted_exactly(name):
    """Radix-4 Booth: digit i looks at bits 2i-1..2i+1, zero where all three are equal."""
    values = np.array(_integers(name))
    bits = np.array([[value >> place & 1 for place in range(10)] for value in values])
    below = np.concatenate([np.zeros((len(values), 1), int), bits], axis=1)
    digits = {"int8": 4, "int4": 2, "uint4": 3}[name]
    low, middle, high = (below[:, start : start + 2 * digits : 2] for start in range(3))
    zero = (low == middle) & (middle == high)
    expected = digits - np.sum(zero, axis=1)
    codes = np.arange(len(values), dtype=np.uint8)
    assert weight_terms(codes, name).tolist() == expected.tolist()
    assert weight_cycles(codes, name).tolist() == np.maximum(expected, 1).tolist()
    assert weight_terms(codes, name).max() <= get_pe("bit_serial_booth").cycles_per_product(8 if name == "int8" else 4)


def test_stated_widths_are_needed():
    assert signed_bits(min(_integers("int4")) * 7, 64) == get_pe("int4_mac").product_bits
    assert signed_bits(16 * -128, 16 * 127) == SUM_BITS
    bricks = [x * y for x in range(-2, 4) for y in range(-2, 4)]
    widths = {signal.name: signal.bits for signal in get_pe("bitfusion").signals}
    assert widths["brick product"] == signed_bits(min(bricks), max(bricks))
    parts = {part for code in range(256) for signed in (True, False) for part in slices(code, 8, signed=signed)}
    assert widths["slice"] == signed_bits(min(parts), max(parts))
    assert widths["8 x 8 product"] == signed_bits(-255 * 128, 255 * 255) == get_pe("bitfusion").product_bits
    assert widths["4 x 4 product"] == signed_bits(-15 * 8, 15 * 15)
    serial = {signal.name: signal.bits for signal in get_pe("bit_serial").signals}
    assert serial["shifted sum"] == signed_bits(-(16 * 127 << 7), 16 * 128 << 7)
    terms = [x * digit << 2 * place for x in (-128, 127) for digit in (-2, 2) for place in range(4)]
    booth = {signal.name: signal.bits for signal in get_pe("bit_serial_booth").signals}
    assert booth["shifted term"] == signed_bits(min(terms), max(terms))
    assert booth["selected activation"] == signed_bits(-256, 256)


@pytest.mark.parametrize("group", [1, 3, 128, 4096])
@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [("int4_mac", -56, 64), ("fp4_mac", -144, 144), ("bitfusion", -128 * 127, 2**14), ("bit_serial", -16256, 2**14)],
)
def test_no_sum_overflows_and_a_bit_less_would(name, lowest, highest, group):
    bits = get_pe(name).group_accumulator_bits(group)
    assert -(1 << bits - 1) <= lowest * group
    assert highest * group < 1 << bits - 1
    assert highest * group >= 1 << bits - 2 or lowest * group < -(1 << bits - 2)
