"""The definition against a search in the sorted list of all values, written without bit arithmetic."""

import math
from fractions import Fraction

import pytest

from simhw.errors import InputError
from simhw.formats import (
    FloatFormat,
    IntegerFormat,
    NanCodes,
    Overflow,
    Rounding,
    decode_exact,
    encode_exact,
    float_format,
    get_element_format,
)

DETERMINISTIC = [rounding for rounding in Rounding if rounding is not Rounding.STOCHASTIC]


@pytest.mark.parametrize("rounding", DETERMINISTIC)
def test_rounding_agrees_with_search_among_all_values(byte_element, rounding, boundary_points, nearest_by_search):
    element = byte_element
    points = boundary_points(element)[DETERMINISTIC.index(rounding) % 3 :: 3].tolist()
    compared = 0
    for point in points:
        found = nearest_by_search(Fraction(point), element, rounding)
        if found is None:
            continue
        made = encode_exact(point, element, rounding)
        if decode_exact(made, element) == 0:
            # The search knows no -0: compare the value, and the sign by itself.
            assert decode_exact(found, element) == 0
            if isinstance(element, FloatFormat) and element.has_negative_zero:
                assert (made == element.sign_bit) == (math.copysign(1.0, point) < 0)
        else:
            assert made == found, (point, decode_exact(made, element), decode_exact(found, element))
        compared += 1
    assert compared > len(points) // 3


@pytest.mark.parametrize(
    ("value", "rounding", "overflow", "expected"),
    [
        (464.0, "nearest_even", "nan", 0x7E),  # the tie to 480, whose code is NaN, goes to the even 448
        (464.0, "nearest_away", "nan", 0x7F),
        (464.00003, "nearest_even", "nan", 0x7F),
        (-464.00003, "nearest_even", "nan", 0xFF),
        (1e9, "toward_zero", "nan", 0x7E),
        (1e9, "down", "nan", 0x7E),
        (1e9, "up", "nan", 0x7F),
        (-1e9, "up", "nan", 0xFE),
        (-1e9, "down", "nan", 0xFF),
        (1e9, "to_odd", "nan", 0x7E),
        (math.inf, "toward_zero", "nan", 0x7F),
    ],
)
def test_overflow_of_e4m3(value, rounding, overflow, expected):
    assert encode_exact(value, get_element_format("e4m3"), Rounding(rounding), Overflow(overflow)) == expected


@pytest.mark.parametrize(
    ("value", "rounding", "expected"),
    [
        (61439.0, "nearest_even", 0x7B),
        (61440.0, "nearest_even", 0x7C),  # the tie goes to the even code, which is infinity
        (-61440.0, "nearest_even", 0xFC),
        (65536.0, "toward_zero", 0x7B),
        (57345.0, "up", 0x7C),
        (1e30, "down", 0x7B),
        (-1e30, "up", 0xFB),
        (-1e30, "down", 0xFC),
    ],
)
def test_overflow_of_e5m2_to_infinity(value, rounding, expected):
    made = encode_exact(value, get_element_format("e5m2"), Rounding(rounding), Overflow.INFINITY)
    assert made == expected


def test_infinite_input_has_its_own_policy():
    e5m2 = get_element_format("e5m2")
    assert encode_exact(math.inf, e5m2, infinite=Overflow.INFINITY) == 0x7C
    assert encode_exact(1e9, e5m2, infinite=Overflow.INFINITY) == 0x7B
    assert encode_exact(-math.inf, e5m2, overflow=Overflow.INFINITY, infinite=Overflow.NAN) == 0xFE


@pytest.mark.parametrize("value", [-1.0, -448.0, -1e9, -math.inf])
def test_negative_values_of_an_unsigned_format_follow_the_overflow_policy(value):
    ue4m3 = get_element_format("ue4m3")
    assert encode_exact(value, ue4m3) == 0
    assert encode_exact(value, ue4m3, overflow=Overflow.NAN) == 0x7F


def test_zero_of_a_format_without_zero():
    e8m0 = get_element_format("e8m0")
    assert encode_exact(0.0, e8m0) == 0
    assert encode_exact(0.0, e8m0, overflow=Overflow.NAN) == 0xFF
    assert encode_exact(1e-300, e8m0, overflow=Overflow.NAN) == 0
    assert decode_exact(0, e8m0) == Fraction(1, 2**127)


def test_wrap_takes_the_low_bits_of_the_rounded_integer():
    int4 = get_element_format("int4")
    for value in [-100.0, -8.5, 7.5, 8.0, 23.0, 1e6]:
        made = encode_exact(value, int4, overflow=Overflow.WRAP)
        assert made == round(value) % 16


def test_flushing_format_has_nothing_between_zero_and_its_smallest_normal():
    flushing = float_format(exponent_bits=4, mantissa_bits=3, subnormals=False)
    smallest = float(flushing.smallest_normal)
    assert all(decode_exact(code, flushing) == 0 for code in range(8))
    assert encode_exact(smallest * 0.5, flushing) == 0
    assert encode_exact(math.nextafter(smallest * 0.5, 1.0), flushing) == 8
    assert encode_exact(smallest * 0.99, flushing, Rounding.TOWARD_ZERO) == 0
    assert encode_exact(smallest * 0.01, flushing, Rounding.UP) == 8
    assert encode_exact(smallest * 0.01, flushing, Rounding.TO_ODD) == 8


