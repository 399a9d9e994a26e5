"""Floating-point adder trees of a fixed width whose results are chained into one register."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simhw.accumulators.base import Number, check_length
from simhw.accumulators.ieee import add_rounded, float_sum, multiply_rounded, round_value, specials
from simhw.accumulators.pairwise import Split, sum_tree
from simhw.accumulators.rounding import FLOAT32, Precision
from simhw.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Groups of ``width`` consecutive products through a balanced binary tree, then into the register.

    Neighbours are added first: ``(p0 + p1) + (p2 + p3)``. Every product and every adder rounds to ``precision``, and
    so does the register: ``s = round(s + tree)``. The last group is filled with zeros.

    Attributes:
        width: products per group, a power of two.
        precision: of every product, every adder and the register.
    """

    width: int
    precision: Precision = FLOAT32

    def __post_init__(self) -> None:
        check_length("tree width", self.width)
        if self.width & (self.width - 1):
            raise InputError(f"tree width is {self.width}, must be a power of two; a balanced tree has no other")

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "tree"

    @property
    def name(self) -> str:
        """Short name."""
        return f"{self.precision.name} trees of {self.width}"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the register's value, the rounded addend at the start; infinities and NaN follow IEEE 754."""
        if specials((*a, *b, c)):
            return float_sum(a, b, c)
        total = round_value(c, self.precision)
        products = [multiply_rounded(x, y, self.precision) for x, y in zip(a, b, strict=True)]
        for first in range(0, len(products), self.width):
            group = products[first : first + self.width]
            group += [0.0] * (self.width - len(group))
            total = add_rounded(total, sum_tree(group, Split.HALVES, self.precision), self.precision)
        return total
