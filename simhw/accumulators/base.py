"""What every accumulator offers: its definition on exact numbers.

An accumulator says how the products of one dot product are summed: which partial sums exist, how each is rounded
or cut, and what is returned. The order of the summation is part of that meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

Number = Fraction | float
"""An exact finite value as ``Fraction``; ``float`` only for infinities and NaN."""


class Accumulator(Protocol):
    """How products are summed. Records of this kind are frozen, hashable and hold data only."""

    @property
    def kind(self) -> str:
        """Name of the accumulator's own file, and of the file of ``simhw/gemm/paths`` that runs it."""
        ...

    @property
    def name(self) -> str:
        """Short name with the figures that matter, e.g. ``aligned L=32 F=13``."""
        ...

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the definition's result for ``sum(a[k] * b[k]) + c``, operands being exact values."""
        ...


def exact_products(a: Sequence[float], b: Sequence[float]) -> list[Fraction]:
    """Return the exact products of finite operands."""
    return [Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True)]
