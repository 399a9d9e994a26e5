"""Exponents of operands, as the alignment of their products needs them; arrays are flat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel


@kernel
def read_exponents(bits: NDArray[np.int32], minimum: int, mark: int, out: NDArray[np.int16]) -> None:
    """Set ``out`` to the exponents of float32 patterns, at least ``minimum``; zeros, infinities and NaN are marked."""
    least, marked = np.int32(minimum), np.int32(mark)
    for i in range(bits.shape[0]):
        pattern = np.int32(bits[i] & np.int32(0x7FFFFFFF))
        exponent = np.int32(max(np.int32((pattern >> np.int32(23)) - np.int32(127)), least))
        special = (pattern == 0) | (pattern >= np.int32(0x7F800000))
        out[i] = np.int16(marked if special else exponent)


@kernel
def exponent_range(exponents: NDArray[np.int16], mark: int) -> tuple[int, int]:
    """Return the smallest and the largest exponent that is not marked (below ``mark``); the first above if none is."""
    low, high = np.int16(32767), np.int16(-32768)
    marked = np.int16(mark)
    for i in range(exponents.shape[0]):
        exponent = exponents[i]
        low = min(low, np.int16(32767) if exponent < marked else exponent)
        high = max(high, np.int16(-32768) if exponent < marked else exponent)
    return np.int64(low), np.int64(high)


@kernel
def subtract_lowest(exponents: NDArray[np.int16], mark: int, low: int, instead: int, out: NDArray[np.int8]) -> None:
    """Set ``out`` to the exponents less ``low``, or to ``instead`` where they are marked."""
    marked, base, other = np.int16(mark), np.int16(low), np.int16(instead)
    for i in range(exponents.shape[0]):
        exponent = exponents[i]
        out[i] = other if exponent < marked else np.int16(exponent - base)


@kernel
def largest_significand(bits: NDArray[np.int32]) -> int:
    """Return the largest fraction of float32 patterns, the 23 bits below their exponents."""
    largest = np.int32(0)
    for i in range(bits.shape[0]):
        largest = max(largest, np.int32(bits[i] & np.int32(0x7FFFFF)))
    return np.int64(largest)


@kernel
def spread_bytes(values: NDArray[np.uint8], out: NDArray[np.uint32]) -> None:
    """Set ``out`` to words of four times a byte."""
    for i in range(out.shape[0]):
        out[i] = np.uint32(np.uint32(values[i]) * np.uint32(0x01010101))
