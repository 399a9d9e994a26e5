"""Promotion: an inner accumulator for a chunk of products, whose result is added to an outer register.

Source: DeepSeek-V3, arXiv 2412.19437, section 3.3.2: tensor cores sum 128 products, then the partial result is
added to fp32 registers of the CUDA cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simhw.accumulators.base import Accumulator, Number, check_length
from simhw.accumulators.exact import Exact
from simhw.accumulators.ieee import add_rounded, float_sum, round_value, specials
from simhw.accumulators.rounding import FLOAT32, Precision
from simhw.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Chunked:
    """``s = round(s + inner(chunk))`` for chunks of ``every`` consecutive products, each from zero.

    Attributes:
        inner: any accumulator. An inner integer register counts in units of one: operands must be integers.
        every: products per chunk; the last one may be shorter.
        outer: precision of the outer register.
    """

    inner: Accumulator
    every: int
    outer: Precision = FLOAT32

    def __post_init__(self) -> None:
        check_length("every", self.every)
        if isinstance(self.inner, Exact) and self.inner.bits is not None:
            raise InputError(
                f"inner accumulator is {self.inner.name!r}, which wraps; choose Exact() or PartialSums(every=...)"
            )

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "chunked"

    @property
    def name(self) -> str:
        """Short name."""
        return f"{self.inner.name}; every {self.every} into {self.outer.name}"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the outer register's value, the rounded addend at the start; specials follow IEEE 754."""
        if specials((*a, *b, c)):
            return float_sum(a, b, c)
        total: Number = round_value(c, self.outer)
        for first in range(0, len(a), self.every):
            chunk = slice(first, first + self.every)
            total = add_rounded(total, self.inner.dot(a[chunk], b[chunk]), self.outer)
        return total
