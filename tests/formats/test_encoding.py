"""encode == the definition on every boundary of every format, for every rounding, in float32 and float64."""

from fractions import Fraction

import numpy as np
import pytest

from simhw.formats import (
    CodebookFormat,
    FloatFormat,
    IntegerFormat,
    Overflow,
    Rounding,
    decode,
    encode,
    encode_exact,
    float_format,
    get_element_format,
    round_to,
)
from simhw.formats.kernels import random_bits

DETERMINISTIC = [rounding for rounding in Rounding if rounding is not Rounding.STOCHASTIC]


def policies(fmt) -> list[Overflow]:
    """The overflow policies that a format has."""
    if isinstance(fmt, IntegerFormat):
        return [Overflow.SATURATE, Overflow.WRAP]
    if isinstance(fmt, CodebookFormat):
        return [Overflow.SATURATE]
    return [
        Overflow.SATURATE,
        *([Overflow.INFINITY] if fmt.has_infinity else []),
        *([Overflow.NAN] if fmt.has_nan else []),
    ]


def check(points: np.ndarray, fmt, rounding: Rounding, overflow: Overflow) -> int:
    """Compare codes for float64 inputs, and as float32 for those that float32 holds; returns how many these are."""
    expected = [encode_exact(point, fmt, rounding, overflow) for point in points.tolist()]
    made = encode(points, fmt, rounding=rounding, overflow=overflow)
    assert made.dtype == fmt.code_dtype
    wrong = np.flatnonzero(made != np.array(expected))
    assert not wrong.size, (points[wrong[0]], made[wrong[0]], expected[wrong[0]])
    with np.errstate(over="ignore"):
        singles = points.astype(np.float32)
    exact = singles == points
    made32 = encode(singles[exact], fmt, rounding=rounding, overflow=overflow)
    wrong = np.flatnonzero(made32 != np.array(expected)[exact])
    assert not wrong.size, (singles[exact][wrong[0]], made32[wrong[0]])
    return int(exact.sum())


@pytest.mark.parametrize("rounding", DETERMINISTIC)
def test_every_boundary_rounds_as_defined(element, rounding, boundary_points):
    points = boundary_points(element)
    singles = check(points, element, rounding, Overflow.SATURATE)
    assert singles > points.size // 6 or not element.exact_in_float32


def test_every_policy_at_the_ends_of_the_range(element, boundary_points):
    points = boundary_points(element)
    outer = points[np.abs(points) >= float(element.max_value) * 0.9]
    inner = points[np.abs(points) <= 2.0 ** (element.lsb_exponent + 1)]
    for overflow in policies(element):
        for rounding in DETERMINISTIC:
            check(np.concatenate([outer, inner]), element, rounding, overflow)


@pytest.mark.parametrize("infinite", [Overflow.SATURATE, Overflow.INFINITY, Overflow.NAN])
@pytest.mark.parametrize("overflow", [Overflow.SATURATE, Overflow.INFINITY, Overflow.NAN])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinite_inputs_follow_their_own_policy(infinite, overflow, dtype):
    for name in ["e5m2", "fp16", "p3109_k8p4se", "p3109_k8p4ue", "e4m3_ieee"]:
        fmt = get_element_format(name)
        values = np.array([np.inf, -np.inf, 1e30, -1e30, 1.0], dtype=dtype)
        for rounding in DETERMINISTIC:
            made = encode(values, name, rounding=rounding, overflow=overflow, infinite=infinite)
            expected = [encode_exact(float(v), fmt, rounding, overflow, infinite=infinite) for v in values]
            assert made.tolist() == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_keeps_its_sign_and_loses_its_payload(countable_element, dtype):
    word = np.uint32 if dtype == np.float32 else np.uint64
    infinity = np.array(np.inf, dtype).view(word)
    nans = np.array([infinity + word(1), infinity + word(12345), np.array(np.nan, dtype).view(word)]).view(dtype)
    nans = np.concatenate([np.abs(nans), -np.abs(nans)])
    if not countable_element.has_nan:
        with pytest.raises(ValueError, match=f"6 NaN, which {countable_element.name} cannot express"):
            encode(nans, countable_element)
        return
    for rounding in Rounding:
        made = encode(nans, countable_element, rounding=rounding)
        assert np.isnan(decode(made, countable_element)).all()
        assert len(set(made[:3].tolist())) == len(set(made[3:].tolist())) == 1
        quiet = countable_element.nan_code
        assert made[0] == quiet
        assert made[3] == quiet | (countable_element.sign_bit if countable_element.is_signed else 0)


def test_round_trip_of_every_code(countable_element):
    codes = np.arange(countable_element.code_count)
    values = decode(codes, countable_element)
    numbers = ~np.isnan(values)
    infinite = "infinity" if countable_element.has_infinity else "saturate"
    again = round_to(values[numbers], countable_element, infinite=infinite)
    if isinstance(countable_element, IntegerFormat) and countable_element.symmetric:
        assert again[codes[numbers] == 128] == -float(countable_element.max_value)
        numbers[128] = False
        again = round_to(values[numbers], countable_element)
    assert (again == values[numbers]).all()
    assert (np.signbit(again) == np.signbit(values[numbers])).all()
    if isinstance(countable_element, FloatFormat):
        made = encode(values[numbers], countable_element, infinite=infinite)
        assert (made == codes[numbers]).all()


