"""The fast tensor-core kernel against the definition in fractions and against the general kernel, on hard operands."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.accumulators import Aligned, Precision
from simhw.accumulators.rounding import FLOAT16
from simhw.accumulators.tensor_cores import tensor_core
from simhw.formats import decode, get_element_format
from simhw.formats.rounding import Rounding
from simhw.gemm.alignment import ALIGNED_FAST, ALIGNED_GENERAL
from simhw.gemm.extent import extent_of
from simhw.gemm.plan import Plan, group_sums, plan_sum
from simhw.kernel import has_half_conversion

PRESETS = [
    ("hopper", "e4m3", "fp32"),
    ("hopper", "e4m3", "fp16"),
    ("hopper", "e5m2", "fp16"),
    ("hopper", "fp16", "fp32"),
    ("hopper", "fp16", "fp16"),
    ("hopper", "tf32", "fp32"),
    ("hopper", "bf16", "fp32"),
    ("blackwell", "e4m3", "fp32"),
    ("blackwell", "e2m1", "fp16"),
    ("ada", "e5m2", "fp32"),
    ("ampere", "tf32", "fp32"),
    ("volta", "fp16", "fp16"),
]


def finite_values(name):
    form = get_element_format(name)
    if form.bits > 16:  # tf32: short significands at every exponent
        exponents = np.exp2(np.arange(-126, 120, dtype=np.float32))
        return (exponents[:, None] * np.float32([1, -1, 1.5, -1.25, 1 + 2.0**-10])).reshape(-1).astype(np.float32)
    values = decode(np.arange(form.code_count, dtype=form.code_dtype), form).astype(np.float32)
    return values[np.isfinite(values)]


def same_bits(got, expected):
    got, expected = np.asarray(got, np.float32), np.asarray(expected, np.float32)
    np.testing.assert_array_equal(got.view(np.uint32), expected.view(np.uint32))


def both_kernels(accumulator, a, b):
    extents = (extent_of(a, -149), extent_of(b, -149))
    chosen = plan_sum(accumulator, a.shape[2], *extents)
    general = Plan(kernel=ALIGNED_GENERAL, why="forced")
    got = [group_sums(plan, accumulator, a, b, extents) for plan in (chosen, general)]
    same_bits(*got)
    return chosen, got[0]


@settings(max_examples=200)
@given(preset=st.sampled_from(PRESETS), data=st.data())
def test_fast_kernel_equals_definition_on_any_values_in_range(preset, data):
    """Values within a window of exponents, zeros among them; the window slides over the whole range of the format."""
    accumulator = tensor_core(*preset)
    values = finite_values(preset[1])
    low = data.draw(st.integers(-30, 4))
    window = values[(np.abs(values) >= 2.0**low) & (np.abs(values) < 2.0 ** (low + data.draw(st.integers(2, 34))))]
    window = np.append(window, np.float32([0, 0, -0.0]))
    k = data.draw(st.integers(1, 70))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    a, b = (rng.choice(window, (1, rows, k)) for rows in (2, 3))
    if data.draw(st.booleans()):  # cancellation: the carried result falls below the products
        a[:, :, 1::2] = a[:, :, : k - 1 : 2][:, :, : a[:, :, 1::2].shape[2]]
        b[:, :, 1::2] = -b[:, :, : k - 1 : 2][:, :, : b[:, :, 1::2].shape[2]]
    _, got = both_kernels(accumulator, a, b)
    for i, j in np.ndindex(2, 3):
        same_bits(got[0, i, j], np.float32(float(accumulator.dot(a[0, i].tolist(), b[0, j].tolist()))))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("m", "n", "k"), [(3, 130, 100), (6, 257, 64)])
def test_usual_operands_take_the_fast_kernel(preset, m, n, k):
    rng = np.random.default_rng(m)
    values = np.sort(finite_values(preset[1]))
    a, b = (rng.standard_normal((1, rows, k)).astype(np.float32) for rows in (m, n))
    a, b = (values[np.minimum(np.searchsorted(values, v), len(values) - 1)] for v in (a, b))
    a[0, 1], b[0, 2, ::2] = 0, 0
    chosen, _ = both_kernels(tensor_core(*preset), a, b)
    converts = preset[2] != "fp16" or has_half_conversion()
    assert chosen.kernel == (ALIGNED_FAST if converts else ALIGNED_GENERAL)


def test_largest_significands_in_one_block_do_not_overflow():
    """Every aligned term as large as can be, all of one sign: 32 bits hold 8 or 16 of them, not a block."""
    for preset, value in ((("hopper", "fp16", "fp32"), 2 - 2.0**-10), (("blackwell", "e4m3", "fp32"), 1.875)):
        accumulator = tensor_core(*preset)
        a = np.full((1, 2, 96), value, np.float32)
        a[0, 1, ::3] = -a[0, 1, ::3]
        chosen, got = both_kernels(accumulator, a, a[:, :1])
        assert chosen.kernel == ALIGNED_FAST
        same_bits(got[0, 0, 0], np.float32(float(accumulator.dot([value] * 96, [value] * 96))))


def test_tiny_blocks_let_zero_terms_set_the_unit():
    """fp16 results: a zero takes part with exponent -21, which matters once all other terms are smaller."""
    accumulator = tensor_core("hopper", "e5m2", "fp16")
    tiny = 2.0**-13
    a = np.zeros((1, 2, 64), np.float32)
    a[0, :, :32] = tiny
    a[0, :, 32:] = tiny * 1.75
    b = a[:, :1].copy()
    a[0, 1, 40] = 0
    chosen, got = both_kernels(accumulator, a, b)
    assert chosen.kernel == (ALIGNED_FAST if has_half_conversion() else ALIGNED_GENERAL)
    for i in range(2):
        same_bits(got[0, i, 0], np.float32(float(accumulator.dot(a[0, i].tolist(), b[0, 0].tolist()))))


def test_fp16_registers_that_overflow_stay_infinite():
    accumulator = tensor_core("hopper", "fp16", "fp16")
    a = np.zeros((1, 2, 64), np.float32)
    a[0, :, 0], a[0, :, 20], a[0, 1, :] = 300, -300, -a[0, 0, :]
    b = np.full((1, 1, 64), 300, np.float32)
    chosen, got = both_kernels(accumulator, a, b)
    assert chosen.kernel == (ALIGNED_FAST if has_half_conversion() else ALIGNED_GENERAL)
    assert got[0, 0, 0] == np.inf
    assert accumulator.dot(a[0, 0].tolist(), b[0, 0].tolist()) == np.inf


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    block=st.integers(1, 40),
    fraction=st.integers(3, 26),
    bits=st.integers(4, 24),
    k=st.integers(1, 90),
)
def test_any_block_and_any_number_of_fraction_bits(seed, block, fraction, bits, k):
    result = Precision(
        name="r", significand_bits=bits, minimum_exponent=-126, maximum_exponent=127, rounding=Rounding.TOWARD_ZERO
    )
    accumulator = Aligned(
        block=block, fraction_bits=fraction, zero_exponent=-133, result=result, minimum_exponents=(-6, -6)
    )
    rng = np.random.default_rng(seed)
    values = finite_values("e4m3")
    a, b = (rng.choice(values, (1, rows, k)) for rows in (2, 2))
    chosen, got = both_kernels(accumulator, a, b)
    assert chosen.kernel == ALIGNED_FAST
    same_bits(got[0, 1, 1], np.float32(float(accumulator.dot(a[0, 1].tolist(), b[0, 1].tolist()))))


@settings(max_examples=60)
@given(preset=st.sampled_from(PRESETS), seed=st.integers(0, 2**32), k=st.integers(1, 70))
def test_alignment_to_nearest(preset, seed, k):
    accumulator = replace(tensor_core(*preset), alignment=Rounding.NEAREST_EVEN)
    rng = np.random.default_rng(seed)
    values = finite_values(preset[1])
    values = values[np.abs(values) < 64]
    a, b = (rng.choice(values, (1, rows, k)) for rows in (2, 2))
    extents = (extent_of(a, -149), extent_of(b, -149))
    chosen = plan_sum(accumulator, k, *extents)
    assert chosen.kernel == ALIGNED_GENERAL
    got = group_sums(chosen, accumulator, a, b, extents)
    for i, j in np.ndindex(2, 2):
        same_bits(got[0, i, j], np.float32(float(accumulator.dot(a[0, i].tolist(), b[0, j].tolist()))))


def test_alignment_to_nearest_is_not_truncation():
    truncating = tensor_core("hopper", "e4m3", "fp32")
    nearest = replace(truncating, alignment=Rounding.NEAREST_EVEN)
    a, b = [16.0, 1.75], [16.0, 2.0**-6]
    assert float(truncating.dot(a, b)) == 256.0
    assert float(nearest.dot(a, b)) == 256.0 + 2.0**-5
    assert "nearest" in nearest.name
    assert nearest.result != FLOAT16
