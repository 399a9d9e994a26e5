"""Largest and smallest magnitude of an array in one pass over its bit patterns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel


@kernel
def magnitudes(bits: NDArray[np.uint32]) -> tuple[int, int, int]:
    """Return the largest and the smallest nonzero magnitude and the bits set in any, as bit patterns of float32.

    Magnitudes of float32 order like their bit patterns, so that this is a loop over integers. Where all are zero the
    smallest is the largest pattern there is.
    """
    largest = np.uint32(0)
    smallest = np.uint32(0xFFFFFFFF)
    occupied = np.uint32(0)
    for i in range(bits.shape[0]):
        magnitude = np.uint32(bits[i] & np.uint32(0x7FFFFFFF))
        occupied = np.uint32(occupied | magnitude)
        largest = max(largest, magnitude)
        smallest = min(smallest, np.uint32(magnitude - np.uint32(1)))  # zero becomes the largest pattern
    return np.int64(largest), np.int64(smallest) + 1, np.int64(occupied)


@kernel
def has_nan(values: NDArray[Any]) -> bool:
    """Return whether a flat array holds a NaN."""
    found = np.uint32(0)
    for i in range(values.shape[0]):
        value = values[i]
        found = np.uint32(found | np.uint32(value != value))
    return found != 0
