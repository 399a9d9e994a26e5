"""Energy of an SRAM by capacity: the points of a table, what lies between them, and how well one power law fits them.

Between two points, and outside them with the slope of the nearest pair, the energy per bit is a power of the capacity
(linear in log-log); at a point it is the point's own. :func:`power_law` is the single law of least squares through all
of them, whose error says how far the points are from one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Points = Sequence[tuple[float, float]]
"""(capacity in KiB, value), ascending."""


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """``factor * capacity ** power``.

    Attributes:
        factor: value at 1 KiB.
        power: exponent.
        max_error, rms_error: relative errors over the points.
    """

    factor: float
    power: float
    max_error: float
    rms_error: float


def power_law(points: Points) -> PowerLaw | None:
    """Return the power law of least squares in logarithms, None for fewer than two capacities."""
    if len({capacity for capacity, _ in points}) < 2:
        return None
    x, y = np.log(np.asarray(points, np.float64)).T
    power, start = np.polyfit(x, y, 1)
    errors = np.expm1(start + power * x - y)
    return PowerLaw(
        factor=float(np.exp(start)),
        power=float(power),
        max_error=float(np.abs(errors).max()),
        rms_error=float(np.sqrt(np.mean(errors**2))),
    )


def between(points: Points, capacity_kib: float) -> float:
    """Return the value at a capacity (see the module)."""
    if len(points) == 1:
        return points[0][1]
    above = next((i for i, (x, _) in enumerate(points) if x >= capacity_kib), len(points) - 1)
    (x0, y0), (x1, y1) = points[max(above, 1) - 1], points[max(above, 1)]
    if capacity_kib in (x0, x1):
        return y0 if capacity_kib == x0 else y1
    slope = math.log(y1 / y0) / math.log(x1 / x0)
    return y0 * math.exp(slope * math.log(capacity_kib / x0))
