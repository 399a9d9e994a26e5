"""A floating-point register that rounds after every addition, in the order of k; and its two operations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators.base import Number
from simhw.accumulators.rounding import FLOAT32, Precision, round_to_precision
from simhw.formats.rounding import Rounding


@dataclass(frozen=True, kw_only=True)
class Ieee:
    """``s = round(s + a[k] * b[k])`` for k = 0, 1, ...: one rounding per step, i.e. a chain of fused multiply-adds.

    Where the products fit the register's precision, a rounded product followed by a rounded addition gives the same
    bits: products of bf16, fp16 and narrower operands in fp32, of FP8 operands in fp16.

    Attributes:
        precision: of the register: any precision, exponent range and rounding.
        fused: True: the exact product enters the addition. False: ``s = round(s + round(a[k] * b[k]))``.
    """

    precision: Precision = FLOAT32
    fused: bool = True

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "ieee"

    @property
    def name(self) -> str:
        """Short name."""
        return f"{self.precision.name} sequential" + ("" if self.fused else ", products rounded")

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the rounded sum, the register holding the rounded addend at the start; specials follow IEEE 754."""
        if specials((*a, *b, c)):
            return float_sum(a, b, c)
        total = round_value(c, self.precision)
        for x, y in zip(a, b, strict=True):
            product = multiply_rounded(x, y, self.precision) if not self.fused else multiply_exact(x, y)
            total = add_rounded(total, product, self.precision)
        return total


def specials(values: Sequence[float]) -> bool:
    """Return whether any value is infinite or NaN."""
    return not all(map(math.isfinite, values))


def float_sum(a: Sequence[float], b: Sequence[float], c: float) -> float:
    """Return the infinity or NaN that a sum with special operands has by IEEE 754."""
    terms = [float(x) * float(y) for x, y in zip(a, b, strict=True)]
    return sum((term for term in (*terms, float(c)) if not math.isfinite(term)), 0.0)


def round_value(value: float, precision: Precision) -> Number:
    """Return a finite value rounded once; zeros keep their sign."""
    return _with_sign(round_to_precision(Fraction(value), precision), Fraction(value)) if value else value


def multiply_exact(x: float, y: float) -> Number:
    """Return the exact product of finite values; zeros keep their sign."""
    return Fraction(x) * Fraction(y) or math.copysign(0.0, x) * math.copysign(1.0, y)


def multiply_rounded(x: float, y: float, precision: Precision) -> Number:
    """Return the product of finite values, rounded once; a product that underflows keeps its sign."""
    exact = multiply_exact(x, y)
    return _with_sign(round_to_precision(exact, precision), exact) if isinstance(exact, Fraction) else exact


def add_rounded(x: Number, y: Number, precision: Precision) -> Number:
    """Return ``x + y`` rounded once; signs of zeros, infinities and NaN as in IEEE 754 section 6."""
    if not (math.isfinite(x) and math.isfinite(y)):
        return float(x) + float(y)
    exact = Fraction(x) + Fraction(y)
    if exact:
        return _with_sign(round_to_precision(exact, precision), exact)
    signs = math.copysign(1.0, x), math.copysign(1.0, y)
    negative = signs == (-1.0, -1.0) or (-1.0 in signs and precision.rounding is Rounding.DOWN)
    return -0.0 if negative else Fraction(0)


def _with_sign(rounded: Number, exact: Fraction) -> Number:
    """Return ``rounded``, or the zero with the sign of what was rounded to zero."""
    return rounded or (Fraction(0) if exact > 0 else -0.0)
