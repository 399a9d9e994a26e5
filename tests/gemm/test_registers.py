"""Floating-point registers of any precision and rounding: every kernel against the definition, bit by bit."""

import math
from dataclasses import replace
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.accumulators import Ieee, Pairwise, Precision, Split, Tree, float_precision
from simhw.accumulators.rounding import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, ROUNDINGS, round_to_precision
from simhw.errors import InputError
from simhw.formats import decode, get_element_format
from simhw.formats.rounding import Rounding
from simhw.gemm.extent import extent_of
from simhw.gemm.plan import Plan, group_sums, plan_sum
from simhw.gemm.registers import has_half_arithmetic
from simhw.kernel import has_half_conversion

FORMATS = ("e4m3", "e5m2", "e2m1", "int8", "fp16", "bf16")


def same_bits(got, expected):
    """Equal as float64, signs of zeros included; every NaN is one NaN."""
    expected = np.asarray(expected, np.float64)
    got = np.asarray(got, np.float64)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    kept = ~np.isnan(expected)
    np.testing.assert_array_equal(got[kept], expected[kept])
    np.testing.assert_array_equal(np.signbit(got[kept]), np.signbit(expected[kept]))


def define(accumulator, a, b, c):
    out = np.zeros((a.shape[1], b.shape[1]))
    for i, j in np.ndindex(*out.shape):
        added = 0.0 if c is None else float(c[0, i, j])
        out[i, j] = float(accumulator.dot(a[0, i].tolist(), b[0, j].tolist(), added))
    return out


def check(accumulator, a, b, unit, c=None, kernels=()):
    """The chosen kernel, and any others that are valid for the operands, against the definition."""
    extents = (extent_of(a, unit), extent_of(b, unit))
    chosen = plan_sum(accumulator, a.shape[2], *extents)
    expected = define(accumulator, a, b, c)
    for kernel in (chosen.kernel, *kernels):
        got = group_sums(Plan(kernel=kernel, why="forced"), accumulator, a, b, extents, c)
        same_bits(got[0], expected)
    return chosen


def unit_of(name):
    return int(get_element_format(name).lsb_exponent)


def finite_values(name):
    form = get_element_format(name)
    values = decode(np.arange(form.code_count, dtype=form.code_dtype), form).astype(np.float32)
    return values[np.isfinite(values)]


@st.composite
def operands(draw, name):
    k, m, n = draw(st.integers(1, 12)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    values = finite_values(name)
    pick = st.lists(st.integers(0, len(values) - 1), min_size=k, max_size=k)
    return tuple(values[np.array([[draw(pick) for _ in range(rows)]])] for rows in (m, n))


PRECISIONS = st.builds(float_precision, st.integers(3, 8), st.integers(1, 20), st.sampled_from(ROUNDINGS)).flatmap(
    lambda p: st.sampled_from([p, p, replace(p, saturates=True)])
)


@settings(max_examples=150)
@given(data=st.data(), name=st.sampled_from(FORMATS), precision=PRECISIONS, fused=st.booleans())
def test_sequential_sums_in_any_register(data, name, precision, fused):
    a, b = data.draw(operands(name))
    check(Ieee(precision=precision, fused=fused), a, b, unit_of(name))


@settings(max_examples=150)
@given(data=st.data(), name=st.sampled_from(FORMATS), precision=PRECISIONS, shape=st.sampled_from(["tree", *Split]))
def test_trees_in_any_register(data, name, precision, shape):
    a, b = data.draw(operands(name))
    width = data.draw(st.sampled_from([1, 2, 4, 8]))
    tree = shape == "tree"
    accumulator = Tree(width=width, precision=precision) if tree else Pairwise(precision=precision, split=shape)
    check(accumulator, a, b, unit_of(name))


@settings(max_examples=60)
@given(data=st.data(), rounding=st.sampled_from(ROUNDINGS), fused=st.booleans())
def test_fp32_operands_and_registers_that_hold_them(data, rounding, fused):
    """Products have 48 bits: the processor's fp32 in its own modes, fp64 arithmetic for the rest."""
    k = data.draw(st.integers(1, 8))
    floats = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**60), max_value=2.0**60)
    rows = st.lists(floats, min_size=k, max_size=k)
    a, b = (np.array([[data.draw(rows)]], np.float32) for _ in range(2))
    for precision in (replace(FLOAT32, rounding=rounding), float_precision(8, 12, rounding)):
        check(Ieee(precision=precision, fused=fused), a, b, -149)
    if rounding in (Rounding.NEAREST_EVEN, Rounding.TOWARD_ZERO, Rounding.UP, Rounding.DOWN):
        check(Ieee(precision=replace(FLOAT64, rounding=rounding), fused=fused), a, b, -149)


