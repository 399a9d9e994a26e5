"""Kernels of block quantization: largest magnitudes, and division that can be rounded again without harm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.formats.kernels import split
from simhw.kernel import kernel

LARGEST_FLOAT32 = 3.4028234663852886e38
LARGEST_FLOAT64 = 1.7976931348623157e308
SMALLEST_FLOAT64 = 5e-324


@kernel
def block_maxima(blocks: NDArray[Any], maxima: NDArray[np.float64], infinite_is_nan: bool) -> None:
    """Write the largest magnitude of each row of ``blocks`` to ``maxima``, NaN if the row holds one.

    An infinite element counts as the largest float32, or as NaN.
    """
    for row in range(blocks.shape[0]):
        largest = 0.0
        for column in range(blocks.shape[1]):
            magnitude = np.float64(abs(blocks[row, column]))
            if math.isinf(magnitude):
                magnitude = np.nan if infinite_is_nan else LARGEST_FLOAT32
            if math.isnan(magnitude):
                largest = magnitude
                break
            largest = max(largest, magnitude)
        maxima[row] = largest


@kernel
def largest_finite(bits: NDArray[Any], width: int, ignore_infinite: bool) -> float:
    """Return the largest magnitude of flat float32 or float64 bit patterns (``width`` 32 or 64), NaN left out.

    Infinite elements count as the largest float32, or are left out as well.
    """
    fraction = 23 if width == 32 else 52
    infinity = np.uint64((1 << (width - 1)) - (1 << fraction))
    mask = np.uint64((1 << (width - 1)) - 1)
    largest = np.uint64(0)
    infinite = False
    for i in range(bits.size):
        magnitude = np.uint64(bits[i]) & mask
        infinite |= magnitude == infinity
        largest = max(largest, magnitude if magnitude < infinity else np.uint64(0))
    value = np.float64(np.uint32(largest).view(np.float32)) if width == 32 else np.uint64(largest).view(np.float64)
    if infinite and not ignore_infinite:
        return max(value, LARGEST_FLOAT32)
    return value


@kernel
def divide_to_odd(dividend: float, divisor: float) -> float:
    """Return ``dividend / divisor`` rounded to odd: inexact quotients have an odd last bit.

    Rounding it once more to 51 bits or fewer gives what rounding the exact quotient gives, for every rounding rule.
    The divisor is positive and finite; quotients beyond float64 become its largest or smallest magnitude.
    """
    if dividend == 0.0 or math.isinf(dividend) or math.isnan(dividend):
        return dividend
    n, n_exponent = split(np.float64(abs(dividend)).view(np.int64))
    d, d_exponent = split(np.float64(divisor).view(np.int64))
    quotient = np.float64(n) / np.float64(d)
    places = 52 if quotient >= 1.0 else 53
    q = np.int64(quotient * np.float64(1 << places))
    # The remainder is below 2**54, so arithmetic modulo 2**64 gives it exactly.
    remainder = (n << places) - q * d
    if remainder != 0 and q & 1 == 0:
        q += 1 if remainder > 0 else -1
    exponent = n_exponent - d_exponent - places
    if exponent > 971:
        magnitude = LARGEST_FLOAT64
    elif exponent < -1074:
        magnitude = SMALLEST_FLOAT64
    else:
        magnitude = math.ldexp(np.float64(q), exponent)
    return -magnitude if dividend < 0 else magnitude


@kernel
def divide_blocks(blocks: NDArray[Any], divisors: NDArray[np.float64], quotients: NDArray[np.float64]) -> None:
    """Write each row of ``blocks`` divided by its divisor, rounded to odd; rows whose divisor is NaN become zero."""
    for row in range(blocks.shape[0]):
        divisor = divisors[row]
        for column in range(blocks.shape[1]):
            if math.isnan(divisor):
                quotients[row, column] = 0.0
            else:
                quotients[row, column] = divide_to_odd(np.float64(blocks[row, column]), divisor)
