"""Products aligned and truncated by one multiplication and one conversion each, added up in int32.

``a`` is (rows, k), ``b`` is (k, PANEL), ``scale`` and ``totals`` are (rows, PANEL).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

PANEL = 128

Floats = NDArray[np.float32]


@kernel
def add_products(a: Floats, b: Floats, scale: Floats, totals: NDArray[np.int32]) -> None:
    """Add all products, whose sum int32 is known to hold."""
    depth = a.shape[1]
    k = 0
    while depth - k >= 16:
        _add_sixteen(a[:, k : k + 16], b[k : k + 16], scale, totals)
        k += 16
    while depth - k >= 4:
        _add_four(a[:, k : k + 4], b[k : k + 4], scale, totals)
        k += 4
    while depth > k:
        for r in range(a.shape[0]):
            x = a[r, k]
            for j in range(PANEL):
                totals[r, j] = np.int32(totals[r, j] + np.int32((x * b[k, j]) * scale[r, j]))
        k += 1


@kernel
def join_products(a: Floats, b: Floats, scale: Floats, part: int, totals: NDArray[np.int32]) -> int:
    """Add parts of 8 or 16 products; return something other than zero where a total has overflowed."""
    overflow = 0
    for k in range(0, a.shape[1], part):
        if part == 16:
            overflow |= _join_sixteen(a[:, k : k + 16], b[k : k + 16], scale, totals)
        else:
            overflow |= _join_eight(a[:, k : k + 8], b[k : k + 8], scale, totals)
    return overflow


@kernel
def add_products_wide(
    a: Floats, b: Floats, scale: Floats, part: int, totals: NDArray[np.int32], wide: NDArray[np.float64]
) -> None:
    """Parts of products in int32, their sums in fp64, the first part's beside the aligned carried result."""
    for r in range(a.shape[0]):
        for j in range(PANEL):
            wide[r, j] = totals[r, j]
    for start in range(0, a.shape[1], part):
        for r in range(a.shape[0]):
            for j in range(PANEL):
                totals[r, j] = 0
        add_products(a[:, start : start + part], b[start : start + part], scale, totals)
        for r in range(a.shape[0]):
            for j in range(PANEL):
                wide[r, j] += np.float64(totals[r, j])


@kernel
def _add_sixteen(a: Floats, b: Floats, scale: Floats, totals: NDArray[np.int32]) -> None:
    for r in range(a.shape[0]):
        a0, a1, a2, a3 = a[r, 0], a[r, 1], a[r, 2], a[r, 3]
        a4, a5, a6, a7 = a[r, 4], a[r, 5], a[r, 6], a[r, 7]
        a8, a9, a10, a11 = a[r, 8], a[r, 9], a[r, 10], a[r, 11]
        a12, a13, a14, a15 = a[r, 12], a[r, 13], a[r, 14], a[r, 15]
        for j in range(PANEL):
            s = scale[r, j]
            t0 = np.int32((a0 * b[0, j]) * s) + np.int32((a1 * b[1, j]) * s)
            t1 = np.int32((a2 * b[2, j]) * s) + np.int32((a3 * b[3, j]) * s)
            t2 = np.int32((a4 * b[4, j]) * s) + np.int32((a5 * b[5, j]) * s)
            t3 = np.int32((a6 * b[6, j]) * s) + np.int32((a7 * b[7, j]) * s)
            t4 = np.int32((a8 * b[8, j]) * s) + np.int32((a9 * b[9, j]) * s)
            t5 = np.int32((a10 * b[10, j]) * s) + np.int32((a11 * b[11, j]) * s)
            t6 = np.int32((a12 * b[12, j]) * s) + np.int32((a13 * b[13, j]) * s)
            t7 = np.int32((a14 * b[14, j]) * s) + np.int32((a15 * b[15, j]) * s)
            totals[r, j] = np.int32(totals[r, j] + (((t0 + t1) + (t2 + t3)) + ((t4 + t5) + (t6 + t7))))


@kernel
def _join_sixteen(a: Floats, b: Floats, scale: Floats, totals: NDArray[np.int32]) -> int:
    overflow = np.int32(0)
    for r in range(a.shape[0]):
        a0, a1, a2, a3 = a[r, 0], a[r, 1], a[r, 2], a[r, 3]
        a4, a5, a6, a7 = a[r, 4], a[r, 5], a[r, 6], a[r, 7]
        a8, a9, a10, a11 = a[r, 8], a[r, 9], a[r, 10], a[r, 11]
        a12, a13, a14, a15 = a[r, 12], a[r, 13], a[r, 14], a[r, 15]
        for j in range(PANEL):
            s = scale[r, j]
            t0 = np.int32((a0 * b[0, j]) * s) + np.int32((a1 * b[1, j]) * s)
            t1 = np.int32((a2 * b[2, j]) * s) + np.int32((a3 * b[3, j]) * s)
            t2 = np.int32((a4 * b[4, j]) * s) + np.int32((a5 * b[5, j]) * s)
            t3 = np.int32((a6 * b[6, j]) * s) + np.int32((a7 * b[7, j]) * s)
            t4 = np.int32((a8 * b[8, j]) * s) + np.int32((a9 * b[9, j]) * s)
            t5 = np.int32((a10 * b[10, j]) * s) + np.int32((a11 * b[11, j]) * s)
            t6 = np.int32((a12 * b[12, j]) * s) + np.int32((a13 * b[13, j]) * s)
            t7 = np.int32((a14 * b[14, j]) * s) + np.int32((a15 * b[15, j]) * s)
            part = np.int32(((t0 + t1) + (t2 + t3)) + ((t4 + t5) + (t6 + t7)))
            held = totals[r, j]
            total = np.int32(held + part)
            overflow = np.int32(overflow | np.int32((held ^ total) & (part ^ total)))
            totals[r, j] = total
    return np.int64(overflow < 0)


@kernel
def _join_eight(a: Floats, b: Floats, scale: Floats, totals: NDArray[np.int32]) -> int:
    overflow = np.int32(0)
    for r in range(a.shape[0]):
        a0, a1, a2, a3 = a[r, 0], a[r, 1], a[r, 2], a[r, 3]
        a4, a5, a6, a7 = a[r, 4], a[r, 5], a[r, 6], a[r, 7]
        for j in range(PANEL):
            s = scale[r, j]
            t0 = np.int32((a0 * b[0, j]) * s) + np.int32((a1 * b[1, j]) * s)
            t1 = np.int32((a2 * b[2, j]) * s) + np.int32((a3 * b[3, j]) * s)
            t2 = np.int32((a4 * b[4, j]) * s) + np.int32((a5 * b[5, j]) * s)
            t3 = np.int32((a6 * b[6, j]) * s) + np.int32((a7 * b[7, j]) * s)
            part = np.int32((t0 + t1) + (t2 + t3))
            held = totals[r, j]
            total = np.int32(held + part)
            overflow = np.int32(overflow | np.int32((held ^ total) & (part ^ total)))
            totals[r, j] = total
    return np.int64(overflow < 0)


@kernel
def _add_four(a: Floats, b: Floats, scale: Floats, totals: NDArray[np.int32]) -> None:
    for r in range(a.shape[0]):
        a0, a1, a2, a3 = a[r, 0], a[r, 1], a[r, 2], a[r, 3]
        for j in range(PANEL):
            s = scale[r, j]
            t0 = np.int32((a0 * b[0, j]) * s) + np.int32((a1 * b[1, j]) * s)
            t1 = np.int32((a2 * b[2, j]) * s) + np.int32((a3 * b[3, j]) * s)
            totals[r, j] = np.int32(totals[r, j] + (t0 + t1))
