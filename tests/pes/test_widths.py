"""Widths of products and accumulators: the extreme inputs fit, and one bit less would not do."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.pes import get_pe, pe_names
from simhw.pes.base import signed_bits

GROUPS = [1, 2, 3, 16, 32, 64, 127, 128, 129, 256, 1000, 4096]
ALL_INT8 = range(256)
LARGEST_FP16 = [0x7BFF, 0xFBFF]
LARGEST_E4M3 = [0x7E, 0xFE]


def _fits(value, bits):
    return -(1 << (bits - 1)) <= value < 1 << (bits - 1)


def _extremes(name, activations, weights, weight_format, unit_exponent):
    """Least and largest product in units of the accumulator, by trying all given codes."""
    pe, unit = get_pe(name), Fraction(2) ** unit_exponent
    found = [pe.product(a, w, weight_format=weight_format) / unit for a, w in itertools.product(activations, weights)]
    assert all(value.denominator == 1 for value in found)
    return int(min(found)), int(max(found))


@pytest.mark.parametrize(
    ("name", "activations", "weights", "weight_format", "unit_exponent"),
    [
        ("mixpe_w4a8", ALL_INT8, range(16), "int4", 0),
        ("mixpe_w4a8", [0x80, 0x7F], [0x80, 0x7F], "int8", 0),
        ("mixpe_w4a16", LARGEST_FP16, range(16), "uint4", -24),
        ("mixpe_w4a16", LARGEST_FP16, range(16), "int4", -24),
        ("mixpe_w4a16", LARGEST_FP16, [0x80, 0x7F], "int8", -24),
        ("mxfp8_dot", LARGEST_E4M3, LARGEST_E4M3, "e4m3", -18),
        ("mxfp4_dot", range(16), range(16), "e2m1", -2),
        ("nvfp4_dot", range(16), range(16), "e2m1", -2),
    ],
)
@pytest.mark.parametrize("group", GROUPS)
def test_worst_sums_fit_and_a_bit_less_does_not(name, activations, weights, weight_format, unit_exponent, group):
    lowest, highest = _extremes(name, activations, weights, weight_format, unit_exponent)
    bits = get_pe(name).group_accumulator_bits(group, weight_format)
    assert _fits(group * lowest, bits)
    assert _fits(group * highest, bits)
    assert not (_fits(group * lowest, bits - 1) and _fits(group * highest, bits - 1))


@pytest.mark.parametrize("group", GROUPS)
def test_mixpe_group_sum_less_an_independent_zero_point_term(group):
    """sum of q x and z sum of x, each at its own extreme: they fit, and not in one bit less."""
    bits = get_pe("mixpe_w4a8").group_accumulator_bits(group)
    terms = [group * weight * x for weight in (0, 15) for x in (-128, 127)]
    differences = [minuend - subtrahend for minuend in terms for subtrahend in terms]
    assert all(_fits(value, bits) for value in (*terms, *differences))
    assert not all(_fits(value, bits - 1) for value in differences)


@pytest.mark.parametrize("group", GROUPS)
def test_mixpe_differences_that_occur_fit_one_bit_less(group):
    """With the same activations on both sides the sum is of (q - z) x: the last bit is a guard bit."""
    bits = get_pe("mixpe_w4a8").group_accumulator_bits(group)
    reached = [group * (q - z) * x for q in range(16) for z in range(16) for x in (-128, 127)]
    assert all(_fits(value, bits - 1) for value in reached)


@pytest.mark.parametrize(
    ("name", "group", "bits"),
    [
        ("mixpe_w4a8", 128, 20),
        ("mixpe_w4a16", 128, 52),
        ("mixpe_w4a16", 1, 45),
        ("int8_mac", 128, 32),
        ("int8_mac", 2**17 - 1, 32),
        ("int8_mac", 2**17, 33),
        ("fp8_aligned", 32, 22),
        ("mxfp8_dot", 32, 42),
        ("mxfp4_dot", 32, 14),
        ("nvfp4_dot", 16, 13),
        ("fp16_mac", 4096, 32),
    ],
)
def test_stated_widths(name, group, bits):
    assert get_pe(name).group_accumulator_bits(group) == bits


@pytest.mark.parametrize(
    ("name", "operands"),
    [("mixpe_w4a8", [("int8", "uint4"), ("int8", "int4")]), ("int8_mac", [("int8", "int8")])],
)
def test_integer_products_need_exactly_product_bits(name, operands):
    pe = get_pe(name)
    found = []
    for activation, weight in operands:
        weights = range(16) if weight.endswith("4") else range(256)
        found += [int(pe.products[activation, weight](a, w)) for a, w in itertools.product(ALL_INT8, weights)]
    assert signed_bits(min(found), max(found)) == pe.product_bits == pe.least_accumulator_bits


def test_e2m1_products_need_exactly_product_bits():
    lowest, highest = _extremes("mxfp4_dot", range(16), range(16), "e2m1", -2)
    assert signed_bits(lowest, highest) == get_pe("mxfp4_dot").product_bits


@pytest.mark.parametrize(
    ("name", "largest"),
    [
        ("mixpe_w4a16", 15 * 2047),
        ("fp16_mac", 2047**2),
        ("bf16_mac", 255**2),
        ("fp32_mac", (2**24 - 1) ** 2),
        ("fp8_mac", 15**2),
    ],
)
def test_significands_need_exactly_product_bits(name, largest):
    assert largest.bit_length() == get_pe(name).product_bits


@given(name=st.sampled_from(pe_names()), group=st.integers(1, 2000))
def test_a_wider_accumulator_never_costs_less(name, group):
    pe = get_pe(name)
    bits = pe.group_accumulator_bits(group)
    assert pe.group_accumulator_bits(group + 1) >= bits >= pe.least_accumulator_bits
    pe.check_accumulator_bits(bits)
    pe.check_accumulator_bits(pe.least_accumulator_bits)


@pytest.mark.parametrize(
    ("name", "bits", "message"),
    [
        ("int8_mac", 7, r"accumulator_bits is 7, must be 16\.\.64; one product of int8 x int8 needs 16"),
        ("int8_mac", 65, r"accumulator_bits is 65, must be 16\.\.64"),
        ("mixpe_w4a8", 11, r"accumulator_bits is 11, must be 12\.\.64; one product of int8 x uint4 needs 12"),
        ("mixpe_w4a16", 44, r"accumulator_bits is 44, must be 45\.\.64"),
        ("fp16_mac", 24, "accumulator_bits is 24, fp16_mac has one of 32; give 32 or leave it out"),
    ],
)
def test_widths_that_hold_no_product_are_refused(name, bits, message):
    with pytest.raises(InputError, match=message):
        get_pe(name).check_accumulator_bits(bits)
    with pytest.raises(InputError, match=message):
        get_pe(name).accumulate_parts(bits)


def test_narrow_accumulators_are_allowed():
    get_pe("mixpe_w4a8").check_accumulator_bits(16)


@pytest.mark.parametrize(
    ("name", "group", "message"),
    [
        ("mixpe_w4a8", 0, "group size is 0, must be at least 1"),
        ("mixpe_w4a16", 2**20, "needs 65 accumulator bits in mixpe_w4a16, at most 64 are carried"),
    ],
)
def test_impossible_groups_are_refused(name, group, message):
    with pytest.raises(InputError, match=message):
        get_pe(name).group_accumulator_bits(group)


@pytest.mark.parametrize(
    ("name", "signal", "lowest", "highest"),
    [
        ("int8_mac", "product", -128 * 127, 128 * 128),
        ("mixpe_w4a8", "sum of two addends", 3 * -128, 3 * 127),
        ("mixpe_w4a8", "product", 15 * -128, 15 * 127),
        ("mixpe_w4a16", "placed product", -15 * 2047 << 29, 15 * 2047 << 29),
        ("w4a8_dequantize_first", "weight less zero point", -15, 15),
        ("w4a8_dequantize_first", "scaled weight", -15 * 255, 15 * 255),
        ("mxfp8_dot", "placed product", -448 * 448 << 18, 448 * 448 << 18),
        ("mxfp6_dot", "placed product", -28 * 28 << 8, 28 * 28 << 8),
        ("nvfp4_dot", "scaled block sum", -16 * 144 * 225, 16 * 144 * 225),
        ("fp8_aligned", "sum of 33", -33 * 4 << 13, (33 * 4 << 13) - 1),
    ],
)
def test_signed_signals_are_as_wide_as_their_worst_case(name, signal, lowest, highest):
    found = {entry.name: entry.bits for entry in get_pe(name).signals}
    assert found[signal] == signed_bits(lowest, highest)


@pytest.mark.parametrize(
    ("name", "signal", "largest"),
    [
        ("fp32_mac", "product", (2**24 - 1) ** 2),
        ("fp16_mac", "exponent sum", 60),
        ("bf16_mac", "exponent sum", 508),
        ("fp8_mac", "exponent sum", 60),
        ("fp8_aligned", "aligned product", 225 << 13 >> 6),
        ("mixpe_w4a16", "sum of two addends", 3 * 2047),
        ("mxfp8_dot", "exponent sum", 30),
        ("mxfp6_dot", "exponent sum", 14),
        ("mx_dot", "exponent sum", 45),
        ("nvfp4_dot", "product of scale significands", 225),
    ],
)
def test_unsigned_signals_are_as_wide_as_their_worst_case(name, signal, largest):
    found = {entry.name: entry.bits for entry in get_pe(name).signals}
    assert found[signal] == largest.bit_length()
