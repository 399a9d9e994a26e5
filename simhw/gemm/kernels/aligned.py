"""Tensor-core accumulation on whole matrices, fast: for ranges of operands that the planner has certified.

Alignment and truncation of a product are one multiplication by a power of two and one conversion to int32. For
registers that truncate, the processor's rounding mode is toward zero meanwhile, so that the conversion back is their
rounding.
One block of a panel of columns stays in the first-level cache while all rows pass over it.
"""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.bits import choose, larger_sum, set_rounding_mode, to_half, to_odd

PANEL = 128
LOWEST = -100
"""Smallest block exponent in use: below it only zeros occur, and the scale would leave fp32's range."""
TOWARD_ZERO_MODE, NEAREST_MODE = 0, 1

Floats = NDArray[np.float32]
Exponents = NDArray[np.int8]


@nb.njit(cache=True, nogil=True)
def aligned_fast(
    a: Floats,
    a_exponent: Exponents,
    b: Floats,
    b_exponent: Exponents,
    out: Floats,
    base: int,
    block: int,
    part: int,
    fraction_bits: int,
    zero_exponent: int,
    minimum: int,
    mask: int,
    half: bool,
) -> None:
    """Chain blocks into ``out`` (m, n), which holds zeros on entry; operands are (m, k) and (k, n), k whole blocks.

    Args:
        a, b: values; their products are exact in float32.
        a_exponent, b_exponent: exponents of the terms, such that sums of nonzero ones are at least 0 and stand for
            ``base`` more; sums with a zero operand are negative.
        out: results.
        base: see the exponents.
        block: products that are summed at once.
        part: how many aligned products an int32 holds for sure, 8 or 16; 0: a whole block and the carried result.
        fraction_bits: kept below the largest exponent of a block.
        zero_exponent: exponent of a zero term.
        minimum: exponent of the register's smallest normal number.
        mask: the bits of a float32 that the register keeps, truncating.
        half: the register is fp16, to nearest even, instead.
    """
    m, depth = a.shape
    n = b.shape[1]
    values = np.zeros((block, PANEL), np.float32)
    exponents = np.zeros((block, PANEL), a_exponent.dtype)
    carried = np.zeros((m, PANEL), np.float32)
    top = np.zeros(PANEL, a_exponent.dtype)
    scale = np.zeros(PANEL, np.float32)
    unit = np.zeros(PANEL, np.float32)
    totals = np.zeros(PANEL, np.int32)
    wide = np.zeros(PANEL, np.float64)
    if not half:
        set_rounding_mode(TOWARD_ZERO_MODE)
    for j0 in range(0, n, PANEL):
        width = min(PANEL, n - j0)
        for i in range(m):
            for j in range(PANEL):
                carried[i, j] = 0
        for start in range(0, depth, block):
            for k in range(block):
                for j in range(width):
                    values[k, j] = b[start + k, j0 + j]
                    exponents[k, j] = b_exponent[start + k, j0 + j]
            for i in range(m):
                row, row_exponent = a[i, start : start + block], a_exponent[i, start : start + block]
                _largest_exponent(row_exponent, exponents, top)
                below = _align_carried(
                    carried[i], top, scale, unit, totals, base, fraction_bits, zero_exponent, minimum
                )
                if below > 0:  # rare: only tiny terms, so that it matters whether there is a zero among them
                    _mark_zeros(row_exponent, exponents, base, zero_exponent, top)
                    _align_carried(carried[i], top, scale, unit, totals, base, fraction_bits, zero_exponent, minimum)
                if part == 0:
                    _add_products(row, values, scale, totals)
                    if half:
                        _finish_half(totals, unit, carried[i])
                    else:
                        _finish(totals, unit, mask, carried[i])
                else:
                    _add_products_wide(row, values, scale, part, totals, wide)
                    if half:
                        _finish_half_wide(wide, unit, carried[i])
                    else:
                        _finish_wide(wide, unit, mask, carried[i])
        for i in range(m):
            for j in range(width):
                out[i, j0 + j] = carried[i, j]
    if not half:
        set_rounding_mode(NEAREST_MODE)


