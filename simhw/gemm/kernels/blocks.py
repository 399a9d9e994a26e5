"""Exact sums of short groups of k, each scaled and added to the fp32 result at once."""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.sequential import copy_rows

PANEL = 128


@nb.njit(cache=True, nogil=True)
def scaled_blocks(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    a_scale: NDArray[np.float32],
    b_scale: NDArray[np.float32],
    group_size: int,
    out: NDArray[np.float32],
) -> None:
    """Set ``out`` (m, n) to the sum over groups of ``fp32(group sum) * (a_scale * b_scale)``, each step in fp32.

    ``a`` is (m, k), ``b`` is (k, n), both in a float type in which every group sum is exact (so that the order inside
    a group is free); scales are (m, groups) and (groups, n). Groups are added in ascending order.
    """
    m, depth = a.shape
    n = b.shape[1]
    panel = np.zeros((depth, PANEL), a.dtype)
    scales = np.zeros((b_scale.shape[0], PANEL), np.float32)
    sums = np.zeros((4, PANEL), a.dtype)
    results = np.zeros((4, PANEL), np.float32)
    rows = np.zeros((4, depth), a.dtype)
    for j0 in range(0, n, PANEL):
        width = min(PANEL, n - j0)
        copy_rows(b[:, j0 : j0 + width], panel)
        copy_rows(b_scale[:, j0 : j0 + width], scales)
        for i0 in range(0, m, 4):
            count = min(4, m - i0)
            copy_rows(a[i0 : i0 + count], rows)
            for group in range(scales.shape[0]):
                start = group * group_size
                stop = min(start + group_size, depth)
                _add_group(rows[:, start:stop], panel[start:stop], sums)
                for r in range(count):
                    _add_scaled(sums[r], a_scale[i0 + r, group], scales[group], group == 0, results[r])
            copy_rows(results[:count, :width], out[i0 : i0 + count, j0 : j0 + width])


@nb.njit(cache=True, nogil=True)
def _add_group(a: NDArray[np.float64], panel: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
    depth = panel.shape[0]
    whole = depth - depth % 4
    for r in range(4):
        for j in range(PANEL):
            sums[r, j] = 0
    for k in range(0, whole, 4):
        a00, a01, a02, a03 = a[0, k], a[0, k + 1], a[0, k + 2], a[0, k + 3]
        a10, a11, a12, a13 = a[1, k], a[1, k + 1], a[1, k + 2], a[1, k + 3]
        a20, a21, a22, a23 = a[2, k], a[2, k + 1], a[2, k + 2], a[2, k + 3]
        a30, a31, a32, a33 = a[3, k], a[3, k + 1], a[3, k + 2], a[3, k + 3]
        for j in range(PANEL):
            x0, x1, x2, x3 = panel[k, j], panel[k + 1, j], panel[k + 2, j], panel[k + 3, j]
            sums[0, j] += a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3
            sums[1, j] += a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3
            sums[2, j] += a20 * x0 + a21 * x1 + a22 * x2 + a23 * x3
            sums[3, j] += a30 * x0 + a31 * x1 + a32 * x2 + a33 * x3
    for k in range(whole, depth):
        for r in range(4):
            x = a[r, k]
            for j in range(PANEL):
                sums[r, j] += x * panel[k, j]


@nb.njit(cache=True, nogil=True)
def _add_scaled(
    sums: NDArray[np.float64],
    a_scale: float,
    b_scale: NDArray[np.float32],
    first: bool,
    results: NDArray[np.float32],
) -> None:
    if first:
        for j in range(PANEL):
            results[j] = np.float32(sums[j]) * (a_scale * b_scale[j])
    else:
        for j in range(PANEL):
            results[j] += np.float32(sums[j]) * (a_scale * b_scale[j])
