"""An integer register that is clamped to its range after every product, in the order of k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simhw.accumulators.base import check_bits, integers


@dataclass(frozen=True, kw_only=True)
class Saturate:
    """``s = clamp(s + a[k] * b[k])`` for k = 0, 1, ...: a saturating adder behind an exact multiplier.

    The order matters: a sum that has hit the upper bound and comes back is smaller than the exact one.

    Attributes:
        bits: width of the two's-complement register in units of the products' least significant bit.
    """

    bits: int

    def __post_init__(self) -> None:
        check_bits("accumulator bits", self.bits, 2, 64)

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "saturate"

    @property
    def name(self) -> str:
        """Short name."""
        return f"integer {self.bits} bit, saturating"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> float:
        """Return the register's value for whole operands and a whole addend, which it holds at the start."""
        return float(self.dot_integers(integers(a), integers(b), integers([c])[0]))

    def dot_integers(self, a: Sequence[int], b: Sequence[int], start: int = 0) -> int:
        """Return what the register holds in the end."""
        total = clamp(start, self.bits)
        for x, y in zip(a, b, strict=True):
            total = clamp(total + x * y, self.bits)
        return total


def clamp(value: int, bits: int) -> int:
    """Return the nearest value that a two's-complement register of ``bits`` bits holds.

    >>> clamp(128, 8), clamp(-129, 8), clamp(127, 8)
    (127, -128, 127)
    """
    return max(-(1 << (bits - 1)), min(value, (1 << (bits - 1)) - 1))
