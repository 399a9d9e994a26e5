"""The int8 instructions of the processor against exact integers, forced onto small shapes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.formats import decode, get_element_format
from simhw.gemm import accumulate
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.engine import multiply
from simhw.gemm.kernels.dots import has_dot_products
from simhw.gemm.operand import Operand
from simhw.gemm.paths import int8
from simhw.gemm.paths.exact import BLOCK_FP32, BLOCK_FP64, block_sums
from simhw.gemm.plan import Plan


def torch_is_exact():
    """Whether torch has int8 products here that do not saturate on the way."""
    most = np.full((1, 2, 64), -128, np.int8)
    return (int8._dot_torch(most, most) == 64 * 128**2).all()


@given(
    m=st.integers(1, 40), n=st.integers(1, 40), k=st.integers(1, 200), seed=st.integers(0, 99), extreme=st.booleans()
)
def test_products_equal_exact_integers(m, n, k, seed, extreme):
    rng = np.random.default_rng(seed)
    draw = (
        (lambda rows: rng.choice([-128, 127], (1, rows, k)))
        if extreme
        else (lambda rows: rng.integers(-128, 128, (1, rows, k)))
    )
    x, y = draw(m).astype(np.int8), draw(n).astype(np.int8)
    expected = x[0].astype(np.int64) @ y[0].astype(np.int64).T
    np.testing.assert_array_equal(int8.dot(x, y)[0], expected)
    if torch_is_exact():
        np.testing.assert_array_equal(int8._dot_torch(x, y)[0], expected)


@pytest.mark.parametrize("name", ["int8", "int4", "uint4", "int2", "uint7", "e2m1", "e2m3"])
def test_small_formats_become_int8_exactly(name):
    form = get_element_format(name)
    codes = np.arange(form.code_count, dtype=np.uint8)[None, None]
    values, extent = int8.small_integers(Operand(codes=codes, format=name))
    np.testing.assert_array_equal(np.ldexp(values.astype(np.float64), extent.unit), decode(codes, form))
    assert np.abs(values.astype(int)).max() <= extent.largest


@pytest.mark.parametrize("name", ["uint8", "e4m3", "e3m2", "int16", "fp16"])
def test_wider_formats_do_not(name):
    codes = np.zeros((1, 1, 4), get_element_format(name).code_dtype)
    assert int8.small_integers(Operand(codes=codes, format=name)) is None


@given(seed=st.integers(0, 99), bits=st.sampled_from([None, 16, 18, 22]))
def test_engine_gives_the_same_bits_with_and_without(seed, bits):
    rng = np.random.default_rng(seed)
    k, group = 300, 128
    activations = Operand(
        codes=rng.integers(0, 256, (2, 5, k), dtype=np.uint8),
        format="int8",
        row_scale=rng.random((2, 5), np.float32),
    )
    weights = Operand(
        codes=rng.integers(0, 16, (2, 7, k), dtype=np.uint8),
        format="uint4",
        group_size=group,
        group_scale=rng.random((2, 7, 3), np.float32),
        zero_point=rng.integers(0, 16, (2, 7, 3)).astype(np.int32),
    )
    datapath = get_datapath("w4a8_mixpe", accumulator_bits=bits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accumulate, "small_integers", lambda _: None)
        plain = multiply(activations, weights, datapath)
    fast = multiply(activations, weights, datapath)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8, "LEAST_WORK", 0)
        patch.setattr(accumulate, "has_dot_products", lambda: False)
        apart = multiply(activations, weights, datapath)
    assert plain.plan.kernel not in (int8.INT8, int8.INT8_GROUPS)
    assert apart.plan.kernel == int8.INT8
    if has_dot_products() and bits in (None, 22):  # others may wrap
        assert fast.plan.kernel == int8.INT8_GROUPS
    for other in (fast, apart):
        np.testing.assert_array_equal(plain.values, other.values)
        assert plain.overflows == other.overflows


@pytest.mark.parametrize(("name", "zero"), [("int4", False), ("uint4", True), ("e2m1", False), ("e2m3", False)])
def test_codes_are_looked_up_with_their_groups_zero_points(name, zero):
    rng = np.random.default_rng(4)
    form = get_element_format(name)
    codes = rng.integers(0, form.code_count, (2, 5, 333)).astype(np.uint8)
    zeros = rng.integers(0, 16, (2, 5, 4)).astype(np.int32) if zero else None
    operand = Operand(codes=codes, format=name, group_size=100, zero_point=zeros)
    values, extent = int8.small_integers(operand)
    np.testing.assert_array_equal(np.ldexp(values.astype(np.float64), extent.unit), operand.integers())


@pytest.mark.parametrize("name", ["e2m1", "int4"])
@pytest.mark.parametrize("size", [4, 16, 32, 100])
def test_scaled_groups_equal_one_group_after_the_other(name, size):
    rng = np.random.default_rng(size)
    m, n, k = 14, 37, 3 * size - 2
    groups = 3
    x, y = (
        Operand(
            codes=rng.integers(0, 16, (1, rows, k)).astype(np.uint8),
            format=name,
            group_size=size,
            group_scale=np.exp2(rng.integers(-20, 20, (1, rows, groups))).astype(np.float32) * np.float32(1.1),
        )
        for rows in (m, n)
    )
    (left, right), unit = (int8.small_integers(o)[0] for o in (x, y)), int8.small_integers(x)[1].unit
    expected = np.zeros((m, n), np.float32)
    for group in range(groups):
        ks = slice(group * size, group * size + size)
        exact = left[0, :, ks].astype(np.int64) @ right[0, :, ks].astype(np.int64).T
        scale = x.group_scale[0, :, None, group] * y.group_scale[0, None, :, group]
        expected = expected + np.ldexp(exact.astype(np.float32), 2 * unit) * scale
    if has_dot_products():
        got = int8.scaled_dots(left, right, (x.group_scale, y.group_scale), size, 2 * unit)
        np.testing.assert_array_equal(got[0], expected)
    for kernel in (BLOCK_FP32, BLOCK_FP64):
        values = (np.ldexp(v.astype(np.float32), unit) for v in (left, right))
        got = block_sums(Plan(kernel=kernel, why="forced"), *values, (x.group_scale, y.group_scale), size)
        np.testing.assert_array_equal(got[0], expected)


def test_a_library_that_saturates_is_not_used(monkeypatch):
    def saturating(x, y):
        return np.minimum(x[0].astype(np.int64) @ y[0].astype(np.int64).T, 32767).astype(np.int32)[None]

    assert int8.exact_here()
    int8.exact_here.cache_clear()
    monkeypatch.setattr(int8, "dot", saturating)
    assert not int8.exact_here()
    int8.exact_here.cache_clear()
