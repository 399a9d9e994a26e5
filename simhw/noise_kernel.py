"""Signal power, error power and the largest error of two arrays in one pass."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel, measuring_kernel

BLOCK = 1 << 14
"""Elements after which the place of the largest error is looked up, if it is the largest so far."""
MAGNITUDE = 0x7FFFFFFFFFFFFFFF
"""All bits of a float64 but its sign. Read as integers, magnitudes keep their order and every NaN is above infinity."""
NAN = 0x7FF0000000000001
"""The smallest NaN, for all of them."""


@measuring_kernel
def powers(expected: NDArray[np.float32], actual: NDArray[np.float32]) -> tuple[float, float, int]:
    """Return (signal power, error power, bits of the largest error's magnitude), in float64.

    Equal infinities are neither signal nor error.
    """
    signal = 0.0
    error = 0.0
    largest = np.int64(0)
    for i in range(expected.shape[0]):
        same = expected[i] == actual[i]
        x = np.float64(expected[i])
        difference = np.float64(actual[i]) - x
        difference = 0.0 if same else difference
        x = 0.0 if same and abs(x) == np.inf else x
        signal += x * x
        error += difference * difference
        largest = max(largest, np.float64(difference).view(np.int64) & np.int64(MAGNITUDE))
    return signal, error, largest


@kernel
def compare(expected: NDArray[np.float32], actual: NDArray[np.float32]) -> tuple[float, float, float, int]:
    """Return (signal power, error power, largest error, its first index; -1 for empty arrays), in float64.

    Equal infinities are neither signal nor error. A NaN is the largest error there is.
    """
    signal = 0.0
    error = 0.0
    largest = np.int64(-1)
    start = 0
    for first in range(0, expected.shape[0], BLOCK):
        block_signal, block_error, bits = powers(expected[first : first + BLOCK], actual[first : first + BLOCK])
        signal += block_signal
        error += block_error
        ordered = min(bits, np.int64(NAN))
        if ordered > largest:
            largest = ordered
            start = first
    place = -1
    worst = -1.0
    for i in range(start, min(start + BLOCK, expected.shape[0])):
        difference = abs(np.float64(actual[i]) - np.float64(expected[i]))
        difference = 0.0 if expected[i] == actual[i] else difference
        if difference > worst or (math.isnan(difference) and not math.isnan(worst)):
            worst = difference
            place = i
    return signal, error, worst, place
