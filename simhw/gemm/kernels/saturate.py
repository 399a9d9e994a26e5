"""Sums that saturate: plain fused multiply-adds as long as nothing can reach the bounds, clamped ones where it can.

Values are integers in floats that hold every sum of a register value and a product exactly. Operands are ``a`` (m, k)
with m a multiple of four and a panel of b (k, PANEL); ``sums`` (m, PANEL) holds the registers.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.bits import clamp_from_zero, fused_multiply_add, mark_difference
from simhw.kernel import kernel

PANEL = 128
CHUNK = 64
"""Products that one certificate covers."""

Floats = NDArray[np.float32]


@kernel
def row_norms(a: Floats, zero: float) -> Floats:
    """Return the norm of every chunk of every row: (m, chunks)."""
    m, depth = a.shape
    norms = np.zeros((m, -(-depth // CHUNK)), a.dtype)
    for i in range(m):
        for chunk in range(norms.shape[1]):
            start, stop = chunk * CHUNK, min(chunk * CHUNK + CHUNK, depth)
            whole = stop - (stop - start) % 4
            s0, s1, s2, s3 = zero, zero, zero, zero
            for k in range(start, whole, 4):
                s0 += a[i, k] * a[i, k]
                s1 += a[i, k + 1] * a[i, k + 1]
                s2 += a[i, k + 2] * a[i, k + 2]
                s3 += a[i, k + 3] * a[i, k + 3]
            for k in range(whole, stop):
                s0 += a[i, k] * a[i, k]
            norms[i, chunk] = math.sqrt((s0 + s1) + (s2 + s3))
    return norms


@kernel
def saturate(
    a: Floats, norms: Floats, panel: Floats, sums: Floats, marks: NDArray[np.int32], bounds: Floats, marking: bool
) -> int:
    """Add products one after the other, clamping every sum; return how many steps of four rows had to clamp.

    Within a chunk no partial sum moves further than ``norm(row) * norm(column)`` (Cauchy and Schwarz). Where that
    cannot reach a bound from any of the present sums, clamping changes nothing and is left out.

    Args:
        a, panel, sums: see the module.
        norms: those of :func:`row_norms`.
        marks: become nonzero where a sum was clamped, if ``marking``; integers as wide as the floats.
        bounds: lowest value, highest value, what a certificate must stay below, a factor just above one that covers
            the rounding of the norms.
        marking: see ``marks``.
    """
    m, depth = a.shape
    columns = np.zeros(PANEL, a.dtype)
    clamped = 0
    for start in range(0, depth, CHUNK):
        stop = min(start + CHUNK, depth)
        part = panel[start:stop]
        _column_norms(part, columns, bounds[3])
        for i in range(0, m, 4):
            rows, held = a[i : i + 4, start:stop], sums[i : i + 4]
            if not _may_reach(norms[i : i + 4, start // CHUNK], columns, held, bounds[2]):
                _plain(rows, part, held)
                continue
            clamped += 1
            if marking:
                _clamped_marking(rows, part, held, marks[i : i + 4], bounds)
            else:
                _clamped(rows, part, held, bounds)
    return clamped


@kernel
def _column_norms(panel: Floats, norms: Floats, factor: float) -> None:
    for j in range(PANEL):
        norms[j] = 0
    for k in range(panel.shape[0]):
        for j in range(PANEL):
            norms[j] += panel[k, j] * panel[k, j]
    for j in range(PANEL):
        norms[j] = math.sqrt(norms[j]) * factor


@kernel
def _may_reach(norms: Floats, columns: Floats, sums: Floats, limit: float) -> bool:
    reached = np.int32(0)
    for r in range(4):
        norm = norms[r]
        for j in range(PANEL):
            reached = np.int32(reached | np.int32(abs(sums[r, j]) + norm * columns[j] > limit))
    return reached != 0


@kernel
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


@kernel
def _four(a0: float, a1: float, a2: float, a3: float, x0: float, x1: float, x2: float, x3: float, s: float) -> float:
    low: float = fused_multiply_add(a1, x1, fused_multiply_add(a0, x0, s))
    return fused_multiply_add(a3, x3, fused_multiply_add(a2, x2, low))


@kernel
def _clamped(a: Floats, panel: Floats, sums: Floats, bounds: Floats) -> None:
    """Clamp by integer comparisons, which share no unit with the multiplications: sums less the lowest value."""
    low, top = bounds[0], bounds[1] - bounds[0]
    depth = a.shape[1]
    for r in range(4):
        for j in range(PANEL):
            sums[r, j] -= low
    whole = depth - depth % 8
    for r in range(4):
        for k in range(0, whole, 8):
            a0, a1, a2, a3 = a[r, k], a[r, k + 1], a[r, k + 2], a[r, k + 3]
            a4, a5, a6, a7 = a[r, k + 4], a[r, k + 5], a[r, k + 6], a[r, k + 7]
            for j in range(PANEL):
                s = clamp_from_zero(fused_multiply_add(a0, panel[k, j], sums[r, j]), top)
                s = clamp_from_zero(fused_multiply_add(a1, panel[k + 1, j], s), top)
                s = clamp_from_zero(fused_multiply_add(a2, panel[k + 2, j], s), top)
                s = clamp_from_zero(fused_multiply_add(a3, panel[k + 3, j], s), top)
                s = clamp_from_zero(fused_multiply_add(a4, panel[k + 4, j], s), top)
                s = clamp_from_zero(fused_multiply_add(a5, panel[k + 5, j], s), top)
                s = clamp_from_zero(fused_multiply_add(a6, panel[k + 6, j], s), top)
                sums[r, j] = clamp_from_zero(fused_multiply_add(a7, panel[k + 7, j], s), top)
        for k in range(whole, depth):
            x = a[r, k]
            for j in range(PANEL):
                sums[r, j] = clamp_from_zero(fused_multiply_add(x, panel[k, j], sums[r, j]), top)
    for r in range(4):
        for j in range(PANEL):
            sums[r, j] += low


@kernel
def _clamped_marking(a: Floats, panel: Floats, sums: Floats, marks: NDArray[np.int32], bounds: Floats) -> None:
    low, high = bounds[0], bounds[1]
    depth = a.shape[1]
    whole = depth - depth % 4
    for r in range(4):
        for k in range(0, whole, 4):
            a0, a1, a2, a3 = a[r, k], a[r, k + 1], a[r, k + 2], a[r, k + 3]
            for j in range(PANEL):
                exact: float = fused_multiply_add(a0, panel[k, j], sums[r, j])
                s = min(max(exact, low), high)
                mark = mark_difference(marks[r, j], exact, s)
                exact = fused_multiply_add(a1, panel[k + 1, j], s)
                s = min(max(exact, low), high)
                mark = mark_difference(mark, exact, s)
                exact = fused_multiply_add(a2, panel[k + 2, j], s)
                s = min(max(exact, low), high)
                mark = mark_difference(mark, exact, s)
                exact = fused_multiply_add(a3, panel[k + 3, j], s)
                s = min(max(exact, low), high)
                marks[r, j] = mark_difference(mark, exact, s)
                sums[r, j] = s
        for k in range(whole, depth):
            x = a[r, k]
            for j in range(PANEL):
                exact = fused_multiply_add(x, panel[k, j], sums[r, j])
                s = min(max(exact, low), high)
                marks[r, j] = mark_difference(marks[r, j], exact, s)
                sums[r, j] = s


@kernel
def saturate_pairs(a: Floats, panel: Floats, sums: Floats, bounds: Floats) -> None:
    """Add the sums of two products at a time, each clamped to ``bounds``, to ``sums``; k is even."""
    low, high = bounds[0], bounds[1]
    for i in range(a.shape[0]):
        for k in range(0, a.shape[1], 2):
            x, y = a[i, k], a[i, k + 1]
            for j in range(PANEL):
                pair: float = fused_multiply_add(y, panel[k + 1, j], x * panel[k, j])
                sums[i, j] += min(max(pair, low), high)