@given(data=st.data(), name=st.sampled_from(["e4m3", "fp16"]), precision=PRECISIONS)
def test_addends_are_rounded_and_take_part(data, name, precision):
    a, b = data.draw(operands(name))
    addend = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**99), max_value=2.0**99)
    row = st.lists(addend, min_size=b.shape[1], max_size=b.shape[1])
    c = np.array([[data.draw(row) for _ in range(a.shape[1])]], np.float32)
    for accumulator in (
        Ieee(precision=precision),
        Ieee(precision=precision, fused=False),
        Tree(width=4, precision=precision),
        Pairwise(precision=precision),
    ):
        check(accumulator, a, b, unit_of(name), c)


def hard_rows(name, k=24):
    """Large and tiny products in one sum: ties, a tail far below them, cancellation, overflow."""
    values = np.unique(finite_values(name))
    rng = np.random.default_rng(len(values))
    edge = np.concatenate([values[:6], values[-6:], values[len(values) // 2 - 6 :][:12]])
    a = rng.choice(edge, (1, 16, k))
    b = rng.choice(edge, (1, 24, k))
    a[0, :8, ::2] = -a[0, :8, 1::2]
    b[0, :8, ::2] = b[0, :8, 1::2]
    return a, b


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "int8", "fp16"])
@pytest.mark.parametrize(
    "precision", [FLOAT16, BFLOAT16, float_precision(5, 2), float_precision(4, 3), float_precision(6, 9)]
)
def test_every_kernel_on_hard_operands(name, precision):
    a, b = hard_rows(name)
    unit = unit_of(name)
    chosen = check(Ieee(precision=precision), a, b, unit, kernels=("chain_nearest_odd_fp64",))
    if chosen.kernel in ("chain_half_fused_fp32", "chain_half_fp32"):
        others = ("chain_half_fp32", "chain_nearest_fp32", "chain_nearest_odd_fp32")
        others = others if has_half_conversion() else others[1:]
        check(Ieee(precision=precision), a, b, unit, kernels=others if name != "fp16" else ())
    check(Ieee(precision=precision, fused=False), a, b, unit)
    check(Tree(width=8, precision=precision), a, b, unit, kernels=("nearest_odd_fp64",))


def test_planner_rounds_to_odd_exactly_where_rounding_twice_goes_wrong():
    """E4M3 products of 8 bits into 3 bits: 18 * 16 is a tie that 2**-18 breaks, too far away for fp32."""
    a = np.array([[[2.0**-9, 18.0]]], np.float32)
    b = np.array([[[2.0**-9, 16.0]]], np.float32)
    register = Precision(name="E8M2", significand_bits=3, minimum_exponent=-126, maximum_exponent=127)
    chosen = check(Ieee(precision=register), a, b, -9)
    assert chosen.kernel == "chain_nearest_odd_fp32"
    extents = (extent_of(a, -9), extent_of(b, -9))
    wrong = group_sums(Plan(kernel="chain_nearest_fp32", why="forced"), Ieee(precision=register), a, b, extents)
    assert wrong[0, 0, 0] == 256.0
    assert float(Ieee(precision=register).dot([2.0**-9, 18.0], [2.0**-9, 16.0])) == 320.0
    near = np.array([[[2.0, 18.0]]], np.float32)
    others = ("chain_nearest_bounded_fp32", "chain_nearest_fp32")
    assert check(Ieee(precision=register), near, near, -9, kernels=others).kernel == "chain_nearest_free_fp32"


def test_fp16_register_equals_numpy_adding_in_fp16():
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(s).astype(ml_dtypes.float8_e4m3fn).astype(np.float32) for s in ((5, 70), (9, 70)))
    expected = np.zeros((5, 9), np.float16)
    for k in range(70):
        expected = expected + (a[:, k, None] * b[None, :, k]).astype(np.float16)
    chosen = check(Ieee(precision=FLOAT16), a[None], b[None], -9)
    extents = (extent_of(a[None], -9), extent_of(b[None], -9))
    got = group_sums(chosen, Ieee(precision=FLOAT16), a[None], b[None], extents)
    np.testing.assert_array_equal(got[0].astype(np.float16), expected)
    assert chosen.kernel.startswith("chain_half_fused" if has_half_arithmetic() else "chain_nearest_free")


def test_bf16_register_equals_ml_dtypes_adding_in_bf16():
    rng = np.random.default_rng(1)
    kind = ml_dtypes.bfloat16
    a, b = (rng.standard_normal(s).astype(ml_dtypes.float8_e4m3fn).astype(np.float32) for s in ((3, 90), (4, 90)))
    expected = np.zeros((3, 4), kind)
    for k in range(90):
        expected = expected + (a[:, k, None] * b[None, :, k]).astype(kind)
    extents = (extent_of(a[None], -9), extent_of(b[None], -9))
    accumulator = Ieee(precision=BFLOAT16)
    got = group_sums(plan_sum(accumulator, 90, *extents), accumulator, a[None], b[None], extents)
    np.testing.assert_array_equal(got[0].astype(kind), expected)


