"""A floating-point accumulator that rounds after every addition, in the order of k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators.base import Number
from simhw.accumulators.rounding import FLOAT32, Precision, round_to_precision


@dataclass(frozen=True, kw_only=True)
class Ieee:
    """``s = round(s + a[k] * b[k])`` for k = 0, 1, ...: one rounding per step, i.e. a chain of fused multiply-adds.

    Products of bf16, fp16 and narrower operands are exact in fp32, so that for them a rounded product followed by
    a rounded addition gives the same bits.
    """

    precision: Precision = FLOAT32

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "ieee"

    @property
    def name(self) -> str:
        """Short name."""
        return f"{self.precision.name} sequential"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the rounded sum; infinities and NaN follow IEEE 754."""
        if not all(map(math.isfinite, (*a, *b, c))):
            return float(sum((x * y for x, y in zip(a, b, strict=True)), c))
        total: Number = Fraction(c)
        for x, y in zip(a, b, strict=True):
            if not isinstance(total, Fraction):
                return total
            total = round_to_precision(total + Fraction(x) * Fraction(y), self.precision)
        return total
