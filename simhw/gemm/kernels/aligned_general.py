"""Tensor-core accumulation for any finite or special operands, any rounding, with an addend: vectorised, in fp64.

Products and aligned terms are exact in fp64, and so are their sums as long as ``fraction_bits`` and the carries of a
block fit its 53 bits (the planner checks that). Infinities and NaN take part in the sums as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

PANEL = 128
ZERO = -8192
"""Exponent that marks a zero or special operand."""
_MARKED = -4096
"""Sums of exponents below this have a marked operand."""


@kernel
def aligned_general(
    a: NDArray[np.float64],
    a_exponent: NDArray[np.int16],
    b: NDArray[np.float64],
    b_exponent: NDArray[np.int16],
    out: NDArray[np.float32],
    block: int,
    fraction_bits: int,
    zero_exponent: int,
    significand: int,
    minimum: int,
    largest: float,
    beyond: float,
    toward_zero: bool,
    nearest: bool,
) -> None:
    """Chain blocks into ``out`` (m, n), which holds c on entry; operands are (m, k) and (k, n), k a multiple of block.

    ``significand``, ``minimum``, ``largest`` describe the register of a block's result: precision, exponent of its
    smallest normal number, largest finite number; ``beyond`` is what larger magnitudes become.
    ``nearest`` rounds aligned terms to nearest even; else they are truncated.
    """
    m, depth = a.shape
    n = b.shape[1]
    values = np.zeros((depth, PANEL), np.float64)
    exponents = np.zeros((depth, PANEL), np.int16)
    carried = np.zeros(PANEL, np.float64)
    top = np.zeros(PANEL, np.int16)
    scale = np.zeros(PANEL, np.float64)
    totals = np.zeros(PANEL, np.float64)
    work = np.zeros((3, PANEL), np.float64)
    for j0 in range(0, n, PANEL):
        width = min(PANEL, n - j0)
        for k in range(depth):
            for j in range(width):
                values[k, j] = b[k, j0 + j]
                exponents[k, j] = b_exponent[k, j0 + j]
        for i in range(m):
            for j in range(PANEL):
                carried[j] = 0.0
            for j in range(width):
                carried[j] = out[i, j0 + j]
            for start in range(0, depth, block):
                stop = start + block
                _largest_exponent(a_exponent[i, start:stop], exponents[start:stop], zero_exponent, top)
                align_carried(carried, top, scale, totals, zero_exponent, minimum, fraction_bits)
                whole = start if nearest else stop - block % 4
                if nearest:
                    _align_nearest(carried, scale, totals)
                    for k in range(start, stop):
                        _add_nearest(a[i, k], values[k], scale, totals)
                for k in range(start, whole, 4):
                    _add_four(a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3], values[k : k + 4], scale, totals)
                for k in range(stop if nearest else whole, stop):
                    _add_product(a[i, k], values[k], scale, totals)
                round_totals(
                    totals, top, carried, work, fraction_bits, significand, minimum, largest, beyond, toward_zero
                )
            for j in range(width):
                out[i, j0 + j] = np.float32(carried[j])


@kernel
def _largest_exponent(a: NDArray[np.int16], b: NDArray[np.int16], zero_exponent: int, top: NDArray[np.int16]) -> None:
    zero = np.int16(zero_exponent)
    for j in range(PANEL):
        top[j] = np.int16(ZERO)
    for k in range(a.shape[0]):
        x = a[k]
        for j in range(PANEL):
            exponent = np.int16(x + b[k, j])
            top[j] = max(top[j], zero if exponent < np.int16(_MARKED) else exponent)


@kernel
def align_carried(
    carried: NDArray[np.float64],
    top: NDArray[np.int16],
    scale: NDArray[np.float64],
    totals: NDArray[np.float64],
    zero_exponent: int,
    minimum: int,
    fraction_bits: int,
) -> None:
    """Let the carried results take part in the largest exponent, and start the totals with what alignment leaves."""
    bits = carried.view(np.int64)
    scale_bits = scale.view(np.int64)
    for j in range(PANEL):
        field = (bits[j] >> np.int64(52)) & np.int64(2047)
        exponent = max(field - np.int64(1023), np.int64(minimum))
        if field == np.int64(0) or field == np.int64(2047):
            exponent = np.int64(zero_exponent)
        block_top = max(np.int64(top[j]), exponent)
        top[j] = np.int16(block_top)
        scale_bits[j] = (np.int64(1023 + fraction_bits) - block_top) << np.int64(52)
    for j in range(PANEL):
        totals[j] = np.trunc(carried[j] * scale[j])


@kernel
def _align_nearest(carried: NDArray[np.float64], scale: NDArray[np.float64], totals: NDArray[np.float64]) -> None:
    for j in range(PANEL):
        totals[j] = np.rint(carried[j] * scale[j])


@kernel
def _add_nearest(a: float, b: NDArray[np.float64], scale: NDArray[np.float64], totals: NDArray[np.float64]) -> None:
    for j in range(PANEL):
        totals[j] += np.rint((a * b[j]) * scale[j])


@kernel
def _add_product(a: float, b: NDArray[np.float64], scale: NDArray[np.float64], totals: NDArray[np.float64]) -> None:
    for j in range(PANEL):
        totals[j] += np.trunc((a * b[j]) * scale[j])


@kernel
def _add_four(
    a0: float,
    a1: float,
    a2: float,
    a3: float,
    b: NDArray[np.float64],
    scale: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> None:
    for j in range(PANEL):
        s = scale[j]
        low = np.trunc((a0 * b[0, j]) * s) + np.trunc((a1 * b[1, j]) * s)
        high = np.trunc((a2 * b[2, j]) * s) + np.trunc((a3 * b[3, j]) * s)
        totals[j] += low + high


@kernel
def round_totals(
    totals: NDArray[np.float64],
    top: NDArray[np.int16],
    carried: NDArray[np.float64],
    work: NDArray[np.float64],
    fraction_bits: int,
    significand: int,
    minimum: int,
    largest: float,
    beyond: float,
    toward_zero: bool,
) -> None:
    """Round each total, in units of ``2**(top - fraction_bits)``, once to the register; -0 becomes +0.

    ``work`` (3, columns) holds what needs no memory of its own.
    """
    unit, last, steps = work[0], work[1], work[2]
    unit_bits, last_bits, steps_bits = unit.view(np.int64), last.view(np.int64), steps.view(np.int64)
    for j in range(PANEL):
        unit_bits[j] = (np.int64(1023 - fraction_bits) + np.int64(top[j])) << np.int64(52)
    for j in range(PANEL):
        carried[j] = totals[j] * unit[j]
    bits = carried.view(np.int64)
    for j in range(PANEL):
        exponent = ((bits[j] >> np.int64(52)) & np.int64(2047)) - np.int64(1023)
        place = max(exponent, np.int64(minimum)) - np.int64(significand - 1)
        last_bits[j] = (np.int64(1023) + place) << np.int64(52)
        steps_bits[j] = (np.int64(1023) - place) << np.int64(52)
    if toward_zero:
        for j in range(PANEL):
            carried[j] = np.trunc(carried[j] * steps[j]) * last[j]
    else:
        for j in range(PANEL):
            carried[j] = np.rint(carried[j] * steps[j]) * last[j]
    for j in range(PANEL):
        value = carried[j]
        limited = np.copysign(beyond, value) if abs(value) > largest else value
        carried[j] = limited + 0.0
