"""Activation units and roots: kernel against definition, over every code where there are 2**16, and error bounds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special

from simhw.errors import InputError
from simhw.formats import decode
from simhw.sfu import Extent, get_unit, integer_sqrt, unit_names
from simhw.sfu.base import code_range

CODES = np.arange(-32768, 32768, dtype=np.int32)
CURVES = {
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x * special.expit(x),
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "hardswish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
}
FLOAT = [
    name for name in unit_names() if get_unit(name).extent is Extent.ELEMENT and get_unit(name).input_scale is None
]
CURVATURE = {"gelu": 0.798, "silu": 0.5, "sigmoid": 0.0963, "tanh": 0.77}
"""Largest second derivatives: 2 phi(0), 2 / 4, 1 / (6 sqrt 3), 4 / (3 sqrt 3)."""
TAIL = {"gelu": 1e-14, "silu": 8 * special.expit(-8), "sigmoid": special.expit(-8), "tanh": 1e-6}
"""Distance from the lines beyond -8 and 8."""


def same(unit, rows):
    """Every bit, but for the sign and the payload of a NaN."""
    with np.errstate(all="ignore"):  # at infinity, and beside it
        expected = np.array([unit.definition(list(row)) for row in rows], np.float32)
    result = unit.kernel(rows)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
    defined = ~np.isnan(expected)
    np.testing.assert_array_equal(result[defined].view(np.uint32), expected[defined].view(np.uint32))


@pytest.mark.parametrize("narrow", ["fp16", "bf16"])
@pytest.mark.parametrize("name", FLOAT)
def test_every_16_bit_float(name, narrow):
    same(get_unit(name), decode(np.arange(1 << 16), narrow)[None])


@pytest.mark.parametrize("name", [*FLOAT, "gelu_table_4096", "exp_table_8", "reciprocal_newton_2", "rsqrt_newton_1024"])
@given(row=arrays(np.float32, 9, elements=st.floats(width=32) | st.floats(-8.5, 8.5, width=32)))
def test_any_float(name, row):
    same(get_unit(name), row[None])


@pytest.mark.parametrize("entries", [32, 64, 1024])
@pytest.mark.parametrize("function", CURVATURE)
def test_table_error(function, entries):
    """Of a line over an interval h: ``h**2 / 8`` times the curvature; beside it rounding, and the tails."""
    x = np.random.default_rng(0).uniform(-12, 12, 100_000).astype(np.float32)
    error = np.abs(get_unit(f"{function}_table_{entries}").apply(x[None])[0] - CURVES[function](x.astype(np.float64)))
    rounding = 4 * 2.0**-24 * np.maximum(np.abs(x), 1)
    assert (error <= (16 / entries) ** 2 / 8 * CURVATURE[function] + rounding + TAIL[function]).all()


@pytest.mark.parametrize("entries", [0, 1, 3, 100, 1 << 17])
def test_table_sizes(entries):
    with pytest.raises(InputError, match=rf"gelu_table was given {entries} intervals, must be a power of two"):
        get_unit(f"gelu_table_{entries}")


ULP = 2.0**-24
"""Half a unit in the last place, relative."""
EXACT = {
    "exp_polynomial": (np.exp, 8, 0, 0),
    "exp_table_256": (np.exp, 8 + np.log(2) ** 2 / (8 * 256**2) / ULP, 0, 2),
    "sigmoid_float": (special.expit, 16, 0, 0),
    "silu_float": (CURVES["silu"], 16, 0, 0),
    "tanh_float": (np.tanh, 4, 0, 0),
    "gelu_tanh": (lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), 4, 4, 0),
    "gelu_erf": (CURVES["gelu"], 0, 16 + 0.75e-7 / ULP, 0),
    **{f"reciprocal_newton_{n}": (np.reciprocal, 4, 0, 0) for n in (2, 64, 256, 4096)},
    **{f"rsqrt_newton_{n}": (lambda x: 1 / np.sqrt(x), 6, 0, 0) for n in (2, 64, 256, 4096)},
}
"""Function in float64 and how many half units in the last place of the result, of x, and of their product."""


@pytest.mark.parametrize("name", EXACT)
def test_float_units_error(name):
    """Against float64.

    exp: the polynomial's 3 units in the last place, and the scaling; by table h**2 / 8 with h = ln 2 / n, and x log2(e)
    rounded, whose error the exponential multiplies by x. Sigmoid and SiLU: that, a sum, a division, two products.
    tanh: one unit and the polynomial's. GELU: of x, tanh's or half of erfc's 1.5e-7 and the roundings of h. Newton:
    the rounding of its last step, three operations of which the second has half the weight.
    """
    curve, of_result, of_x, of_both = EXACT[name]
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-20, 20, 50_000), np.exp(rng.uniform(-20, 20, 20_000))]).astype(np.float32)
    x = x[(x > 0) if name.startswith("rsqrt") else (x < 80)]
    expected = curve(x.astype(np.float64))
    error = np.abs(get_unit(name).apply(x[None])[0] - expected)
    normal = np.abs(expected) > 2.0**-120
    largest, size = np.abs(x.astype(np.float64)), np.abs(expected)
    assert (error <= (of_result * size + of_x * largest + of_both * size * largest) * ULP)[normal].all()


@pytest.mark.parametrize("name", ["exp_polynomial", "exp_table"])
def test_ends_of_the_exponential(name):
    """Infinite from 89 on, subnormal down to 2**-149, then 0; masked and overflowing scores included."""
    x = np.array([[89, 1e30, np.inf, -104.5, -np.inf, -1e30, 0, -95]], np.float32)
    result = get_unit(name).apply(x)[0]
    assert result[:7].tolist() == [np.inf, np.inf, np.inf, 0, 0, 0, 1]
    assert abs(result[7] - np.exp(-95.0)) < 2.0**-148


@pytest.mark.parametrize("name", ["reciprocal_newton", "rsqrt_newton"])
def test_newton_at_the_ends(name):
    """Zeros, infinities, every power of two and the subnormal ones among them, to one unit in the last place."""
    x = np.ldexp(np.float32(1), np.arange(-149, 128)).astype(np.float32)
    with np.errstate(over="ignore"):
        expected = ((1 / x.astype(np.float64)) ** (0.5 if name.startswith("rsqrt") else 1)).astype(np.float32)
    result = get_unit(name).apply(x[None])[0]
    np.testing.assert_array_almost_equal_nulp(result[np.isfinite(expected)], expected[np.isfinite(expected)], 1)
    assert (result[np.isinf(expected)] == np.inf).all()
    ends = get_unit(name).apply(np.array([[0.0, np.inf, -1.0]], np.float32))[0]
    assert ends[:2].tolist() == [np.inf, 0]
    assert ends[2] == -1 if name.startswith("reciprocal") else np.isnan(ends[2])


def test_hard_swish_error():
    x = np.linspace(-8, 8, 10_001).astype(np.float32)[None]
    expected = CURVES["hardswish"](x.astype(np.float64))
    assert (np.abs(get_unit("hard_swish").apply(x) - expected) <= 4 * 2.0**-24 * np.abs(x)).all()


@pytest.mark.parametrize("name", ["gelu_ibert", "gelu_shift"])
def test_every_code(name):
    """ShiftGELU looks at a row's largest value: rows of two, beside 0 and beside 5."""
    unit = get_unit(name)
    for other in (0, round(5 / unit.input_scale)):
        rows = np.stack([CODES, np.full_like(CODES, other)], axis=1)
        result = unit.kernel(rows)
        assert result.tolist() == [unit.definition(row) for row in rows.tolist()]
        lowest, highest = code_range(unit.output_format)
        assert lowest <= result.min()
        assert result.max() <= highest


