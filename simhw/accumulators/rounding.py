"""Rounding of exact values to the precision of an accumulator register (definition, in Fractions)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators.base import Number


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Precision and exponent range of a register that holds partial sums.

    Attributes:
        name: what reports print.
        significand_bits: with the hidden bit.
        minimum_exponent: of the smallest normal number; below, the unit in the last place stays fixed.
        maximum_exponent: of the largest finite number.
        toward_zero: truncate (overflow then gives the largest finite number, as IEEE 754 has it); else nearest even
            (overflow gives infinity).
        overflow_to_infinity: overflow gives infinity although the register truncates (tensor cores, MMA-Sim).
    """

    name: str
    significand_bits: int
    minimum_exponent: int
    maximum_exponent: int
    toward_zero: bool = False
    overflow_to_infinity: bool = False

    @property
    def overflows_to_infinity(self) -> bool:
        """Whether values past the largest finite number become infinity."""
        return self.overflow_to_infinity or not self.toward_zero

    @property
    def largest(self) -> float:
        """Largest finite number."""
        return math.ldexp(2.0 - 2.0 ** (1 - self.significand_bits), self.maximum_exponent)


FLOAT32 = Precision(name="fp32", significand_bits=24, minimum_exponent=-126, maximum_exponent=127)
FLOAT32_TOWARD_ZERO = Precision(
    name="fp32 (toward zero)",
    significand_bits=24,
    minimum_exponent=-126,
    maximum_exponent=127,
    toward_zero=True,
    overflow_to_infinity=True,
)
E8M13_TOWARD_ZERO = Precision(
    name="E8M13 (toward zero)",
    significand_bits=14,
    minimum_exponent=-126,
    maximum_exponent=127,
    toward_zero=True,
    overflow_to_infinity=True,
)
FLOAT16 = Precision(name="fp16", significand_bits=11, minimum_exponent=-14, maximum_exponent=15)


def exponent_of(value: Fraction) -> int:
    """Return ``floor(log2(abs(value)))``, exactly, for a value other than zero.

    >>> [exponent_of(Fraction(v)) for v in (1, 3, 0.75)]
    [0, 1, -1]
    """
    value = abs(value)
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return exponent if value >= Fraction(2) ** exponent else exponent - 1


def round_to_precision(value: Fraction, precision: Precision) -> Number:
    """Return ``value`` rounded to ``precision``; infinity where it overflows to that."""
    if value == 0:
        return value
    exponent = max(exponent_of(value), precision.minimum_exponent)
    unit = Fraction(2) ** (exponent - precision.significand_bits + 1)
    steps = abs(value) / unit
    rounded = Fraction(math.floor(steps) if precision.toward_zero else round(steps)) * unit
    largest = Fraction(precision.largest)
    sign = -1 if value < 0 else 1
    if rounded > largest:
        return sign * math.inf if precision.overflows_to_infinity else sign * largest
    return sign * rounded