@nb.njit(cache=True, nogil=True)
def _largest_exponent(a: Exponents, b: Exponents, top: Exponents) -> None:
    depth = a.shape[0]
    whole = depth - depth % 8
    for j in range(PANEL):
        top[j] = -128
    for k in range(0, whole, 8):
        a0, a1, a2, a3, a4, a5, a6, a7 = a[k], a[k + 1], a[k + 2], a[k + 3], a[k + 4], a[k + 5], a[k + 6], a[k + 7]
        for j in range(PANEL):
            t = larger_sum(larger_sum(top[j], a0, b[k, j]), a1, b[k + 1, j])
            t = larger_sum(larger_sum(t, a2, b[k + 2, j]), a3, b[k + 3, j])
            t = larger_sum(larger_sum(t, a4, b[k + 4, j]), a5, b[k + 5, j])
            top[j] = larger_sum(larger_sum(t, a6, b[k + 6, j]), a7, b[k + 7, j])
    for k in range(whole, depth):
        x = a[k]
        for j in range(PANEL):
            top[j] = larger_sum(top[j], x, b[k, j])


@nb.njit(cache=True, nogil=True)
def _mark_zeros(a: Exponents, b: Exponents, base: int, zero_exponent: int, top: Exponents) -> None:
    """Let zero products take part with their exponent (sums of exponents below zero are theirs)."""
    relative = zero_exponent - base
    for j in range(PANEL):
        for k in range(a.shape[0]):
            if relative > top[j] and a[k] + b[k, j] < 0:
                top[j] = relative


@nb.njit(cache=True, nogil=True)
def _align_carried(
    carried: Floats,
    top: Exponents,
    scale: Floats,
    unit: Floats,
    totals: NDArray[np.int32],
    base: int,
    fraction_bits: int,
    zero_exponent: int,
    minimum: int,
) -> int:
    """Set each column's scale and unit from its largest exponent, and its total to the aligned carried result.

    A zero among the products is not looked for; return how many columns it could make a difference for.
    """
    bits, scale_bits, unit_bits = carried.view(np.int32), scale.view(np.int32), unit.view(np.int32)
    to_scale, to_unit = np.int32(127 + fraction_bits), np.int32(127 - fraction_bits)
    zero, least, shift, lowest = np.int32(zero_exponent), np.int32(minimum), np.int32(base), np.int32(LOWEST)
    below = 0
    for j in range(PANEL):
        field = np.int32((bits[j] >> np.int32(23)) & np.int32(255))
        own = choose(field == 0, zero, np.int32(max(np.int32(field - np.int32(127)), least)))
        products = np.int32(top[j])
        exponent = np.int32(max(own, choose(products < 0, zero, np.int32(products + shift))))
        below += np.int32(exponent < zero)
        exponent = np.int32(max(exponent, lowest))
        scale_bits[j] = np.int32(to_scale - exponent) << np.int32(23)
        unit_bits[j] = np.int32(to_unit + exponent) << np.int32(23)
    for j in range(PANEL):
        totals[j] = np.int32(carried[j] * scale[j])
    return below


@nb.njit(cache=True, nogil=True)
def _add_products(a: Floats, b: Floats, scale: Floats, totals: NDArray[np.int32]) -> None:
    depth = a.shape[0]
    k = 0
    while depth - k >= 16:
        _add_sixteen(a[k : k + 16], b[k : k + 16], scale, totals)
        k += 16
    while depth - k >= 4:
        _add_four(a[k : k + 4], b[k : k + 4], scale, totals)
        k += 4
    while depth > k:
        x = a[k]
        for j in range(PANEL):
            totals[j] = np.int32(totals[j] + np.int32((x * b[k, j]) * scale[j]))
        k += 1


@nb.njit(cache=True, nogil=True)
def _add_products_wide(
    a: Floats, b: Floats, scale: Floats, part: int, totals: NDArray[np.int32], wide: NDArray[np.float64]
) -> None:
    """Parts of products in int32, their sums in fp64, the first part's beside the aligned carried result."""
    for j in range(PANEL):
        wide[j] = totals[j]
    for start in range(0, a.shape[0], part):
        for j in range(PANEL):
            totals[j] = 0
        _add_products(a[start : start + part], b[start : start + part], scale, totals)
        for j in range(PANEL):
            wide[j] += np.float64(totals[j])


