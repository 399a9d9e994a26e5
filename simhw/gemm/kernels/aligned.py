"""Tensor-core accumulation on whole matrices, fast: for ranges of operands that the planner has certified."""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

PANEL = 128
CLAMP = -100
"""The fast kernel's smallest block exponent: below it the scale factor would leave fp32's normal range."""


@nb.njit(cache=True, nogil=True)
def aligned_fast(
    a: NDArray[np.float32],
    a_exponent: NDArray[np.int16],
    b: NDArray[np.float32],
    b_exponent: NDArray[np.int16],
    out: NDArray[np.float32],
    block: int,
    fraction_bits: int,
    zero_exponent: int,
    discarded_bits: int,
) -> None:
    """The same sums, vectorised over columns, where the planner has certified the ranges (see ``plan_aligned``).

    Operands are values (m, k) and (k, n) with the exponents of their terms (a large negative number for zeros);
    products are exact in float32. Alignment and truncation are one multiplication by a power of two and one
    conversion to int32. ``discarded_bits`` = 53 - significand bits of the result, which is rounded toward zero.
    """
    m, depth = a.shape
    n = b.shape[1]
    values = np.zeros((depth, PANEL), np.float32)
    exponents = np.full((depth, PANEL), -4096, np.int16)
    carried = np.zeros(PANEL, np.float32)
    top = np.zeros(PANEL, np.int16)
    scale = np.zeros(PANEL, np.float32)
    totals = np.zeros(PANEL, np.float64)
    mask = np.int64(-1) << np.int64(discarded_bits)
    for j0 in range(0, n, PANEL):
        width = min(PANEL, n - j0)
        values[:, :width] = b[:, j0 : j0 + width]
        exponents[:, :width] = b_exponent[:, j0 : j0 + width]
        for i in range(m):
            carried[:width] = out[i, j0 : j0 + width]
            for start in range(0, depth, block):
                _largest_exponent(a_exponent[i, start : start + block], exponents[start : start + block], top)
                _align_carried(carried, top, scale, totals, zero_exponent, fraction_bits)
                for k in range(start, start + block, 8):
                    if block - (k - start) >= 8:
                        _add_eight(a[i, k : k + 8], values[k : k + 8], scale, totals)
                    else:
                        for kk in range(k, start + block):
                            _add_one(a[i, kk], values[kk], scale, totals)
                _round_toward_zero(totals, top, carried, fraction_bits, mask)
            out[i, j0 : j0 + width] = carried[:width]


@nb.njit(cache=True, nogil=True)
def _largest_exponent(a: NDArray[np.int16], b: NDArray[np.int16], top: NDArray[np.int16]) -> None:
    for j in range(PANEL):
        top[j] = np.int16(-8192)
    for k in range(a.shape[0]):
        x = a[k]
        for j in range(PANEL):
            top[j] = max(top[j], np.int16(x + b[k, j]))


@nb.njit(cache=True, nogil=True)
def _align_carried(
    carried: NDArray[np.float32],
    top: NDArray[np.int16],
    scale: NDArray[np.float32],
    totals: NDArray[np.float64],
    zero_exponent: int,
    fraction_bits: int,
) -> None:
    bits = carried.view(np.int32)
    scale_bits = scale.view(np.int32)
    for j in range(PANEL):
        exponent = ((bits[j] >> np.int32(23)) & np.int32(255)) - np.int32(127)
        block_top = max(np.int32(top[j]), exponent, np.int32(zero_exponent), np.int32(CLAMP))
        top[j] = np.int16(block_top)
        scale_bits[j] = (np.int32(127 + fraction_bits) - block_top) << np.int32(23)
    for j in range(PANEL):
        totals[j] = np.float64(np.int32(carried[j] * scale[j]))


@nb.njit(cache=True, nogil=True)
def _add_eight(
    a: NDArray[np.float32], b: NDArray[np.float32], scale: NDArray[np.float32], totals: NDArray[np.float64]
) -> None:
    a0, a1, a2, a3, a4, a5, a6, a7 = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
    for j in range(PANEL):
        s = scale[j]
        low = (np.int32((a0 * b[0, j]) * s) + np.int32((a1 * b[1, j]) * s)) + (
            np.int32((a2 * b[2, j]) * s) + np.int32((a3 * b[3, j]) * s)
        )
        high = (np.int32((a4 * b[4, j]) * s) + np.int32((a5 * b[5, j]) * s)) + (
            np.int32((a6 * b[6, j]) * s) + np.int32((a7 * b[7, j]) * s)
        )
        totals[j] += np.float64(np.int32(low)) + np.float64(np.int32(high))


@nb.njit(cache=True, nogil=True)
def _add_one(a: float, b: NDArray[np.float32], scale: NDArray[np.float32], totals: NDArray[np.float64]) -> None:
    for j in range(PANEL):
        totals[j] += np.float64(np.int32((a * b[j]) * scale[j]))


@nb.njit(cache=True, nogil=True)
def _round_toward_zero(
    totals: NDArray[np.float64],
    top: NDArray[np.int16],
    carried: NDArray[np.float32],
    fraction_bits: int,
    mask: int,
) -> None:
    bits = totals.view(np.int64)
    for j in range(PANEL):
        bits[j] &= mask
    for j in range(PANEL):
        unit = np.int64(1023 - fraction_bits + np.int32(top[j])) << np.int64(52)
        bits_of_unit = np.int64(unit)
        carried[j] = np.float32(totals[j] * _as_float(bits_of_unit)) + np.float32(0.0)


@nb.njit(cache=True, nogil=True, inline="always")
def _as_float(bits: int) -> float:
    return np.int64(bits).view(np.float64)
