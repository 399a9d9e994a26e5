"""Cycles of an array of fused multipliers, as the simulators that descend from Bit Fusion's count them.

A multiplier for operands of ``most_bits`` is taken to make ``factor`` products of narrower operands along each axis of
the array: floor(most_bits / max(bits, least_bits)). So narrow activations make the array look taller, narrow weights
wider. Nothing is charged for filling, draining or skew.

    output-stationary   ceil(m / (rows factor(activation))) ceil(n / (columns factor(weight))) k
    weight-stationary   m ceil(n / (columns factor(weight))) ceil(k / (rows factor(activation)))

Source: H. Sharma et al., Bit Fusion, ISCA 2018, for the idea; the form is that of the simulators published with ANT
(MICRO 2022) and MixPE (arXiv 2411.16158).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from simhw.arrays.base import ceil_div, check_positive
from simhw.errors import InputError


class Stationary(Enum):
    """What stays in the array."""

    OUTPUT = "output"
    """Each PE keeps one output; both operands are read from SRAM for every product."""
    WEIGHT = "weight"
    """Each PE keeps one weight; a partial sum is read and written for every product."""


@dataclass(frozen=True, kw_only=True)
class FusedArray:
    """An array of fused multipliers.

    Attributes:
        rows, columns: of the array.
        most_bits: width of both operands at which a PE makes one product per cycle.
        least_bits: width below which nothing more is gained.
        stationary: what stays in the array.

    Raises:
        InputError: a size that is not positive, or ``least_bits`` above ``most_bits``.
    """

    rows: int
    columns: int
    most_bits: int
    least_bits: int
    stationary: Stationary = Stationary.OUTPUT

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "most_bits", "least_bits"):
            check_positive(f"{name} of a fused array", getattr(self, name))
        if self.least_bits > self.most_bits:
            raise InputError(
                f"least_bits is {self.least_bits}, must be 1..{self.most_bits}, the most bits of an operand; "
                "give the narrower width"
            )

    def factor(self, bits: int) -> int:
        """Return the products along one axis that a PE makes of operands of ``bits``.

        Raises:
            InputError: operands wider than the PE takes.
        """
        if bits > self.most_bits:
            raise InputError(
                f"operand has {bits} bits, must be 1..{self.most_bits} for this array; narrow it or widen the array"
            )
        return self.most_bits // max(bits, self.least_bits)

    def activation_span(self, bits: int) -> int:
        """Return the rows of activations that the array takes at once."""
        return self.rows * self.factor(bits)

    def weight_span(self, bits: int) -> int:
        """Return the columns of weights that the array takes at once."""
        return self.columns * self.factor(bits)

    def cycles(self, m: Any, n: Any, k: Any, *, activation_bits: int, weight_bits: int) -> Any:
        """Return the cycles of a GEMM (of arrays of sizes: of each)."""
        activations, weights = self.activation_span(activation_bits), self.weight_span(weight_bits)
        if self.stationary is Stationary.OUTPUT:
            return ceil_div(m, activations) * ceil_div(n, weights) * k
        return m * ceil_div(n, weights) * ceil_div(k, activations)