@nb.njit(cache=True, nogil=True)
def _add_sixteen(a: Floats, b: Floats, scale: Floats, totals: NDArray[np.int32]) -> None:
    a0, a1, a2, a3, a4, a5, a6, a7 = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
    a8, a9, a10, a11, a12, a13, a14, a15 = a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15]
    for j in range(PANEL):
        s = scale[j]
        t0 = np.int32((a0 * b[0, j]) * s) + np.int32((a1 * b[1, j]) * s)
        t1 = np.int32((a2 * b[2, j]) * s) + np.int32((a3 * b[3, j]) * s)
        t2 = np.int32((a4 * b[4, j]) * s) + np.int32((a5 * b[5, j]) * s)
        t3 = np.int32((a6 * b[6, j]) * s) + np.int32((a7 * b[7, j]) * s)
        t4 = np.int32((a8 * b[8, j]) * s) + np.int32((a9 * b[9, j]) * s)
        t5 = np.int32((a10 * b[10, j]) * s) + np.int32((a11 * b[11, j]) * s)
        t6 = np.int32((a12 * b[12, j]) * s) + np.int32((a13 * b[13, j]) * s)
        t7 = np.int32((a14 * b[14, j]) * s) + np.int32((a15 * b[15, j]) * s)
        totals[j] = np.int32(totals[j] + (((t0 + t1) + (t2 + t3)) + ((t4 + t5) + (t6 + t7))))


@nb.njit(cache=True, nogil=True)
def _add_four(a: Floats, b: Floats, scale: Floats, totals: NDArray[np.int32]) -> None:
    a0, a1, a2, a3 = a[0], a[1], a[2], a[3]
    for j in range(PANEL):
        s = scale[j]
        t0 = np.int32((a0 * b[0, j]) * s) + np.int32((a1 * b[1, j]) * s)
        t1 = np.int32((a2 * b[2, j]) * s) + np.int32((a3 * b[3, j]) * s)
        totals[j] = np.int32(totals[j] + (t0 + t1))


@nb.njit(cache=True, nogil=True)
def _finish(totals: NDArray[np.int32], unit: Floats, mask: int, carried: Floats) -> None:
    """Round to the register; the rounding mode is toward zero."""
    bits, kept = carried.view(np.int32), np.int32(mask)
    for j in range(PANEL):
        carried[j] = np.float32(totals[j]) * unit[j]
    for j in range(PANEL):
        bits[j] &= kept


@nb.njit(cache=True, nogil=True)
def _finish_wide(totals: NDArray[np.float64], unit: Floats, mask: int, carried: Floats) -> None:
    bits, kept = carried.view(np.int32), np.int32(mask)
    for j in range(PANEL):
        carried[j] = np.float32(totals[j]) * unit[j]
    for j in range(PANEL):
        bits[j] &= kept


@nb.njit(cache=True, nogil=True)
def _finish_half(totals: NDArray[np.int32], unit: Floats, carried: Floats) -> None:
    """Round to fp16, to odd before where fp32 does not hold the total; a register that has overflowed stays."""
    for j in range(PANEL):
        total = np.float64(totals[j])
        rounded = np.float32(total)
        odd = to_odd(rounded, np.float32(total - np.float64(rounded)))
        carried[j] = choose(abs(carried[j]) > np.float32(65504), carried[j], to_half(odd * unit[j]) + np.float32(0))


@nb.njit(cache=True, nogil=True)
def _finish_half_wide(totals: NDArray[np.float64], unit: Floats, carried: Floats) -> None:
    for j in range(PANEL):
        total = totals[j]
        rounded = np.float32(total)
        odd = to_odd(rounded, np.float32(total - np.float64(rounded)))
        carried[j] = choose(abs(carried[j]) > np.float32(65504), carried[j], to_half(odd * unit[j]) + np.float32(0))
