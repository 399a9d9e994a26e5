"""Signal power, error power and the largest error of two arrays in one pass."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel


@kernel
def compare(expected: NDArray[np.float32], actual: NDArray[np.float32]) -> tuple[float, float, float, int]:
    """Return (signal power, error power, largest error, its index; -1 for empty arrays), in float64.

    Equal infinities are neither signal nor error. A NaN is the largest error there is.
    """
    signal = 0.0
    error = 0.0
    largest = -1.0
    place = -1
    for i in range(expected.shape[0]):
        x = np.float64(expected[i])
        y = np.float64(actual[i])
        difference = 0.0
        if not (math.isinf(x) and x == y):
            signal += x * x
            difference = abs(y - x)
            error += difference * difference
        if difference > largest or (math.isnan(difference) and not math.isnan(largest)):
            largest = difference
            place = i
    return signal, error, largest, place
