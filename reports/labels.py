"""Where to write the names of points so that they cover neither each other nor the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MARKER = 5.0  # half the side of the square around a point that stays free
MARGIN = 2.0  # between two labels
DISTANCES = (7.0, 11.0, 16.0, 23.0, 32.0, 43.0, 56.0, 72.0, 92.0)
DIRECTIONS = 16
ROUNDS = 4


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle by its corners, in any unit of length; ``y`` grows upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """Return the shared area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)

    def outside(self, frame: Box) -> float:
        """Return by how much the rectangle sticks out of ``frame``."""
        return (
            max(0.0, frame.left - self.left)
            + max(0.0, self.right - frame.right)
            + max(0.0, frame.bottom - self.bottom)
            + max(0.0, self.top - frame.top)
        )

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """Return the point of the rectangle that is nearest to ``(x, y)``."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: Box,
    lines: Sequence[Box] = (),
) -> list[Box]:
    """Return one box of the given ``(width, height)`` per point: near it, in ``frame``, free of the others.

    ``lines`` are drawn lines, as thin boxes, that a label should rather not cover.

    Each label takes the cheapest of the places around its point, the others standing still; a few rounds of
    that settle it. The result depends on nothing but the arguments.
    """
    candidates = [_candidates(point, size) for point, size in zip(points, sizes, strict=True)]
    markers = [Box(left=x - MARKER, bottom=y - MARKER, right=x + MARKER, top=y + MARKER) for x, y in points]
    chosen: list[Box | None] = [None] * len(points)
    crowded_first = sorted(range(len(points)), key=lambda i: (-_neighbours(points, i), i))
    for _ in range(ROUNDS):
        before = list(chosen)
        for i in crowded_first:
            others = [(points[j], box) for j, box in enumerate(chosen) if j != i and box is not None]
            costs = [_cost(points[i], box, markers, others, frame, lines) for box in candidates[i]]
            chosen[i] = candidates[i][costs.index(min(costs))]
        if chosen == before:
            break
    return [box for box in chosen if box is not None]


def _neighbours(points: Sequence[tuple[float, float]], i: int) -> int:
    return sum(math.dist(points[i], other) < 60 for other in points)


def _candidates(point: tuple[float, float], size: tuple[float, float]) -> list[Box]:
    """Return boxes all around the point, whose nearest edge or corner is at each of the distances."""
    x, y = point
    width, height = size
    boxes = []
    for distance in DISTANCES:
        for step in range(DIRECTIONS):
            angle = 2 * math.pi * step / DIRECTIONS
            center_x = x + math.cos(angle) * (distance + width / 2)
            center_y = y + math.sin(angle) * (distance + height / 2)
            boxes.append(
                Box(
                    left=center_x - width / 2,
                    bottom=center_y - height / 2,
                    right=center_x + width / 2,
                    top=center_y + height / 2,
                )
            )
    return boxes


def _cost(
    point: tuple[float, float],
    box: Box,
    markers: Sequence[Box],
    others: Sequence[tuple[tuple[float, float], Box]],
    frame: Box,
    lines: Sequence[Box],
) -> float:
    """Return how bad a place is: covering or leaving the frame is far worse than any distance."""
    wide = Box(left=box.left - MARGIN, bottom=box.bottom - MARGIN, right=box.right + MARGIN, top=box.top + MARGIN)
    leader = (point, box.nearest(*point))
    cost = 1000.0 * box.outside(frame) + math.dist(*leader)
    cost += 100.0 * sum(wide.overlap(marker) for marker in markers)
    cost += sum(wide.overlap(line) for line in lines)
    for other_point, other_box in others:
        cost += 100.0 * wide.overlap(other_box)
        other_leader = (other_point, other_box.nearest(*other_point))
        cost += 300.0 * (_cross(leader, other_leader) + _meets(leader, other_box) + _meets(other_leader, box))
    return cost


_Segment = tuple[tuple[float, float], tuple[float, float]]


def _cross(a: _Segment, b: _Segment) -> bool:
    """Whether two segments cross."""

    def side(start: tuple[float, float], end: tuple[float, float], p: tuple[float, float]) -> float:
        return (end[0] - start[0]) * (p[1] - start[1]) - (end[1] - start[1]) * (p[0] - start[0])

    return side(*a, b[0]) * side(*a, b[1]) < 0 and side(*b, a[0]) * side(*b, a[1]) < 0


def _meets(segment: _Segment, box: Box) -> bool:
    """Whether a segment crosses a diagonal of a box, which a line through the box nearly always does."""
    rising = ((box.left, box.bottom), (box.right, box.top))
    falling = ((box.left, box.top), (box.right, box.bottom))
    return _cross(segment, rising) or _cross(segment, falling)