@pytest.mark.parametrize("split", Split)
def test_pairwise_sum_of_a_power_of_two_is_a_reduction_by_neighbours(split):
    rng = np.random.default_rng(2)
    a, b = (rng.standard_normal((1, 1, 64)).astype(np.float32) for _ in range(2))
    level = (a * b)[0, 0]
    while len(level) > 1:
        level = level[::2] + level[1::2]
    extents = (extent_of(a, -149), extent_of(b, -149))
    accumulator = Pairwise(split=split)
    assert group_sums(plan_sum(accumulator, 64, *extents), accumulator, a, b, extents)[0, 0, 0] == level[0]


def steps_of(value):
    """How many units in the last place of the 3-bit register below."""
    return abs(value) / math.ldexp(1, max(math.frexp(value)[1] - 3, -4))


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_rounding_of_registers(rounding):
    """Every sixty-fourth between the values of a 3-bit register, by the textbook rule for each mode."""
    register = Precision(name="r", significand_bits=3, minimum_exponent=-2, maximum_exponent=3, rounding=rounding)
    grid = sorted({s * m * 2.0**e for e in range(-4, 2) for m in range(8) for s in (-1, 1)})
    for sixty_fourths in range(-14 * 64, 14 * 64 + 1):
        value = sixty_fourths / 64
        low, high = max(g for g in grid if g <= value), min(g for g in grid if g >= value)
        nearest = min((low, high), key=lambda g: abs(g - value))
        tied = high - value == value - low and low != high
        expected = {
            Rounding.UP: high,
            Rounding.DOWN: low,
            Rounding.TOWARD_ZERO: min(low, high, key=abs),
            Rounding.TO_ODD: low if low == high else next(g for g in (low, high) if steps_of(g) % 2 == 1),
            Rounding.NEAREST_AWAY: max(low, high, key=abs) if tied else nearest,
            Rounding.NEAREST_EVEN: next(g for g in (low, high) if steps_of(g) % 2 == 0) if tied else nearest,
        }
        assert float(round_to_precision(Fraction(value), register)) == expected[rounding], value


def test_special_operands_follow_ieee():
    inf, nan = math.inf, math.nan
    for accumulator in (Ieee(precision=FLOAT16), Pairwise(), Tree(width=4)):
        assert float(accumulator.dot([inf, 1.0], [2.0, -3.0])) == inf
        assert math.isnan(float(accumulator.dot([inf, inf], [1.0, -1.0])))
        assert math.isnan(float(accumulator.dot([inf], [0.0])))
        assert math.isnan(float(accumulator.dot([1.0], [nan])))
        assert float(accumulator.dot([1.0], [1.0], -inf)) == -inf


def test_registers_that_cannot_be_are_refused():
    with pytest.raises(InputError, match=r"rounding of register fp16 is stochastic, must be one of nearest_even"):
        replace(FLOAT16, rounding=Rounding.STOCHASTIC)
    with pytest.raises(InputError, match=r"register is E1M3, must have 2\.\.11 exponent bits"):
        float_precision(1, 3)
    with pytest.raises(InputError, match="it needs at least 1 bit"):
        Precision(name="r", significand_bits=0, minimum_exponent=0, maximum_exponent=1)
    with pytest.raises(InputError, match="tree width is 6, must be a power of two"):
        Tree(width=6)
    with pytest.raises(InputError, match="tree width is 0, must be at least 1"):
        Tree(width=0)
    wide = replace(FLOAT64, rounding=Rounding.TO_ODD)
    extent = extent_of(np.ones((1, 1, 4), np.float32), 0)
    with pytest.raises(InputError, match="register fp64 cannot be emulated for terms of 2 bits"):
        plan_sum(Ieee(precision=wide), 4, extent, extent)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_infinities_that_meet_in_a_tree_give_nan_and_saturated_ones_zero(rounding):
    """Products of 16 and -16 in a register that ends at 12."""
    a = np.array([[[4.0, 4.0, 1.0]]], np.float32)
    b = np.array([[[4.0, -4.0, 1.0]]], np.float32)
    register = float_precision(3, 1, rounding)
    for precision in (register, replace(register, saturates=True)):
        for accumulator in (
            Tree(width=2, precision=precision),
            Pairwise(precision=precision, split=Split.POWER_OF_TWO),
        ):
            check(accumulator, a, b, 0)
    nan = rounding in (Rounding.NEAREST_EVEN, Rounding.NEAREST_AWAY)
    assert math.isnan(float(Tree(width=2, precision=register).dot([4.0, 4.0], [4.0, -4.0]))) == nan