@pytest.mark.parametrize("name", ["int8", "e2m1", "nf4"])
def test_nan_without_a_code_is_refused(name):
    with pytest.raises(InputError, match="nan"):
        encode_exact(math.nan, get_element_format(name))


def test_policies_that_a_format_lacks_are_refused():
    with pytest.raises(InputError, match="e4m3 has no infinity; take overflow='saturate'"):
        encode_exact(1e9, get_element_format("e4m3"), overflow=Overflow.INFINITY)
    with pytest.raises(InputError, match="only integer formats"):
        encode_exact(1e9, get_element_format("e4m3"), overflow=Overflow.WRAP)
    with pytest.raises(InputError, match="nf4 has not"):
        encode_exact(2.0, get_element_format("nf4"), overflow=Overflow.NAN)
    with pytest.raises(InputError, match=r"code is 16, must be 0\.\.15"):
        decode_exact(16, get_element_format("int4"))


def test_limits_of_records_follow_from_their_codes(countable_element):
    element = countable_element
    values = [decode_exact(code, element) for code in range(element.code_count)]
    finite = [value for value in values if isinstance(value, Fraction)]
    unit = Fraction(2) ** element.lsb_exponent
    assert element.max_value == max(finite)
    assert element.min_value == min(finite)
    assert all((value / unit).denominator == 1 for value in finite)
    assert element.max_integer == max(abs(value / unit) for value in finite)
    assert element.significand_bits == max(_significant_bits(value) for value in finite if value)
    assert element.signed == (min(finite) < 0)
    assert element.has_nan == any(isinstance(value, float) and math.isnan(value) for value in values)
    assert element.has_infinity == (math.inf in values)
    if isinstance(element, FloatFormat):
        assert element.has_negative_zero == any(isinstance(value, float) and value == 0 for value in values)
        if element.nan_code is not None:
            assert math.isnan(decode_exact(element.nan_code, element))
    if isinstance(element, IntegerFormat):
        assert len(set(finite)) == element.code_count


def _significant_bits(value: Fraction) -> int:
    numerator = abs(value.numerator)
    return (numerator // (numerator & -numerator)).bit_length()


@pytest.mark.parametrize(
    ("name", "maximum", "smallest_normal", "smallest", "infinity", "nans"),
    [
        ("e4m3", 448, -6, -9, None, [0x7F, 0xFF]),
        ("e5m2", 57344, -14, -16, 0x7C, [0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF]),
        ("e4m3_ieee", 240, -6, -9, 0x78, [*range(0x79, 0x80), *range(0xF9, 0x100)]),
        ("e4m3fnuz", 240, -7, -10, None, [0x80]),
        ("e5m2fnuz", 57344, -15, -17, None, [0x80]),
        ("e4m3b11fnuz", 30, -10, -13, None, [0x80]),
        ("e3m4", 15.5, -2, -6, 0x70, [*range(0x71, 0x80), *range(0xF1, 0x100)]),
        ("e3m2", 28, -2, -4, None, []),
        ("e2m3", 7.5, 0, -3, None, []),
        ("e2m1", 6, 0, -1, None, []),
        ("e8m0", 2.0**127, -127, -127, None, [0xFF]),
    ],
)
def test_published_limits(name, maximum, smallest_normal, smallest, infinity, nans):
    fmt = get_element_format(name)
    assert isinstance(fmt, FloatFormat)
    assert fmt.max_value == Fraction(maximum)
    assert fmt.smallest_normal == Fraction(2) ** smallest_normal
    assert fmt.lsb_exponent == smallest
    assert fmt.infinity_code == infinity
    values = [decode_exact(code, fmt) for code in range(fmt.code_count)]
    assert [code for code, value in enumerate(values) if value != value] == nans


@pytest.mark.parametrize(
    ("precision", "maximum", "smallest"),
    [(1, 62, -63), (2, 31, -32), (3, 49152, -17), (4, 224, -10), (5, 15, -7), (6, 3.875, -6), (7, 1.96875, -6)],
)
def test_published_limits_of_p3109_binary8(precision, maximum, smallest):
    fmt = get_element_format(f"binary8p{precision}se")
    assert isinstance(fmt, FloatFormat)
    assert fmt.max_value == (Fraction(2) ** maximum if precision < 3 else Fraction(maximum))
    assert fmt.lsb_exponent == smallest
    assert (fmt.nan, fmt.nan_code, fmt.infinity_code) == (NanCodes.NEGATIVE_ZERO, 0x80, 0x7F)


@pytest.mark.parametrize(
    ("name", "maximum"), [("binary8p3sf", 57344), ("binary8p4sf", 240), ("binary4p2sf", 3), ("binary6p3sf", 14)]
)
def test_published_limits_of_p3109_finite(name, maximum):
    assert get_element_format(name).max_value == maximum
