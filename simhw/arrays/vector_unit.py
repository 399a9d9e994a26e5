"""The vector unit beside the array: softmax, norms, activations, requantization in cycles of its own.

A lane is a pipeline that takes one element per cycle and pass, whatever the function; with ``operations_per_lane``
it is an arithmetic unit that starts that many float operations per cycle, so that a function of more takes more
cycles. The cycles of E elements on L lanes are ceil(E c / L), c the cycles of one element.

**Overlap with the array** is a named choice. ``none``: the unit begins when the array has finished. ``pipelined``:
the array hands over its results in chunks, and the unit works on one chunk while the array computes the next: the
pipeline of two stages, whose faster stage is exposed for one chunk. With chunks of a and v cycles,

    total = a + (chunks - 1) max(a, v) + v,   never below the larger of both, never above their sum.

A function of several passes over a row needs the whole row: its chunks are rows (or tiles of them), never pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np

from simhw.arrays.base import Overlap, as_size, ceil_div, check_choice, check_positive, larger
from simhw.costs import VectorWork
from simhw.errors import InputError


class VectorOverlap(Enum):
    """What the vector unit and the array may do at the same time."""

    NONE = "none"
    """Nothing: the unit begins when the array has finished."""
    PIPELINED = "pipelined"
    """The unit works on one chunk of results while the array computes the next."""


@dataclass(frozen=True, kw_only=True)
class VectorUnit:
    """The vector unit.

    Attributes:
        lanes: elements side by side.
        operations_per_lane: float operations that a lane starts per cycle; None: all of one pass (a pipeline built
            for the function).
        overlap: with the array.

    Raises:
        InputError: a number below 1, or an overlap that is no ``VectorOverlap``.
    """

    lanes: int = 128
    operations_per_lane: int | None = None
    overlap: VectorOverlap = VectorOverlap.NONE

    def __post_init__(self) -> None:
        check_positive("lanes of the vector unit", self.lanes)
        if self.operations_per_lane is not None:
            check_positive("operations per lane", self.operations_per_lane)
        check_choice("overlap of the vector unit", self.overlap, VectorOverlap)

    def cycles_per_element(self, work: VectorWork) -> int:
        """Return the cycles that an element occupies a lane: its passes, or its operations where they take longer."""
        if self.operations_per_lane is None:
            return work.passes
        operations = Fraction(work.operations) / self.operations_per_lane
        return max(work.passes, -(-operations.numerator // operations.denominator))

    def cycles(self, elements: int, work: VectorWork) -> int:
        """Return the cycles that the unit alone takes (of an array of numbers of elements: each).

        Raises:
            InputError: a number of elements below 1, or cycles beyond int64.
        """
        count = as_size("elements of a vector step", elements)
        each = self.cycles_per_element(work)
        if int(np.max(count)) * each >= 2**63:
            raise InputError(
                f"a vector step has {int(np.max(count))} elements of {each} cycles, counts end at 2**63 - 1; split it"
            )
        return ceil_div(count * each, self.lanes)

    def exposed_cycles(self, elements: int, work: VectorWork, *, array_cycles: int, chunks: int = 1) -> int:
        """Return the cycles that the step adds to the ``array_cycles`` of the GEMM whose results it takes.

        Args:
            elements: of the step.
            work: per element.
            array_cycles: of the GEMM before it.
            chunks: in how many parts the array hands its results over; the unit starts with the first. More than
                ``array_cycles`` or the step's own cycles are as many as the fewer of both.

        Raises:
            InputError: a number below 1, or cycles beyond int64.
        """
        own = self.cycles(elements, work)
        array, parts = as_size("array cycles", array_cycles), as_size("chunks", chunks)
        if self.overlap is VectorOverlap.NONE:
            return own
        shorter = _smaller(own, array)
        parts = _smaller(parts, shorter)
        # one chunk of the faster stage stays exposed: total = max + min / chunks
        exposed: int = larger(own, array) + ceil_div(shorter, parts) - array
        return exposed


def check_overlaps(array: Overlap, vector: VectorOverlap) -> None:
    """Refuse a vector unit that works beside an array beside which nothing happens.

    Raises:
        InputError: the choices contradict each other.
    """
    if array is Overlap.NONE and vector is VectorOverlap.PIPELINED:
        raise InputError(
            "overlap is 'none' and vector overlap 'pipelined', but with 'none' nothing happens at the same time; "
            "choose per_fold for the array, or none for both"
        )


def _smaller(a: Any, b: Any) -> Any:
    return min(a, b) if type(a) is int and type(b) is int else np.minimum(a, b)
