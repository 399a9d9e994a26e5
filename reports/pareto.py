"""Which points are worth having: the Pareto front of two things that should both be small."""

from __future__ import annotations

import math
from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the indices of the points that no other point dominates, by rising first coordinate.

    Smaller is better in both coordinates. One point dominates another when it is at most as large in both and
    smaller in one, so equal points stay together. A point with a NaN is never on the front. For a coordinate
    of which more is better, give its negative.

    >>> pareto_front([(1, 9), (2, 5), (3, 7), (4, 1)])
    [0, 1, 3]
    """
    known = [i for i, point in enumerate(points) if not any(math.isnan(x) for x in point)]
    front: list[int] = []
    for i in sorted(known, key=lambda i: (*points[i], i)):
        # Nothing later in this order dominates, and the front's last has the least second coordinate so far.
        if not front or points[i][1] < points[front[-1]][1] or points[i] == points[front[-1]]:
            front.append(i)
    return front