@given(row=arrays(np.int32, st.integers(1, 40), elements=st.integers(-32768, 32767) | st.integers(-200, 200)))
def test_any_row_of_the_shift_unit(row):
    unit = get_unit("gelu_shift")
    assert unit.kernel(row[None])[0].tolist() == unit.definition(row.tolist())


def test_error_of_the_polynomial():
    """The polynomial's error of 0.018 that the paper states, over every code; beyond, erf lacks less than 0.2 %."""
    x = CODES * 2.0**-11
    result = get_unit("gelu_ibert").apply(x.astype(np.float32)[None])[0]
    assert np.abs(result - CURVES["gelu"](x)).max() <= 0.02


@pytest.mark.parametrize(("largest", "bound"), [(2, 0.08), (4, 0.15), (8, 0.3)])
def test_error_of_the_shifts(largest, bound):
    """The sigmoid is 8 bits, cut off twice: up to 1/32 of x near the largest value, beside its own approximation."""
    x = np.arange(-8, largest + 1 / 16, 1 / 16)
    assert np.abs(get_unit("gelu_shift").apply(x.astype(np.float32)[None])[0] - CURVES["gelu"](x)).max() <= bound


@given(row=arrays(np.int32, 9, elements=st.integers(-(1 << 31), (1 << 31) - 1)))
def test_any_root(row):
    unit = get_unit("integer_sqrt")
    assert unit.kernel(row[None])[0].tolist() == unit.definition(row.tolist())
    assert unit.definition(row.tolist()) == [math.isqrt(max(n, 0)) for n in row.tolist()]


def test_roots_at_every_square():
    squares = [s * s + d for s in range(46341) for d in (-1, 0, 1)]
    result = get_unit("integer_sqrt").kernel(np.array([squares], np.int64).astype(np.int32))[0]
    assert result.tolist() == [math.isqrt(max(n, 0)) for n in squares]


def test_iterations():
    """As many as the unit's work counts, at both ends of every length of n."""

    def count(n):
        x, steps = 1 << -(-n.bit_length() // 2), 1
        while (following := (x + n // x) // 2) < x:
            x, steps = following, steps + 1
        return steps

    worst = max(
        count(n)
        for bits in range(1, 32)
        for n in {(1 << bits - 1), (1 << bits) - 1, 3 << max(0, bits - 2)}
        if n < 1 << 31
    )
    assert worst * 2 == integer_sqrt.UNIT.work.adds


@pytest.mark.parametrize("name", unit_names())
def test_not_a_number(name):
    assert np.isnan(get_unit(name).apply(np.array([[np.nan]], np.float32))).all()


@pytest.mark.parametrize("name", unit_names())
def test_records(name):
    unit = get_unit(name)
    assert unit.name == name
    assert unit.source
    assert unit.signals
    assert unit.work.operations > 0
