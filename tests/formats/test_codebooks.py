"""Tables of values: NF4, flint, abfloat and a user's own."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.formats import Rounding, codebook_format, decode, encode, encode_exact, get_element_format, quantize_blocks


def test_nf4_is_the_nearest_entry_of_the_published_table():
    fmt = get_element_format("nf4")
    table = decode(np.arange(16), fmt)
    assert table.dtype == np.float32
    values = np.random.default_rng(4).uniform(-1.2, 1.2, 20_000)
    distances = np.abs(values[:, None] - table[None].astype(np.float64))
    assert (encode(values, fmt) == distances.argmin(axis=1)).all()


def test_nf4_blocks_scaled_by_their_largest_magnitude():
    values = np.random.default_rng(4).standard_normal((6, 128)).astype(np.float32)
    made = quantize_blocks(values, "nf4_fp32_b64")
    scales = np.abs(values.reshape(6, 2, 64)).max(axis=-1)
    assert (decode(made.scales, "fp32") == scales).all()
    table = decode(np.arange(16), "nf4").astype(np.float64)
    normalised = values.reshape(6, 2, 64).astype(np.float64) / scales[..., None]
    nearest = np.abs(normalised[..., None] - table).argmin(axis=-1)
    assert (made.codes.reshape(6, 2, 64) == nearest).all()


def test_flint4_decodes_by_its_first_one():
    def first_one(code: int) -> int:
        low = code & 7
        if low < 4:
            magnitude = low
        elif low & 2:
            magnitude = 4 + 2 * (low & 1)
        else:
            magnitude = 8 if low & 1 else 16
        return -magnitude if code & 8 else magnitude

    assert decode(np.arange(16), "flint4").tolist() == [first_one(code) for code in range(16)]
    assert sorted(set(decode(np.arange(16), "flint4").tolist())) == [
        -16,
        -8,
        -6,
        -4,
        -3,
        -2,
        -1,
        0,
        1,
        2,
        3,
        4,
        6,
        8,
        16,
    ]


def test_abfloat4_is_two_exponent_bits_from_32_on_and_one_mantissa_bit():
    values = decode(np.arange(8), "abfloat4").tolist()
    assert values[1:] == [2.0 ** (5 + code // 2) * (1 + code % 2 / 2) for code in range(1, 8)]
    assert values[0] == 0
    assert decode(np.arange(8, 16), "abfloat4").tolist() == [-value if value else 0.0 for value in values]


def test_entries_may_stand_in_any_order_and_repeat():
    fmt = codebook_format(name="mine", values=[3, -1, 0.5, 3, 0])
    assert (fmt.bits, fmt.code_count) == (3, 5)
    assert encode([10, -10, 0.6, 0.1, 2.0], fmt).tolist() == [0, 1, 2, 4, 0]
    with pytest.raises(InputError, match=r"code is 5, must be 0\.\.4 for mine"):
        decode([5], fmt)
    assert (fmt.max_integer, fmt.lsb_exponent, fmt.signed) == (6, -1, True)


def test_without_zero_the_rules_still_hold():
    ternary = codebook_format(name="sign", values=[-1, 1])
    assert encode([-0.1, 0.0, 0.1, 5], ternary).tolist() == [0, 1, 1, 1]
    assert encode([-0.1, 0.1], ternary, rounding="up").tolist() == [1, 1]
    assert encode([-0.1, 0.1], ternary, rounding="down").tolist() == [0, 0]


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=40, unique=True).filter(
        lambda v: len(set(v)) > 1
    ),
    points=st.lists(st.floats(-2e6, 2e6), min_size=1, max_size=20),
    rounding=st.sampled_from([rounding for rounding in Rounding if rounding is not Rounding.STOCHASTIC]),
)
def test_any_codebook_rounds_as_defined(values, points, rounding):
    fmt = codebook_format(name="any", values=values)
    ascending = sorted(set(values))
    middles = [(low + high) / 2 for low, high in itertools.pairwise(ascending)]
    near = [math.nextafter(middle, side) for middle in middles for side in (-math.inf, math.inf)]
    inputs = [*points, *values, *middles, *near]
    expected = [encode_exact(point, fmt, rounding) for point in inputs]
    assert encode(np.array(inputs), fmt, rounding=rounding).tolist() == expected
    nearest = min(abs(Fraction(value) - Fraction(inputs[0])) for value in values)
    if rounding in (Rounding.NEAREST_EVEN, Rounding.NEAREST_AWAY):
        assert abs(Fraction(values[expected[0]]) - Fraction(inputs[0])) == nearest


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0], "has 1 values"),
        ([1, math.inf], "NaN or infinity"),
        ([2, 2.0], "one value only"),
        ([0, 5e-324], "below 2"),
    ],
)
def test_unusable_tables_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        codebook_format(name="bad", values=values)


def test_stochastic_rounding_of_a_wide_table_needs_few_bits():
    wide = codebook_format(name="wide", values=[0.0, 2.0**-40, 1.0])
    assert encode([0.5], wide, rounding="stochastic", random_bits=20).shape == (1,)
    with pytest.raises(InputError, match=r"must be 1\.\.20 for wide"):
        encode([0.5], wide, rounding="stochastic", random_bits=32)
    with pytest.raises(InputError, match="1 NaN, which wide cannot express"):
        encode([math.nan, 1.0], wide, rounding="stochastic", random_bits=8)
