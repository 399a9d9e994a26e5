"""The int8 instructions of the processor against exact integers, forced onto small shapes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.formats import decode, get_element_format
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.engine import multiply
from simhw.gemm.operand import Operand
from simhw.gemm.paths import int8


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
    np.testing.assert_array_equal(int8.dot(x, y)[0], x[0].astype(np.int64) @ y[0].astype(np.int64).T)


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
    plain = multiply(activations, weights, datapath)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8, "LEAST_WORK", 0)
        fast = multiply(activations, weights, datapath)
    assert plain.plan.kernel != fast.plan.kernel == int8.INT8
    np.testing.assert_array_equal(plain.values, fast.values)
    assert plain.overflows == fast.overflows


def test_a_library_that_saturates_is_not_used(monkeypatch):
    def saturating(x, y):
        return np.minimum(x[0].astype(np.int64) @ y[0].astype(np.int64).T, 32767).astype(np.int32)[None]

    assert int8.exact_here()
    int8.exact_here.cache_clear()
    monkeypatch.setattr(int8, "dot", saturating)
    assert not int8.exact_here()
    int8.exact_here.cache_clear()
