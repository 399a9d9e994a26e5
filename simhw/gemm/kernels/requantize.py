"""Scaling and rounding of int32 sums (m, n) to integers, one scale per column, before zero point and clamping."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel


@kernel
def round_twice(
    sums: NDArray[np.int64], multiplier: NDArray[np.int64], shift: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    """Multiply to the upper 32 bits, ties up; then shift right, ties away from zero. 31-bit multipliers."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            left = max(shift[j], np.int64(0))
            right = max(-shift[j], np.int64(0))
            product = (sums[i, j] << left) * multiplier[j]
            high = (product + (np.int64(1) << np.int64(30))) >> np.int64(31)
            half = (np.int64(1) << right) >> np.int64(1)
            # Away from zero: a negative tie goes down, which is one less than up.
            negative = np.int64(1) if high < 0 and right > 0 else np.int64(0)
            out[i, j] = (high + half - negative) >> right


@kernel
def round_once(
    sums: NDArray[np.int64], multiplier: NDArray[np.int64], shift: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    """Multiply and shift right by ``shift`` >= 1, ties up. 31-bit multipliers, shifts up to 62."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            half = np.int64(1) << (shift[j] - np.int64(1))
            out[i, j] = (sums[i, j] * multiplier[j] + half) >> shift[j]


@kernel
def scale_in_float(sums: NDArray[np.int64], scale: NDArray[np.float32], out: NDArray[np.int64]) -> None:
    """Round the sum to fp32, the product to fp32, and that to the nearest integer, ties to even each time."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            product = np.float32(sums[i, j]) * scale[j]
            out[i, j] = np.int64(np.rint(np.float64(product)))


@kernel
def scale_in_double(sums: NDArray[np.int64], scale: NDArray[np.float32], out: NDArray[np.int64]) -> None:
    """Round the product to fp64 and that to the nearest integer, ties to even."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            out[i, j] = np.int64(np.rint(np.float64(sums[i, j]) * np.float64(scale[j])))


@kernel
def shift_to_even(sums: NDArray[np.int64], shift: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """Shift right by ``shift`` >= 0, ties to even."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            half = (np.int64(1) << shift[j]) >> np.int64(1)
            down = sums[i, j] >> shift[j]
            rest = sums[i, j] - (down << shift[j])
            up = rest > half or (rest == half and half > 0 and (down & np.int64(1)) == np.int64(1))
            out[i, j] = down + (np.int64(1) if up else np.int64(0))
