"""Exact (wide integer, fixed-point or Kulisch) accumulation, optionally in a stated two's-complement width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators.base import Number, exact_products


@dataclass(frozen=True, kw_only=True)
class Exact:
    """Sum of the products without any rounding.

    Attributes:
        bits: width of the two's-complement register in units of the products' least significant bit. A sum that
            does not fit wraps, as an adder without saturation does, and is counted as an overflow. Wrapping at
            every step or once at the end gives the same bits, so the order of summation does not matter.
            None: as wide as it takes.
    """

    bits: int | None = None

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "exact"

    @property
    def name(self) -> str:
        """Short name."""
        return "exact" if self.bits is None else f"integer {self.bits} bit, wrapping"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the exact sum as a Fraction (``bits`` is applied by :func:`wrap`, which knows the unit)."""
        return sum(exact_products(a, b), Fraction(c))


def wrap(value: int, bits: int) -> int:
    """Return the two's-complement value that remains of ``value`` in ``bits`` bits.

    >>> wrap(128, 8), wrap(-129, 8), wrap(127, 8)
    (-128, 127, 127)
    """
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half
