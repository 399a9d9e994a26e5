"""A narrow register for partial sums, flushed into a wide one every few products.

How SIMD code with 16-bit multiply-accumulate sums int8 products; asked for in Brevitas issue 524, "How to simulate
partial sum / accumulator bitwidth".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simhw.accumulators.base import check_bits, check_length, integers
from simhw.accumulators.exact import wrap
from simhw.accumulators.saturate import clamp


@dataclass(frozen=True, kw_only=True)
class PartialSums:
    """Sums of ``every`` consecutive products in ``inner_bits``, each from zero, added up in ``outer_bits``.

    Attributes:
        inner_bits: width of the partial sum's register.
        every: products per partial sum; the last one may be shorter.
        outer_bits: width of the register that partial sums are added to.
        saturating: both registers clamp after every addition; else they wrap.
    """

    inner_bits: int = 16
    every: int
    outer_bits: int = 32
    saturating: bool = False

    def __post_init__(self) -> None:
        check_bits("inner_bits", self.inner_bits, 2, 32)
        check_bits("outer_bits", self.outer_bits, self.inner_bits, 53)
        check_length("every", self.every)

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "partial_sums"

    @property
    def name(self) -> str:
        """Short name."""
        how = "saturating" if self.saturating else "wrapping"
        return f"{self.inner_bits} bit for {self.every} products, then {self.outer_bits} bit, {how}"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> float:
        """Return the outer register's value for whole operands and a whole addend, which it holds at the start."""
        return float(self.dot_integers(integers(a), integers(b), integers([c])[0]))

    def dot_integers(self, a: Sequence[int], b: Sequence[int], start: int = 0) -> int:
        """Return what the outer register holds in the end."""
        limit = clamp if self.saturating else wrap
        products = [x * y for x, y in zip(a, b, strict=True)]
        total = limit(start, self.outer_bits)
        for first in range(0, len(products), self.every):
            partial = 0
            for product in products[first : first + self.every]:
                partial = limit(partial + product, self.inner_bits)
            total = limit(total + partial, self.outer_bits)
        return total