@pytest.mark.parametrize(
    "fmt",
    [
        float_format(exponent_bits=4, mantissa_bits=3, subnormals=False),
        float_format(exponent_bits=5, mantissa_bits=2, subnormals=False, infinity=False, nan="negative_zero"),
        float_format(exponent_bits=3, mantissa_bits=0, infinity=False, nan="none"),
        float_format(exponent_bits=2, mantissa_bits=5, bias=-3, infinity=False, nan="none"),
        float_format(exponent_bits=4, mantissa_bits=4, bias=200, infinity=True, nan="all_ones"),
        float_format(exponent_bits=5, mantissa_bits=3, signed=False, infinity=False, nan="all_ones"),
        get_element_format("e1m6f"),
        get_element_format("sfix12_en15"),
        get_element_format("ufix6_e4"),
        get_element_format("int8_symmetric"),
        get_element_format("p3109_k5p1ue"),
    ],
    ids=lambda fmt: fmt.name,
)
@pytest.mark.parametrize("rounding", DETERMINISTIC)
def test_families_round_as_defined(fmt, rounding, boundary_points):
    for overflow in policies(fmt):
        check(boundary_points(fmt)[::2], fmt, rounding, overflow)


def split_mix(seed: int, index: int, bits: int) -> int:
    """The published SplitMix64 step number ``index``, in Python integers."""
    mask = (1 << 64) - 1
    state = (seed + (index + 1) * 0x9E3779B97F4A7C15) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return (state ^ (state >> 31)) >> (64 - bits)


def test_random_bits_are_split_mix_64():
    # First outputs of SplitMix64 with seed 1234567, as published with the generator (Vigna, 2015).
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [split_mix(1234567, index, 64) for index in range(3)] == published
    for seed, index, bits in [(0, 0, 1), (1234567, 2, 32), (-5, 10**12, 17), (2**63 - 1, 3, 8)]:
        assert random_bits(seed, index, bits) == split_mix(seed % 2**64, index, bits)


@pytest.mark.parametrize(
    "name", ["e4m3", "e5m2", "e2m1", "int8", "e8m0", "fp16", "nf4", "flint4", "p3109_k8p1se", "e4m3_ftz"]
)
@pytest.mark.parametrize("bits", [1, 5, 16, 24])
def test_stochastic_rounding_as_defined(name, bits, boundary_points):
    fmt = get_element_format(name)
    points = boundary_points(fmt)[::3]
    points = points[np.isfinite(points)]
    made = encode(points, fmt, rounding="stochastic", random_bits=bits, seed=77, offset=1000)
    for place, (point, code) in enumerate(zip(points.tolist(), made.tolist(), strict=True)):
        draw = split_mix(77, 1000 + place, bits)
        assert code == encode_exact(point, fmt, Rounding.STOCHASTIC, draw=draw, draw_bits=bits), point


@pytest.mark.parametrize("name", ["e4m3", "int4", "nf4"])
def test_stochastic_rounding_does_not_depend_on_threads_or_pieces(name):
    values = np.random.default_rng(5).standard_normal(700_001).astype(np.float32)
    whole = encode(values, name, rounding="stochastic", seed=3)
    assert (encode(values, name, rounding="stochastic", seed=3, threads=4) == whole).all()
    pieces = [
        encode(values[at : at + 99_991], name, rounding="stochastic", seed=3, offset=at)
        for at in range(0, values.size, 99_991)
    ]
    assert (np.concatenate(pieces) == whole).all()
    assert (encode(values, name, rounding="stochastic", seed=4) != whole).any()
    assert (encode(values, name, threads=3) == encode(values, name)).all()


def test_stochastic_rounding_is_right_on_average():
    # The mean of n draws of a fraction f has a standard deviation of sqrt(f (1 - f) / n); 5 of them is the bound.
    for value, low, high in [(1.03125, 1.0, 1.125), (-0.4, -0.40625, -0.375), (3e-3, 1.5 / 512, 2 / 512)]:
        count = 200_000
        rounded = round_to(np.full(count, value), "e4m3", rounding="stochastic", random_bits=24, seed=9)
        step = abs(high - low) if low != 1.5 / 512 else 1 / 512
        assert abs(float(rounded.mean(dtype=np.float64)) - value) < 5 * step * 0.5 / np.sqrt(count)
        assert len(np.unique(rounded)) == 2


def test_results_do_not_round_twice():
    # A float64 just above an E4M3 midpoint that float32 would round onto the midpoint.
    above = float(Fraction(17, 16)) + 2.0**-40
    assert np.float32(above) == np.float32(17 / 16)
    assert encode(above, "e4m3") == encode(1.125, "e4m3")
    assert encode(np.float32(above), "e4m3") == encode(1.0, "e4m3")
