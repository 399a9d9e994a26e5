"""Sums that saturate: plain fused multiply-adds as long as nothing can reach the bounds, clamped ones where it can.

Values are integers in floats that hold every sum of a register value and a product exactly. Operands are ``a`` (m, k)
with m a multiple of four and a panel of b (k, PANEL); ``sums`` (m, PANEL) holds the registers.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.bits import choose, fused_multiply_add

PANEL = 128
CHUNK = 64
"""Products that one certificate covers."""

Floats = NDArray[np.float32]


@nb.njit(cache=True, nogil=True)
def saturate(a: Floats, panel: Floats, sums: Floats, touched: Floats, bounds: Floats) -> int:
    """Add products one after the other, clamping every sum; return how many steps of four rows had to clamp.

    Within a chunk no partial sum moves further than ``norm(row) * norm(column)`` (Cauchy and Schwarz). Where that
    cannot reach a bound from any of the present sums, clamping changes nothing and is left out.

    Args:
        a, panel, sums: see the module.
        touched: set to one where a sum was clamped.
        bounds: lowest value, highest value, what a certificate must stay below, a factor just above one that covers
            the rounding of the norms, one, zero.
    """
    m, depth = a.shape
    columns = np.zeros(PANEL, a.dtype)
    clamped = 0
    for start in range(0, depth, CHUNK):
        stop = min(start + CHUNK, depth)
        _column_norms(panel[start:stop], columns, bounds[3])
        for i in range(0, m, 4):
            reached = 0
            for r in range(4):
                reached += _reached(_row_norm(a[i + r, start:stop], bounds[5]), columns, sums[i + r], bounds[2])
            if reached == 0:
                _plain(a[i : i + 4, start:stop], panel[start:stop], sums[i : i + 4])
            else:
                clamped += 1
                for r in range(4):
                    _clamped(a[i + r, start:stop], panel[start:stop], sums[i + r], touched[i + r], bounds)
    return clamped


@nb.njit(cache=True, nogil=True)
def _column_norms(panel: Floats, norms: Floats, factor: float) -> None:
    for j in range(PANEL):
        norms[j] = 0
    for k in range(panel.shape[0]):
        for j in range(PANEL):
            norms[j] += panel[k, j] * panel[k, j]
    for j in range(PANEL):
        norms[j] = math.sqrt(norms[j]) * factor


@nb.njit(cache=True, nogil=True)
def _row_norm(row: Floats, zero: float) -> float:
    whole = row.shape[0] - row.shape[0] % 8
    s0, s1, s2, s3, s4, s5, s6, s7 = zero, zero, zero, zero, zero, zero, zero, zero
    for k in range(0, whole, 8):
        s0 += row[k] * row[k]
        s1 += row[k + 1] * row[k + 1]
        s2 += row[k + 2] * row[k + 2]
        s3 += row[k + 3] * row[k + 3]
        s4 += row[k + 4] * row[k + 4]
        s5 += row[k + 5] * row[k + 5]
        s6 += row[k + 6] * row[k + 6]
        s7 += row[k + 7] * row[k + 7]
    for k in range(whole, row.shape[0]):
        s0 += row[k] * row[k]
    return math.sqrt(((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)))


@nb.njit(cache=True, nogil=True)
def _reached(norm: float, columns: Floats, sums: Floats, limit: float) -> int:
    reached = 0
    for j in range(PANEL):
        reached += np.int32(abs(sums[j]) + norm * columns[j] > limit)
    return reached


@nb.njit(cache=True, nogil=True)
def _plain(a: Floats, panel: Floats, sums: Floats) -> None:
    depth = a.shape[1]
    whole = depth - depth % 4
    for k in range(0, whole, 4):
        a00, a01, a02, a03 = a[0, k], a[0, k + 1], a[0, k + 2], a[0, k + 3]
        a10, a11, a12, a13 = a[1, k], a[1, k + 1], a[1, k + 2], a[1, k + 3]
        a20, a21, a22, a23 = a[2, k], a[2, k + 1], a[2, k + 2], a[2, k + 3]
        a30, a31, a32, a33 = a[3, k], a[3, k + 1], a[3, k + 2], a[3, k + 3]
        for j in range(PANEL):
            x0, x1, x2, x3 = panel[k, j], panel[k + 1, j], panel[k + 2, j], panel[k + 3, j]
            sums[0, j] = _four(a00, a01, a02, a03, x0, x1, x2, x3, sums[0, j])
            sums[1, j] = _four(a10, a11, a12, a13, x0, x1, x2, x3, sums[1, j])
            sums[2, j] = _four(a20, a21, a22, a23, x0, x1, x2, x3, sums[2, j])
            sums[3, j] = _four(a30, a31, a32, a33, x0, x1, x2, x3, sums[3, j])
    for k in range(whole, depth):
        for r in range(4):
            x = a[r, k]
            for j in range(PANEL):
                sums[r, j] = fused_multiply_add(x, panel[k, j], sums[r, j])


@nb.njit(cache=True, nogil=True)
def _four(a0: float, a1: float, a2: float, a3: float, x0: float, x1: float, x2: float, x3: float, s: float) -> float:
    low: float = fused_multiply_add(a1, x1, fused_multiply_add(a0, x0, s))
    return fused_multiply_add(a3, x3, fused_multiply_add(a2, x2, low))


@nb.njit(cache=True, nogil=True)
def _clamped(a: Floats, panel: Floats, sums: Floats, touched: Floats, bounds: Floats) -> None:
    low, high, one = bounds[0], bounds[1], bounds[4]
    depth = a.shape[0]
    whole = depth - depth % 4
    for k in range(0, whole, 4):
        a0, a1, a2, a3 = a[k], a[k + 1], a[k + 2], a[k + 3]
        for j in range(PANEL):
            t = touched[j]
            s = sums[j]
            exact: float = fused_multiply_add(a0, panel[k, j], s)
            s = min(max(exact, low), high)
            t = choose(exact == s, t, one)
            exact = fused_multiply_add(a1, panel[k + 1, j], s)
            s = min(max(exact, low), high)
            t = choose(exact == s, t, one)
            exact = fused_multiply_add(a2, panel[k + 2, j], s)
            s = min(max(exact, low), high)
            t = choose(exact == s, t, one)
            exact = fused_multiply_add(a3, panel[k + 3, j], s)
            s = min(max(exact, low), high)
            touched[j] = choose(exact == s, t, one)
            sums[j] = s
    for k in range(whole, depth):
        x = a[k]
        for j in range(PANEL):
            exact = fused_multiply_add(x, panel[k, j], sums[j])
            s = min(max(exact, low), high)
            touched[j] = choose(exact == s, touched[j], one)
            sums[j] = s


@nb.njit(cache=True, nogil=True)
def saturate_pairs(a: Floats, panel: Floats, sums: Floats, bounds: Floats) -> None:
    """Add the sums of two products at a time, each clamped to ``bounds``, to ``sums``; k is even."""
    low, high = bounds[0], bounds[1]
    for i in range(a.shape[0]):
        for k in range(0, a.shape[1], 2):
            x, y = a[i, k], a[i, k + 1]
            for j in range(PANEL):
                pair: float = fused_multiply_add(y, panel[k + 1, j], x * panel[k, j])
                sums[i, j] += min(max(pair, low), high)
