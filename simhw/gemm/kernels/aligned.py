"""Tensor-core accumulation on whole matrices, fast: for ranges of operands that the planner has certified.

Alignment and truncation of a product are one multiplication by a power of two and one conversion to int32. For
registers that truncate, the processor's rounding mode is toward zero meanwhile, so that the conversion back is their
rounding.
One block of a panel of columns stays in the first-level cache while all rows pass over it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.aligned_products import PANEL, add_products, add_products_wide, join_products
from simhw.gemm.kernels.bits import choose, larger_sum, set_rounding_mode, to_half, to_odd
from simhw.kernel import kernel

ROWS = 4
"""Rows per call of the inner functions."""
LOWEST = -100
"""Smallest block exponent in use: below it only zeros occur, and the scale would leave fp32's range."""
TOWARD_ZERO_MODE, NEAREST_MODE = 0, 1

Floats = NDArray[np.float32]
Exponents = NDArray[np.int8]


@kernel
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
            More of them are added in int32 as well, and again in fp64 where that has overflowed.
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
    top = np.zeros((ROWS, PANEL), a_exponent.dtype)
    scale = np.zeros((ROWS, PANEL), np.float32)
    unit = np.zeros((ROWS, PANEL), np.float32)
    totals = np.zeros((ROWS, PANEL), np.int32)
    wide = np.zeros((ROWS, PANEL), np.float64)
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
            for i in range(0, m, ROWS):
                last = min(i + ROWS, m)
                rows, row_exponents = a[i:last, start : start + block], a_exponent[i:last, start : start + block]
                held = carried[i:last]
                _largest_exponents(row_exponents, exponents, top)
                below = _align_carried(held, top, scale, unit, totals, base, fraction_bits, zero_exponent, minimum)
                if below > 0:  # rare: only tiny terms, so that it matters whether there is a zero among them
                    _mark_zeros(row_exponents, exponents, base, zero_exponent, top)
                    _align_carried(held, top, scale, unit, totals, base, fraction_bits, zero_exponent, minimum)
                if part == 0:
                    add_products(rows, values, scale, totals)
                    if half:
                        _finish_half(totals, unit, held)
                    else:
                        _finish(totals, unit, mask, held)
                elif block % part == 0 and join_products(rows, values, scale, part, totals) == 0:
                    if half:
                        _finish_half(totals, unit, held)
                    else:
                        _finish(totals, unit, mask, held)
                else:  # rare: nearly all products as large as can be, of one sign
                    _align_carried(held, top, scale, unit, totals, base, fraction_bits, zero_exponent, minimum)
                    add_products_wide(rows, values, scale, part, totals, wide)
                    if half:
                        _finish_half(wide, unit, held)
                    else:
                        _finish(wide, unit, mask, held)
        for i in range(m):
            for j in range(width):
                out[i, j0 + j] = carried[i, j]
    if not half:
        set_rounding_mode(NEAREST_MODE)


@kernel
def _largest_exponents(a: Exponents, b: Exponents, top: Exponents) -> None:
    depth = a.shape[1]
    whole = depth - depth % 16
    for r in range(a.shape[0]):
        for j in range(PANEL):
            top[r, j] = -128
        for k in range(0, whole, 16):
            a0, a1, a2, a3 = a[r, k], a[r, k + 1], a[r, k + 2], a[r, k + 3]
            a4, a5, a6, a7 = a[r, k + 4], a[r, k + 5], a[r, k + 6], a[r, k + 7]
            a8, a9, a10, a11 = a[r, k + 8], a[r, k + 9], a[r, k + 10], a[r, k + 11]
            a12, a13, a14, a15 = a[r, k + 12], a[r, k + 13], a[r, k + 14], a[r, k + 15]
            for j in range(PANEL):
                t = larger_sum(larger_sum(top[r, j], a0, b[k, j]), a1, b[k + 1, j])
                t = larger_sum(larger_sum(t, a2, b[k + 2, j]), a3, b[k + 3, j])
                t = larger_sum(larger_sum(t, a4, b[k + 4, j]), a5, b[k + 5, j])
                t = larger_sum(larger_sum(t, a6, b[k + 6, j]), a7, b[k + 7, j])
                t = larger_sum(larger_sum(t, a8, b[k + 8, j]), a9, b[k + 9, j])
                t = larger_sum(larger_sum(t, a10, b[k + 10, j]), a11, b[k + 11, j])
                t = larger_sum(larger_sum(t, a12, b[k + 12, j]), a13, b[k + 13, j])
                top[r, j] = larger_sum(larger_sum(t, a14, b[k + 14, j]), a15, b[k + 15, j])
        for k in range(whole, depth):
            x = a[r, k]
            for j in range(PANEL):
                top[r, j] = larger_sum(top[r, j], x, b[k, j])


@kernel
def _mark_zeros(a: Exponents, b: Exponents, base: int, zero_exponent: int, top: Exponents) -> None:
    """Let zero products take part with their exponent (sums of exponents below zero are theirs)."""
    relative = zero_exponent - base
    for r in range(a.shape[0]):
        for j in range(PANEL):
            for k in range(a.shape[1]):
                if relative > top[r, j] and a[r, k] + b[k, j] < 0:
                    top[r, j] = relative


@kernel
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
    below = np.int32(0)
    for r in range(carried.shape[0]):
        for j in range(PANEL):
            field = np.int32((bits[r, j] >> np.int32(23)) & np.int32(255))
            own = choose(field == 0, zero, np.int32(max(np.int32(field - np.int32(127)), least)))
            products = np.int32(top[r, j])
            exponent = np.int32(max(own, choose(products < 0, zero, np.int32(products + shift))))
            below = np.int32(below + np.int32(exponent < zero))
            exponent = np.int32(max(exponent, lowest))
            scale_bits[r, j] = np.int32(to_scale - exponent) << np.int32(23)
            unit_bits[r, j] = np.int32(to_unit + exponent) << np.int32(23)
        for j in range(PANEL):
            totals[r, j] = np.int32(carried[r, j] * scale[r, j])
    return np.int64(below)


@kernel
def _finish(totals: NDArray[np.float64], unit: Floats, mask: int, carried: Floats) -> None:
    """Round to the register; the rounding mode is toward zero. Totals are integers of either type."""
    bits, kept = carried.view(np.int32), np.int32(mask)
    for r in range(carried.shape[0]):
        for j in range(PANEL):
            carried[r, j] = np.float32(totals[r, j]) * unit[r, j]
        for j in range(PANEL):
            bits[r, j] &= kept


@kernel
def _finish_half(totals: NDArray[np.float64], unit: Floats, carried: Floats) -> None:
    """Round to fp16, to odd before where fp32 does not hold the total; a register that has overflowed stays."""
    for r in range(carried.shape[0]):
        for j in range(PANEL):
            total = np.float64(totals[r, j])
            rounded = np.float32(total)
            odd = to_odd(rounded, np.float32(total - np.float64(rounded)))
            result = to_half(odd * unit[r, j]) + np.float32(0)
            carried[r, j] = choose(abs(carried[r, j]) > np.float32(65504), carried[r, j], result)
