"""ANT, OliVe, Tender, FIGNA and LUT: every product, every decoder, every stated width."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.pes import get_pe
from simhw.pes.ant_flint4 import decode_flint4
from simhw.pes.base import signed_bits
from simhw.pes.figna import align
from simhw.pes.lut_dot import dot, look_up, make_table
from simhw.pes.olive_pair import decode_pair, pair_product
from simhw.pes.tender import shifted_sum

FLINT4 = [0, 1, 2, 3, 16, 8, 4, 6, 0, -1, -2, -3, -16, -8, -4, -6]
INT4 = [*range(8), *range(-8, 0)]
ABFLOAT = [0, 12, 16, 24, 32, 48, 64, 96, 0, -12, -16, -24, -32, -48, -64, -96]
OLIVE = [*(0 if value == -8 else value for value in INT4), *ABFLOAT]
INT8 = [*range(128), *range(-128, 0)]
VALUES = {
    "flint4": FLINT4,
    "int4": INT4,
    "olive_lane": OLIVE,
    "int8": INT8,
    "odd2": range(-3, 4, 2),
    "odd4": range(-15, 16, 2),
    "odd8": range(-255, 256, 2),
}


@pytest.mark.parametrize(
    ("name", "activation", "weight"),
    [
        *(("ant_flint4", a, w) for a in ("flint4", "int4") for w in ("flint4", "int4")),
        ("olive_pair", "olive_lane", "olive_lane"),
        ("tender", "int4", "int4"),
        ("tender", "int8", "int8"),
        ("lut_dot", "int8", "odd2"),
        ("lut_dot", "int8", "odd4"),
        ("lut_dot", "int8", "odd8"),
        ("mixpe_w4a8_progressive", "int8", "int4"),
    ],
)
def test_every_pair_of_codes(name, activation, weight):
    multiply = get_pe(name).products[activation, weight]
    for (a_code, a), (w_code, w) in itertools.product(enumerate(VALUES[activation]), enumerate(VALUES[weight])):
        assert multiply(a_code, w_code) == a * w, (a_code, w_code)


@pytest.mark.parametrize("weight", ["int4", "int8"])
def test_aligned_mantissas_with_every_weight(weight):
    multiply = get_pe("figna").products["int16", weight]
    for code in [*range(0, 1 << 16, 251), 0x7FFF, 0x8000, 0xFFFF]:
        mantissa = int(np.uint16(code).view(np.int16))
        for w_code, w in enumerate(VALUES[weight]):
            assert multiply(code, w_code) == mantissa * w


@given(codes=st.lists(st.integers(0, 0xFFFF).filter(lambda code: code & 0x7C00 != 0x7C00), min_size=1, max_size=40))
def test_alignment_cuts_towards_zero_in_one_unit(codes):
    values = [Fraction(float(np.uint16(code).view(np.float16))) for code in codes]
    mantissas, exponent = align(codes)
    unit = Fraction(2) ** exponent
    assert [int(value / unit) for value in values] == mantissas  # int() truncates
    assert max(map(abs, mantissas)) <= 2047 << 4
    normal = [abs(value) for value in values if abs(value) >= Fraction(1, 1 << 14)]
    if normal:  # the largest keeps its 11 bits above the 4 guard bits
        assert max(map(abs, mantissas)) >= 1 << 14
    else:
        assert exponent == -28


def test_alignment_refuses_infinity():
    with pytest.raises(InputError, match="is NaN or infinity, a PE multiplies finite numbers"):
        align([0x3C00, 0x7C00])


def test_flint_is_an_integer_of_three_bits_and_a_shift():
    decoded = [decode_flint4(code) for code in range(16)]
    assert [integer * 2**shift for integer, shift in decoded] == FLINT4
    assert {abs(integer) for integer, _ in decoded} == {0, 1, 2, 3}
    assert {shift for _, shift in decoded} == {0, 1, 2, 3}


def test_every_pair_of_stored_codes_decodes():
    """1000 is a victim and makes its neighbour an outlier; without it both are int4."""
    for first, second in itertools.product(range(16), range(16)):
        lanes = [OLIVE[lane] for lane in decode_pair(first, second)]
        if first == 8:
            assert lanes == [0, ABFLOAT[second]]
        elif second == 8:
            assert lanes == [ABFLOAT[first], 0]
        else:
            assert lanes == [INT4[first], INT4[second]]


@given(st.tuples(*[st.integers(0, 15)] * 4))
def test_a_pair_is_the_sum_of_two_products(codes):
    a, w = codes[:2], codes[2:]
    lanes = zip(decode_pair(*a), decode_pair(*w), strict=True)
    assert pair_product(a, w) == sum(OLIVE[x] * OLIVE[y] for x, y in lanes)


@given(
    activations=st.lists(st.integers(-128, 127), min_size=4, max_size=4),
    bits=st.sampled_from([2, 4, 8]),
    data=st.data(),
)
def test_looked_up_sums_are_four_products(activations, bits, data):
    codes = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=4, max_size=4))
    assert dot(activations, codes, bits) == sum(
        x * (2 * u - 2**bits + 1) for x, u in zip(activations, codes, strict=True)
    )


def test_the_table_has_every_pattern_of_signs():
    x = [3, -50, 128, 7]
    for pattern in range(16):
        signs = [1 if pattern >> j & 1 else -1 for j in range(4)]
        assert look_up(make_table(x), pattern) == sum(s * value for s, value in zip(signs, x, strict=True))


@given(
    products=st.lists(st.lists(st.integers(-127, 128), max_size=5), min_size=1, max_size=8),
    bits=st.integers(9, 20),
)
def test_shifting_between_groups_is_exact_and_wraps_like_a_plain_sum(products, bits):
    weights = [1 << (len(products) - 1 - index) for index in range(len(products))]
    total = sum(weight * sum(group) for weight, group in zip(weights, products, strict=True))
    assert shifted_sum(products) == total
    held = shifted_sum(products, bits)
    assert (held - total) % (1 << bits) == 0
    assert -(1 << bits - 1) <= held < 1 << bits - 1


@pytest.mark.parametrize(
    ("name", "weight", "lowest", "highest"),
    [
        ("ant_flint4", "flint4", -256, 256),
        ("ant_flint4", "int4", -128, 128),
        ("olive_pair", "olive_lane", -9216, 9216),
        ("tender", "int4", -(8 << 7) * 7, 64 << 7),
        ("tender", "int8", -(128 << 7) * 127, 2**14 << 7),
        ("figna", "int4", -8 * 32752, 8 * 32752),
        ("lut_dot", "odd4", -1920, 1920),
        ("lut_dot", "odd8", -128 * 255, 128 * 255),
        ("mixpe_w4a8_progressive", "uint4", -1920, 1905),
    ],
)
@pytest.mark.parametrize("group", [1, 3, 128, 1000])
def test_no_sum_overflows_and_a_bit_less_would(name, weight, lowest, highest, group):
    assert get_pe(name).group_accumulator_bits(group, weight) == signed_bits(lowest * group, highest * group)


@pytest.mark.parametrize(
    ("name", "signal", "lowest", "highest"),
    [
        ("ant_flint4", "product of integers", -8 * 7, 64),
        ("ant_flint4", "product", -256, 256),
        ("olive_pair", "integer", -7, 7),
        ("olive_pair", "product of integers", -49, 49),
        ("olive_pair", "product", -9216, 9216),
        ("tender", "nibble", -8, 15),
        ("tender", "product", -120, 225),
        ("figna", "aligned mantissa", -(2047 << 4), 2047 << 4),
        ("figna", "product", -8 * 32752, 8 * 32752),
        ("lut_dot", "table entry", -512, 512),
        ("lut_dot", "shifted entry", -512 << 7, 512 << 7),
        ("lut_dot", "product", -1920, 1920),
        ("mixpe_w4a8_progressive", "scaled group sum", -255 * 128 * 15 * 128, 255 * 128 * 15 * 127),
        ("mixpe_w4a8_progressive", "scaled zero-point term", -(2**21), 128 * 128 * 128),
    ],
)
def test_signals_are_as_wide_as_their_worst_case(name, signal, lowest, highest):
    found = {entry.name: entry.bits for entry in get_pe(name).signals}
    assert found[signal] == signed_bits(lowest, highest)


@pytest.mark.parametrize(
    ("name", "activation_bits", "weight_bits", "cycles"),
    [
        ("ant_flint4", 4, 4, 1),
        ("tender", 8, 8, 4),
        ("figna", 16, 8, 2),
        ("lut_dot", 8, 4, 1),
        ("lut_dot", 8, 2, Fraction(1, 2)),
        ("lut_dot", 8, 8, 2),
    ],
)
def test_cycles_of_a_product(name, activation_bits, weight_bits, cycles):
    assert get_pe(name).cycles_per_product(weight_bits, activation_bits) == cycles
