"""Tensor-core accumulation on whole matrices: a general kernel on integers and a fast one for certified ranges."""

from __future__ import annotations

import math

import numba as nb
import numpy as np
from numpy.typing import NDArray

PANEL = 128
CLAMP = -100
"""The fast kernel's smallest block exponent: below it the scale factor would leave fp32's normal range."""


@nb.njit(cache=True, nogil=True)
def round_integer(total: int, unit: int, significand: int, minimum: int, maximum: int, toward_zero: bool) -> float:
    """Return ``total * 2**unit`` rounded to a register of ``significand`` bits, as an exact float64."""
    if total == 0:
        return 0.0
    magnitude = abs(total)
    length = 0
    while (magnitude >> length) != 0:
        length += 1
    last = max(unit + length - 1, minimum) - significand + 1
    shift = last - unit
    if shift <= 0:
        last = unit
    elif shift > 62:
        magnitude = 0
    else:
        rest = magnitude & ((np.int64(1) << shift) - 1)
        magnitude >>= shift
        half = np.int64(1) << (shift - 1)
        if not toward_zero and (rest > half or (rest == half and (magnitude & 1) == 1)):
            magnitude += 1
    value = math.ldexp(float(magnitude), last)
    largest = math.ldexp(2.0 - math.ldexp(1.0, 1 - significand), maximum)
    if value > largest:
        value = largest if toward_zero else np.inf
    return -value if total < 0 else value


@nb.njit(cache=True, nogil=True)
def aligned_general(
    a_significand: NDArray[np.int32],
    a_exponent: NDArray[np.int32],
    b_significand: NDArray[np.int32],
    b_exponent: NDArray[np.int32],
    product_fraction_bits: int,
    out: NDArray[np.float32],
    block: int,
    fraction_bits: int,
    zero_exponent: int,
    significand: int,
    minimum: int,
    maximum: int,
    toward_zero: bool,
) -> None:
    """Chain blocks into ``out`` (m, n), which holds c on entry; operands are (m, k) and (n, k), k a multiple of block.

    An operand's value is ``significand * 2**(exponent - fraction bits of its format)``; the two formats' fraction
    bits add up to ``product_fraction_bits``. Finite values only.
    """
    m, depth = a_significand.shape
    n = b_significand.shape[0]
    for i in range(m):
        for j in range(n):
            carried = float(out[i, j])
            for start in range(0, depth, block):
                if math.isinf(carried):  # an fp16 result that overflowed: infinity plus finite terms
                    break
                top = np.int64(-1000000)
                any_zero = carried == 0.0
                carried_exponent = np.int64(0)
                carried_significand = np.int64(0)
                if not any_zero:
                    exponent = math.frexp(carried)[1]
                    carried_exponent = max(np.int64(exponent) - 1, np.int64(minimum))
                    carried_significand = np.int64(math.ldexp(carried, significand - 1 - carried_exponent))
                    top = carried_exponent
                for k in range(start, start + block):
                    if a_significand[i, k] == 0 or b_significand[j, k] == 0:
                        any_zero = True
                    else:
                        top = max(top, np.int64(a_exponent[i, k]) + np.int64(b_exponent[j, k]))
                if any_zero:
                    top = max(top, np.int64(zero_exponent))
                keep = fraction_bits - top
                total = _shift(carried_significand, keep + carried_exponent - (significand - 1))
                for k in range(start, start + block):
                    product = np.int64(a_significand[i, k]) * np.int64(b_significand[j, k])
                    if product != 0:
                        exponent_sum = np.int64(a_exponent[i, k]) + np.int64(b_exponent[j, k])
                        total += _shift(product, keep + exponent_sum - product_fraction_bits)
                carried = round_integer(total, top - fraction_bits, significand, minimum, maximum, toward_zero)
            out[i, j] = np.float32(carried)


@nb.njit(cache=True, nogil=True)
def _shift(value: int, positions: int) -> int:
    """Return ``trunc(value * 2**positions)``: bits below the unit are cut off toward zero."""
    if positions >= 0:
        return value << positions
    if positions < -62:
        return np.int64(0)
    return -((-value) >> -positions) if value < 0 else value >> -positions


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
