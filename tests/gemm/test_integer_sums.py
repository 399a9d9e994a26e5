"""Integer registers that clamp, wrap, cut or flush: every kernel against the definition in Python integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.accumulators import (
    Chunked,
    Cut,
    Exact,
    Ieee,
    LsbTruncated,
    Pairwise,
    PartialSums,
    Saturate,
    Vpmaddubsw,
    Where,
    float_precision,
)
from simhw.accumulators.rounding import BFLOAT16, FLOAT16, FLOAT64
from simhw.accumulators.tensor_cores import tensor_core
from simhw.errors import InputError
from simhw.formats.rounding import Rounding
from simhw.gemm.extent import Extent, extent_of
from simhw.gemm.integer_sums import SGEMM_CHUNKS
from simhw.gemm.kernels.dots import has_dot_products
from simhw.gemm.paths import saturate
from simhw.gemm.paths.exact import SGEMM
from simhw.gemm.paths.int8 import INT8
from simhw.gemm.plan import Plan, group_sums, plan_sum

BYTES = INT8 if has_dot_products() else SGEMM
"""The kernel of exact sums of bytes that fp32 holds."""
WORDS = saturate.SATURATE_INT32 if has_dot_products() else saturate.SATURATE_FP32
"""The kernel of a saturating register of 18 to 25 bits."""


def check(accumulator, a, b, c=None, kernels=(), unit=0):
    """The chosen kernel and any others that are valid against ``dot_integers``; operands are integers."""
    scale = np.float32(2.0**unit)
    x, y = a[None].astype(np.float32) * scale, b[None].astype(np.float32) * scale
    extents = (extent_of(x, unit), extent_of(y, unit))
    start = None if c is None else c[None].astype(np.float32) * scale * scale
    chosen = plan_sum(accumulator, a.shape[1], *extents)
    expected = [
        [
            accumulator.dot_integers(list(map(int, p)), list(map(int, q)), 0 if c is None else int(c[i, j]))
            for j, q in enumerate(b)
        ]
        for i, p in enumerate(a)
    ]
    for kernel in (chosen.kernel, *kernels):
        got = group_sums(Plan(kernel=kernel, why="forced"), accumulator, x, y, extents, start)[0]
        integers = got if got.dtype.kind == "i" else np.ldexp(got.astype(np.float64), -2 * unit)
        assert integers.astype(object).tolist() == expected, kernel
    return chosen


@st.composite
def integer_operands(draw, low=-128, high=127, sizes=(5, 6, 90)):
    m, n, k = (draw(st.integers(1, s)) for s in sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    drift = draw(st.sampled_from([0, 40, 100]))  # one-sided sums run into the bounds
    a, b = (np.clip(rng.integers(low, high + 1, (rows, k)) + drift, low, high) for rows in (m, n))
    if draw(st.booleans()):
        b[:, k // 2 :] *= -1
        b = np.clip(b, low, high)
    return a, b


ADDENDS = st.sampled_from([None, 0, 5, -300, 70000])


def addend(value, a, b):
    return None if value is None else np.full((len(a), len(b)), value)


@settings(max_examples=150)
@given(data=integer_operands(), bits=st.integers(2, 40), value=ADDENDS, unit=st.sampled_from([0, -3]))
def test_saturating_sums(data, bits, value, unit):
    a, b = data
    both = [saturate.SATURATE_FP64, *([saturate.SATURATE_FP32] if bits <= 24 else [])]
    both += [saturate.SATURATE_INT16] if bits == 16 else []
    both += [saturate.SATURATE_INT32] if 18 <= bits <= 32 and has_dot_products() else []
    check(Saturate(bits=bits), a, b, addend(value, a, b), both, unit)


@given(
    data=integer_operands(),
    inner=st.integers(2, 24),
    extra=st.integers(0, 12),
    every=st.integers(1, 40),
    saturating=st.booleans(),
    value=ADDENDS,
)
def test_partial_sums(data, inner, extra, every, saturating, value):
    a, b = data
    accumulator = PartialSums(inner_bits=inner, every=every, outer_bits=inner + extra, saturating=saturating)
    check(accumulator, a, b, addend(value, a, b))


@given(
    data=integer_operands(),
    bits=st.integers(0, 12),
    every=st.integers(1, 40),
    cut=st.sampled_from(Cut),
    where=st.sampled_from(Where),
    register=st.sampled_from([None, 2, 12, 20, 32]),
    value=ADDENDS,
)
def test_cut_sums(data, bits, every, cut, where, register, value):
    a, b = data
    accumulator = LsbTruncated(bits=bits, every=every, cut=cut, where=where, register_bits=register)
    check(accumulator, a, b, addend(value, a, b))


@given(data=st.data(), value=ADDENDS)
def test_byte_pairs(data, value):
    k = data.draw(st.integers(1, 60))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    low = data.draw(st.sampled_from([0, 128, 240]))
    a, b = rng.integers(low, 256, (4, k)), rng.choice([-128, 127, 3], (5, k))
    check(Vpmaddubsw(), a, b, addend(value, a, b))


def test_byte_pairs_saturate_as_onnx_runtime_describes():
    a, b = np.full((1, 3), 255), np.full((1, 3), 127)
    assert Vpmaddubsw().dot_integers([255] * 3, [127] * 3) == 32767 + 255 * 127
    check(Vpmaddubsw(), a, b)
    assert check(Vpmaddubsw(), a, np.full((1, 3), -64)).kernel == SGEMM  # 7-bit weights cannot saturate
    long = np.full((1, 2050), 255), np.full((1, 2050), -128)
    check(Vpmaddubsw(), *long)


def test_int16_partial_sums_of_int8_as_hand_calculated():
    """200 products of 127 * 127: int16 holds two of them; every 2 flushed is exact, every 4 wraps or clamps."""
    a = b = np.full((1, 200), 127)
    exact = 200 * 127 * 127
    for every, saturating, expected in (
        (2, False, exact),
        (4, False, 50 * (4 * 127 * 127 - 2**16)),
        (4, True, 50 * 32767),
    ):
        accumulator = PartialSums(inner_bits=16, every=every, outer_bits=32, saturating=saturating)
        assert accumulator.dot_integers([127] * 200, [127] * 200) == expected
        check(accumulator, a, b)


def test_saturation_is_counted_and_certificates_spare_the_clamping():
    rng = np.random.default_rng(3)
    a, b = rng.integers(-20, 21, (64, 512)), rng.integers(-20, 21, (200, 512))
    a[7], b[130] = 100, 100  # one output that must clamp
    accumulator = Saturate(bits=20)
    x, y = a[None].astype(np.float32), b[None].astype(np.float32)
    extents = (extent_of(x, 0), extent_of(y, 0))
    in_floats = Plan(kernel=saturate.SATURATE_FP32, why="forced")
    sums, tally = saturate.run_counted(in_floats, accumulator, x, y, extents)
    prefix = np.cumsum(a[:, None, :] * b[None, :, :], axis=2)
    over = (np.abs(prefix) > 2**19 - 1).any(axis=2)
    assert tally.overflows == int(over.sum()) == 1
    assert 0 < tally.slow_steps < tally.steps // 10
    assert tally.steps == 16 * 2 * 8
    np.testing.assert_array_equal(sums[0][~over], prefix[:, :, -1][~over])
    check(accumulator, a[4:8], b[128:132])


@given(data=integer_operands(low=-8, high=7), bits=st.integers(8, 16), value=st.sampled_from([None, 3, -9000]))
def test_narrow_registers_in_the_upper_bits_of_16(data, bits, value):
    a, b = data
    chosen = check(Saturate(bits=bits), a, b, addend(value, a, b))
    product = int(np.abs(a).max() * np.abs(b).max())
    fits = product << (16 - bits) < 2**15
    proven = a.shape[1] * product < 2 ** (bits - 1)
    others = (saturate.SATURATE_INT32, saturate.SATURATE_FP32)
    assert chosen.kernel in ((BYTES,) if proven else (saturate.SATURATE_INT16,) if fits else others)


@settings(max_examples=150)
@given(data=integer_operands(), bits=st.integers(2, 32), value=ADDENDS)
def test_every_kernel_counts_the_sums_that_were_clamped(data, bits, value):
    """Once or often, back within the range or not, by the addend or by a product."""
    a, b = data
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    held = np.zeros((len(a), len(b)), np.int64) + (value or 0)
    clamped = np.zeros(held.shape, bool)
    for k in range(-1, a.shape[1]):
        held = held + (np.outer(a[:, k], b[:, k]) if k >= 0 else 0)
        clamped |= (held < low) | (held > high)
        held = np.clip(held, low, high)
    x, y = a[None].astype(np.float32), b[None].astype(np.float32)
    extents = (extent_of(x, 0), extent_of(y, 0))
    start = None if value is None else np.full((1, *held.shape), value, np.float32)
    accumulator = Saturate(bits=bits)
    chosen = plan_sum(accumulator, a.shape[1], *extents).kernel
    for kernel in {chosen, saturate.SATURATE_FP64, saturate.SATURATE_INT32}:
        sums, tally = saturate.run_counted(Plan(kernel=kernel, why="forced"), accumulator, x, y, extents, start)
        units = sums[0].astype(np.int64)
        assert (units == held).all(), kernel
        assert tally.overflows == np.count_nonzero(clamped), kernel


def test_plus_128_is_not_taken_for_minus_128():
    a = np.array([[128, 128, -128]])
    for bits in (8, 16, 20):
        check(Saturate(bits=bits), a, a)


def test_exact_sums_too_long_for_fp32_run_in_chunks():
    rng = np.random.default_rng(6)
    a, b = rng.integers(-128, 128, (3, 2500)), rng.integers(-128, 128, (4, 2500))
    chunks = [SGEMM_CHUNKS]
    usual = INT8 if has_dot_products() else SGEMM_CHUNKS
    assert check(Saturate(bits=32), a, b, kernels=chunks).kernel == usual
    assert check(Saturate(bits=32), a, b, kernels=chunks, unit=-4).kernel == usual
    assert check(PartialSums(inner_bits=32, outer_bits=40, every=7), a, b, kernels=chunks).kernel == usual
    assert check(Saturate(bits=32), a + 200, b).kernel == SGEMM_CHUNKS


def test_planner_proves_that_nothing_saturates_exactly_at_the_bound():
    a = Extent(unit=0, largest=127)
    k = (2**19 - 1) // 127**2
    assert plan_sum(Saturate(bits=20), k, a, a).kernel == BYTES
    assert plan_sum(Saturate(bits=20), k + 1, a, a).kernel == WORDS
    assert plan_sum(Saturate(bits=25), 10**6, a, a).kernel == (WORDS if has_dot_products() else saturate.SATURATE_FP64)
    assert "nothing saturates" in plan_sum(Saturate(bits=20), k, a, a).why
    wide = Extent(unit=0, largest=2**31)
    with pytest.raises(InputError, match="accumulator bits is 60 with products up to"):
        plan_sum(Saturate(bits=60), 10, wide, wide)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_results_do_not_depend_on_threads(threads, monkeypatch):
    monkeypatch.setenv("SIMHW_THREADS", threads)
    rng = np.random.default_rng(4)
    a, b = rng.integers(-128, 128, (37, 300)), rng.integers(-128, 128, (9, 300))
    check(Saturate(bits=19), a, b)
    check(PartialSums(every=3), a, b)


INNERS = (
    Exact(),
    Saturate(bits=16),
    LsbTruncated(bits=3, every=4),
    PartialSums(every=4),
    Ieee(),
    Ieee(precision=FLOAT16),
    Ieee(precision=FLOAT64),
    Pairwise(precision=BFLOAT16),
    tensor_core("hopper", "e4m3", "fp32"),
)


@settings(max_examples=60)
@given(
    data=integer_operands(low=-16, high=16, sizes=(2, 3, 60)),
    inner=st.sampled_from(INNERS),
    every=st.integers(1, 40),
    outer=st.builds(float_precision, st.sampled_from([5, 8]), st.integers(2, 23), st.sampled_from(list(Rounding)[:6])),
    value=st.sampled_from([None, 0.0, 3.3, -1e4]),
)
def test_promotion_of_any_inner_accumulator(data, inner, every, outer, value):
    a, b = (v[None].astype(np.float32) for v in data)
    extents = (extent_of(a, 0), extent_of(b, 0))
    accumulator = Chunked(inner=inner, every=every, outer=outer)
    c = None if value is None else np.full((1, a.shape[1], b.shape[1]), value, np.float32)
    got = group_sums(plan_sum(accumulator, a.shape[2], *extents), accumulator, a, b, extents, c)
    start = 0.0 if c is None else float(c[0, 0, 0])
    for i, j in np.ndindex(a.shape[1], b.shape[1]):
        expected = np.float64(accumulator.dot(a[0, i].tolist(), b[0, j].tolist(), start))
        assert got[0, i, j] == expected or (np.isnan(got[0, i, j]) and np.isnan(expected))


def test_deepseek_promotion_is_closer_to_the_exact_sum():
    rng = np.random.default_rng(5)
    a, b = (np.abs(rng.integers(-16, 17, (1, 4096))).astype(np.float64) for _ in range(2))
    inner = tensor_core("hopper", "e4m3", "fp32")
    exact = float(np.sum(a * b))
    errors = [abs(float(x.dot(a[0].tolist(), b[0].tolist())) - exact) for x in (inner, Chunked(inner=inner, every=128))]
    assert errors[1] < errors[0] / 4


def test_bad_input_is_refused():
    with pytest.raises(InputError, match=r"accumulator bits is 1, must be 2\.\.64"):
        Saturate(bits=1)
    with pytest.raises(InputError, match=r"outer_bits is 8, must be 16\.\.53"):
        PartialSums(inner_bits=16, outer_bits=8, every=4)
    with pytest.raises(InputError, match="every is 0, must be at least 1"):
        LsbTruncated(bits=2, every=0)
    with pytest.raises(InputError, match="inner accumulator is 'integer 8 bit, wrapping', which wraps"):
        Chunked(inner=Exact(bits=8), every=4)
    with pytest.raises(InputError, match=r"operand holds 0\.5, an integer accumulator takes whole numbers"):
        Saturate(bits=8).dot([0.5], [1.0])
    unit = Extent(unit=-3, largest=7)
    with pytest.raises(InputError, match="an inner integer register takes integers"):
        plan_sum(Chunked(inner=Saturate(bits=8), every=4), 8, unit, unit)
    wide = Extent(unit=0, largest=2**14)
    with pytest.raises(InputError, match="operands reach 16384 units, pairs of byte products take at most 255"):
        plan_sum(Vpmaddubsw(), 4, wide, wide)
    ones = np.ones((1, 1, 4), np.float32)
    one = extent_of(ones, 0)
    plan = plan_sum(Saturate(bits=8), 4, one, one)
    with pytest.raises(InputError, match="c holds values that are no whole multiples"):
        group_sums(plan, Saturate(bits=8), ones, ones, (one, one), ones[:, :, :1] / 2)
    huge = Extent(unit=0, largest=2**30)
    with pytest.raises(InputError, match="a chunk of 4 products can need 64 bits"):
        plan_sum(LsbTruncated(bits=2, every=4), 8, huge, huge)
