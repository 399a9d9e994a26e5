"""Every kernel that may run for the same inputs gives the same bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.accumulators import Exact
from simhw.accumulators.tensor_cores import tensor_core
from simhw.formats import decode, encode
from simhw.gemm.alignment import ALIGNED_FAST, ALIGNED_GENERAL
from simhw.gemm.extent import Extent, extent_of
from simhw.gemm.kernels.sequential import sequential_fma
from simhw.gemm.paths.exact import DGEMM, DGEMM_SPLIT, SGEMM
from simhw.gemm.plan import Plan, group_sums, plan_sum
from simhw.gemm.scratch import KEPT_BYTES, Scratch, _free
from simhw.gemm.tiles import over_tiles, packed


def values(name, shape, seed, scale=1.0):
    rng = np.random.default_rng(seed)
    return decode(encode((rng.standard_normal(shape) * scale).astype(np.float32), name), name).astype(np.float32)


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        ("hopper", "e4m3"),
        ("ada", "e5m2"),
        ("hopper", "fp16"),
        ("volta", "fp16"),
        ("blackwell", "e4m3"),
        ("ampere", "bf16"),
    ],
)
@pytest.mark.parametrize("scale", [0.02, 1.0, 100.0])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (5, 130, 33), (3, 257, 96)])
def test_fast_aligned_kernel_equals_the_general_one(architecture, name, scale, m, n, k):
    accumulator = tensor_core(architecture, name, "fp32")
    a, b = values(name, (1, m, k), 1, scale), values(name, (1, n, k), 2, scale)
    a[0, 0, ::3] = 0
    extents = (extent_of(a, -24), extent_of(b, -24))
    fast = plan_sum(accumulator, k, *extents)
    assert fast.kernel == ALIGNED_FAST or name == "bf16"
    general = Plan(kernel=ALIGNED_GENERAL, why="forced")
    got = [group_sums(p, accumulator, a, b, extents) for p in (fast, general)]
    np.testing.assert_array_equal(got[0].view(np.uint32), got[1].view(np.uint32))


@given(k=st.integers(1, 300), bits=st.integers(2, 12), seed=st.integers(0, 99))
def test_exact_kernels_agree_with_python_integers(k, bits, seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (1, 3, k))
    b = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (1, 4, k))
    expected = a[0].astype(object) @ b[0].astype(object).T
    x, y = a.astype(np.float64), b.astype(np.float64)
    extents = (extent_of(x, 0), extent_of(y, 0))
    chosen = plan_sum(Exact(), k, *extents).kernel
    for kernel in (chosen, DGEMM, DGEMM_SPLIT):
        got = group_sums(Plan(kernel=kernel, why="forced"), Exact(), x, y, extents)[0]
        assert (got.astype(object) == expected).all()


def test_planner_changes_kernel_exactly_at_its_bounds():
    def kernel(k, largest):
        extent = Extent(unit=0, largest=largest)
        return plan_sum(Exact(), k, extent, extent).kernel

    assert kernel((2**24 - 1) // 127**2, 127) == SGEMM
    assert kernel(2**24 // 127**2 + 1, 127) == DGEMM
    assert kernel(1, 2**26) == DGEMM
    assert kernel(1, 2**27) == DGEMM_SPLIT


def test_sequential_kernel_rounds_after_every_product():
    """Against numpy adding one product at a time; fp16 products are exact in fp32."""
    rng = np.random.default_rng(0)
    for m, n, k in ((1, 1, 5), (4, 128, 17), (7, 200, 64), (9, 3, 30)):
        a = rng.standard_normal((m, k)).astype(np.float16).astype(np.float32)
        b = rng.standard_normal((k, n)).astype(np.float16).astype(np.float32)
        out = np.zeros((1, m, n), np.float32)
        over_tiles(sequential_fma, a[None], np.ascontiguousarray(b.T)[None], out)
        expected = np.zeros((m, n), np.float32)
        for step in range(k):
            expected = expected + a[:, step, None] * b[None, step]
        np.testing.assert_array_equal(out[0], expected)


@given(
    rows=st.integers(1, 40),
    k=st.integers(1, 40),
    width=st.integers(1, 70),
    kind=st.sampled_from(["i1", "u2", "f4", "f8"]),
)
def test_packing_lays_rows_side_by_side(rows, k, width, kind):
    matrix = np.arange(rows * k).astype(kind).reshape(rows, k)
    with Scratch() as take:
        got = packed(matrix, width, take).copy()
    for tile, step, at in np.ndindex(*got.shape):
        assert got[tile, step, at] == matrix[min(tile * width + at, rows - 1), step]


def test_scratch_memory_is_used_again_and_bounded():
    places = []
    for _ in range(2):
        with Scratch() as take:
            arrays = [take((1000, 33), np.float32) for _ in range(2)]
            places.append({array.ctypes.data for array in arrays})
            assert len(places[-1]) == 2
            assert all(place % 64 == 0 for place in places[-1])
    assert places[0] == places[1]
    with Scratch() as take:
        for _ in range(5):
            take((KEPT_BYTES // 3,), np.uint8)
    assert sum(memory.size for memory in _free) <= KEPT_BYTES
