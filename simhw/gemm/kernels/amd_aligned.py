"""CDNA3 accumulation: products truncated, sum and addend rounded down, result to nearest; columns in parallel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

PANEL = 128
NO_PRODUCT = -400
"""Exponent of a product that is zero: below that of every other, and of every addend."""
_MARKED = -4096
"""Sums of exponents below this have a marked operand (see ``aligned_general``)."""
_BEYOND = 2.0**128


@kernel
def amd_aligned(
    a: NDArray[np.float64],
    a_exponent: NDArray[np.int16],
    b: NDArray[np.float64],
    b_exponent: NDArray[np.int16],
    out: NDArray[np.float32],
    block: int,
    fraction_bits: int,
    sum_bits: int,
    interleaved: bool,
) -> None:
    """Chain blocks into ``out`` (m, n), which holds c on entry; operands are (m, k) and (k, n).

    k is a multiple of ``block``; every number is exact in fp64 up to the roundings that the definition names.
    """
    m, depth = a.shape
    n = b.shape[1]
    values = np.zeros((depth, PANEL), np.float64)
    exponents = np.zeros((depth, PANEL), np.int16)
    carried = np.zeros(PANEL, np.float64)
    top = np.zeros(PANEL, np.int64)
    other_top = np.zeros(PANEL, np.int64)
    totals = np.zeros(PANEL, np.float64)
    work = np.zeros((4, PANEL), np.float64)
    scale = np.zeros(PANEL, np.float64)
    largest = np.zeros(PANEL, np.int16)
    other = np.zeros(PANEL, np.float64)
    for j0 in range(0, n, PANEL):
        width = min(PANEL, n - j0)
        for k in range(depth):
            for j in range(width):
                values[k, j] = b[k, j0 + j]
                exponents[k, j] = b_exponent[k, j0 + j]
        for i in range(m):
            for j in range(width):
                carried[j] = out[i, j0 + j]
            for start in range(0, depth, block):
                x, ex = a[i, start : start + block], a_exponent[i, start : start + block]
                y, ey = values[start : start + block], exponents[start : start + block]
                if interleaved:
                    sum_products(x[0::2], ex[0::2], y[0::2], ey[0::2], fraction_bits, largest, scale, top, totals)
                    sum_products(x[1::2], ex[1::2], y[1::2], ey[1::2], fraction_bits, largest, scale, other_top, other)
                    join(totals, top, other, other_top, work)
                else:
                    sum_products(x, ex, y, ey, fraction_bits, largest, scale, top, totals)
                add_carried(totals, top, carried, work, fraction_bits, sum_bits, interleaved)
            for j in range(width):
                out[i, j0 + j] = np.float32(carried[j])


@kernel
def sum_products(
    a: NDArray[np.float64],
    a_exponent: NDArray[np.int16],
    b: NDArray[np.float64],
    b_exponent: NDArray[np.int16],
    fraction_bits: int,
    largest: NDArray[np.int16],
    scale: NDArray[np.float64],
    top: NDArray[np.int64],
    totals: NDArray[np.float64],
) -> None:
    """Set ``totals``, in units of ``2**(top - fraction_bits)``, to the sums of products cut off at that unit.

    ``largest`` and ``scale`` are overwritten.
    """
    scale_bits = scale.view(np.int64)
    for j in range(PANEL):
        largest[j] = np.int16(NO_PRODUCT)
        totals[j] = 0.0
    for k in range(a.shape[0]):
        x = a_exponent[k]
        for j in range(PANEL):
            largest[j] = max(largest[j], np.int16(x + b_exponent[k, j]))
    for j in range(PANEL):
        top[j] = np.int64(largest[j])
        scale_bits[j] = (np.int64(1023 + fraction_bits) - np.int64(largest[j])) << np.int64(52)
    for k in range(a.shape[0]):
        v = a[k]
        for j in range(PANEL):
            product = v * b[k, j]
            product = np.copysign(np.inf, product) if abs(product) >= _BEYOND else product
            totals[j] += np.trunc(product * scale[j])


@kernel
def join(
    totals: NDArray[np.float64],
    top: NDArray[np.int64],
    other: NDArray[np.float64],
    other_top: NDArray[np.int64],
    scale: NDArray[np.float64],
) -> None:
    """Add ``other`` to ``totals``, both rounded down to the unit of the larger exponent; ``scale`` is overwritten."""
    bits = scale.view(np.int64)
    for j in range(PANEL):
        larger = max(top[j], other_top[j])
        bits[0, j] = (np.int64(1023) + top[j] - larger) << np.int64(52)
        bits[1, j] = (np.int64(1023) + other_top[j] - larger) << np.int64(52)
        top[j] = larger
    for j in range(PANEL):
        totals[j] = np.floor(totals[j] * scale[0, j]) + np.floor(other[j] * scale[1, j])


@kernel
def add_carried(
    totals: NDArray[np.float64],
    top: NDArray[np.int64],
    carried: NDArray[np.float64],
    work: NDArray[np.float64],
    fraction_bits: int,
    sum_bits: int,
    interleaved: bool,
) -> None:
    """Align sum and carried result, add, round down to ``sum_bits``, then to nearest even in fp32.

    ``work`` (4, columns) is overwritten.
    """
    to_units, unit, kept = work[:2], work[2], work[3]
    to_bits, unit_bits = to_units.view(np.int64), unit.view(np.int64)
    bits = carried.view(np.int64)
    one = np.int64(1023)
    extra = np.float64(1 << (sum_bits + 1 - fraction_bits))
    for j in range(PANEL):
        field = (bits[j] >> np.int64(52)) & np.int64(2047)
        exponent = np.int64(-126) if field == np.int64(2047) else max(field - one, np.int64(-126))
        larger = max(top[j], exponent)
        to_bits[0, j] = (one + top[j] - larger + np.int64(sum_bits + 1 - fraction_bits)) << np.int64(52)
        to_bits[1, j] = (one + np.int64(fraction_bits) - larger) << np.int64(52)
        unit_bits[j] = (one + larger - np.int64(sum_bits + 1)) << np.int64(52)
        far = interleaved & (exponent < larger - np.int64(fraction_bits + 1)) & (field != np.int64(2047))
        kept[j] = 0.0 if far else 1.0
    for j in range(PANEL):
        addend = np.floor(carried[j] * to_units[1, j]) * extra
        addend = addend if kept[j] > 0.0 else 0.0
        carried[j] = (np.floor(totals[j] * to_units[0, j]) + addend) * unit[j]
    for j in range(PANEL):
        exponent = max(((bits[j] >> np.int64(52)) & np.int64(2047)) - one, np.int64(-126))
        to_bits[0, j] = (one + np.int64(sum_bits) - exponent) << np.int64(52)
        unit_bits[j] = (one - np.int64(sum_bits) + exponent) << np.int64(52)
    for j in range(PANEL):
        carried[j] = np.float64(np.float32(np.floor(carried[j] * to_units[0, j]) * unit[j]))
