"""Sums in float32 of a stated order: element i goes to partial sum ``i % 64``, the 64 are then added in their order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from simhw.kernel import kernel
from simhw.sfu.base import FloatArray

LANES = 64
"""Partial sums: four vectors of 512 bits, whose latencies overlap."""


def lane_sum(values: Iterable[np.float32]) -> np.float32:
    """Return the sum of float32 values in that order."""
    lanes = [np.float32(0)] * LANES
    for i, value in enumerate(values):
        lanes[i % LANES] += value
    return joined(lanes)


def joined(lanes: list[np.float32]) -> np.float32:
    """Return the sum of the partial sums."""
    total = lanes[0]
    for lane in lanes[1:]:
        total = total + lane
    return total


@kernel
def fast_joined(sums: FloatArray) -> Any:
    """Return ``joined``."""
    total = sums[0]
    for j in range(1, sums.size):
        total += sums[j]
    return total


@kernel
def fast_sum(x: FloatArray, sums: FloatArray) -> Any:
    """Return ``lane_sum(x)``; ``sums`` has a place per lane."""
    sums[:] = np.float32(0)
    for first in range(0, x.size, sums.size):
        part = x[first : first + sums.size]
        for j in range(part.size):
            sums[j] += part[j]
    return fast_joined(sums)


@kernel
def fast_sum_of_squares(x: FloatArray, sums: FloatArray) -> Any:
    """Return ``lane_sum`` of the squares."""
    sums[:] = np.float32(0)
    for first in range(0, x.size, sums.size):
        part = x[first : first + sums.size]
        for j in range(part.size):
            sums[j] += part[j] * part[j]
    return fast_joined(sums)
