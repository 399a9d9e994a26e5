"""Exact sums of short groups of k, each scaled and added to the fp32 result at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.packing import copy_transposed
from simhw.kernel import kernel

PANEL = 256
STEP = 4
"""k per pass: with four rows, sixteen multiply-adds for four loads of the panel."""


@kernel
def scaled_blocks(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    a_scale: NDArray[np.float32],
    b_scale: NDArray[np.float32],
    group_size: int,
    out: NDArray[np.float32],
) -> None:
    """Set ``out`` (m, n) to the sum over groups of ``fp32(group sum) * (a_scale * b_scale)``, each step in fp32.

    ``a`` is (m, k), ``b`` is (n, k), both in a float type in which every group sum is exact (so that the order inside
    a group is free, and groups may be filled up with zeros); scales are (m, groups) and (n, groups). Groups are added
    in ascending order.
    """
    m, depth = a.shape
    n = b.shape[0]
    groups = b_scale.shape[1]
    padded = -(-group_size // STEP) * STEP
    panel = np.zeros((groups * padded, PANEL), a.dtype)
    rows = np.zeros((4, groups * padded), a.dtype)
    scales = np.zeros((groups, PANEL), np.float32)
    sums = np.zeros((4, PANEL), a.dtype)
    results = np.zeros((4, PANEL), np.float32)
    factors = np.zeros(4, np.float32)
    for j0 in range(0, n, PANEL):
        width = min(PANEL, n - j0)
        copy_transposed(b_scale[j0 : j0 + width], scales)
        for group in range(groups):
            start, stop = group * group_size, min((group + 1) * group_size, depth)
            copy_transposed(b[j0 : j0 + width, start:stop], panel[group * padded : (group + 1) * padded])
        for i0 in range(0, m, 4):
            count = min(4, m - i0)
            for group in range(groups):
                start, stop = group * group_size, min((group + 1) * group_size, depth)
                copy_rows(a[i0 : i0 + count, start:stop], rows[:, group * padded : (group + 1) * padded])
            for group in range(groups):
                for r in range(count):
                    factors[r] = a_scale[i0 + r, group]
                start = group * padded
                _set_four(rows, start, panel, sums)
                for k in range(start + STEP, start + padded, STEP):
                    _add_four(rows, k, panel, sums)
                if group == 0:
                    _set_scaled(sums, factors, scales[group], results)
                else:
                    _add_scaled(sums, factors, scales[group], results)
            copy_rows(results[:count, :width], out[i0 : i0 + count, j0 : j0 + width])


@kernel
def _set_four(rows: NDArray[np.float64], k: int, panel: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
    a00, a01, a02, a03 = rows[0, k], rows[0, k + 1], rows[0, k + 2], rows[0, k + 3]
    a10, a11, a12, a13 = rows[1, k], rows[1, k + 1], rows[1, k + 2], rows[1, k + 3]
    a20, a21, a22, a23 = rows[2, k], rows[2, k + 1], rows[2, k + 2], rows[2, k + 3]
    a30, a31, a32, a33 = rows[3, k], rows[3, k + 1], rows[3, k + 2], rows[3, k + 3]
    for j in range(PANEL):
        x0, x1, x2, x3 = panel[k, j], panel[k + 1, j], panel[k + 2, j], panel[k + 3, j]
        sums[0, j] = fma(a03, x3, fma(a02, x2, fma(a01, x1, a00 * x0)))
        sums[1, j] = fma(a13, x3, fma(a12, x2, fma(a11, x1, a10 * x0)))
        sums[2, j] = fma(a23, x3, fma(a22, x2, fma(a21, x1, a20 * x0)))
        sums[3, j] = fma(a33, x3, fma(a32, x2, fma(a31, x1, a30 * x0)))


@kernel
def _add_four(rows: NDArray[np.float64], k: int, panel: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
    a00, a01, a02, a03 = rows[0, k], rows[0, k + 1], rows[0, k + 2], rows[0, k + 3]
    a10, a11, a12, a13 = rows[1, k], rows[1, k + 1], rows[1, k + 2], rows[1, k + 3]
    a20, a21, a22, a23 = rows[2, k], rows[2, k + 1], rows[2, k + 2], rows[2, k + 3]
    a30, a31, a32, a33 = rows[3, k], rows[3, k + 1], rows[3, k + 2], rows[3, k + 3]
    for j in range(PANEL):
        x0, x1, x2, x3 = panel[k, j], panel[k + 1, j], panel[k + 2, j], panel[k + 3, j]
        sums[0, j] = fma(a03, x3, fma(a02, x2, fma(a01, x1, fma(a00, x0, sums[0, j]))))
        sums[1, j] = fma(a13, x3, fma(a12, x2, fma(a11, x1, fma(a10, x0, sums[1, j]))))
        sums[2, j] = fma(a23, x3, fma(a22, x2, fma(a21, x1, fma(a20, x0, sums[2, j]))))
        sums[3, j] = fma(a33, x3, fma(a32, x2, fma(a31, x1, fma(a30, x0, sums[3, j]))))


@kernel
def _set_scaled(
    sums: NDArray[np.float64], factors: NDArray[np.float32], scale: NDArray[np.float32], results: NDArray[np.float32]
) -> None:
    f0, f1, f2, f3 = factors[0], factors[1], factors[2], factors[3]
    for j in range(PANEL):
        s = scale[j]
        results[0, j] = np.float32(sums[0, j]) * (f0 * s)
        results[1, j] = np.float32(sums[1, j]) * (f1 * s)
        results[2, j] = np.float32(sums[2, j]) * (f2 * s)
        results[3, j] = np.float32(sums[3, j]) * (f3 * s)


@kernel
def _add_scaled(
    sums: NDArray[np.float64], factors: NDArray[np.float32], scale: NDArray[np.float32], results: NDArray[np.float32]
) -> None:
    f0, f1, f2, f3 = factors[0], factors[1], factors[2], factors[3]
    for j in range(PANEL):
        s = scale[j]
        results[0, j] += np.float32(sums[0, j]) * (f0 * s)
        results[1, j] += np.float32(sums[1, j]) * (f1 * s)
        results[2, j] += np.float32(sums[2, j]) * (f2 * s)
        results[3, j] += np.float32(sums[3, j]) * (f3 * s)
