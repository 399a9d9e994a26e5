"""Floating-point sums by recursive halving."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from simhw.accumulators.base import Number
from simhw.accumulators.ieee import add_rounded, float_sum, multiply_rounded, round_value, specials
from simhw.accumulators.rounding import FLOAT32, Precision


class Split(enum.Enum):
    """Where a run of ``count`` terms is parted."""

    HALVES = "halves"
    """The left part has ``count // 2`` terms."""
    POWER_OF_TWO = "power_of_two"
    """The left part has the largest power of two below ``count``: what a binary counter of partial sums gives."""


@dataclass(frozen=True, kw_only=True)
class Pairwise:
    """The sum of a run of terms is ``round(sum(left part) + sum(right part))``, down to single products.

    Every product is rounded to the register's precision first (no change where it fits).

    Attributes:
        precision: of every product and every adder.
        split: where a run is parted.
    """

    precision: Precision = FLOAT32
    split: Split = Split.HALVES

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "pairwise"

    @property
    def name(self) -> str:
        """Short name."""
        return f"{self.precision.name} pairwise, {self.split.value.replace('_', ' ')}"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the rounded sum, to which the rounded addend (also a zero) is added last; specials follow IEEE 754."""
        if specials((*a, *b, c)):
            return float_sum(a, b, c)
        products = [multiply_rounded(x, y, self.precision) for x, y in zip(a, b, strict=True)]
        tree = sum_tree(products, self.split, self.precision)
        return add_rounded(tree, round_value(c, self.precision), self.precision)


def left_count(count: int, split: Split) -> int:
    """Return how many of ``count`` terms are in the left part.

    >>> left_count(7, Split.HALVES), left_count(7, Split.POWER_OF_TWO), left_count(8, Split.POWER_OF_TWO)
    (3, 4, 4)
    """
    return count // 2 if split is Split.HALVES else 1 << ((count - 1).bit_length() - 1)


def sum_tree(terms: Sequence[Number], split: Split, precision: Precision) -> Number:
    """Return the sum of at least one term, rounded at every addition."""
    if len(terms) == 1:
        return terms[0]
    middle = left_count(len(terms), split)
    left, right = (sum_tree(part, split, precision) for part in (terms[:middle], terms[middle:]))
    return add_rounded(left, right, precision)
