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
        toward_zero: truncate (overflow then gives the largest finite number); else nearest even (overflow gives
            infinity).
    """

    name: str
    significand_bits: int
    minimum_exponent: int
    maximum_exponent: int
    toward_zero: bool = False


FLOAT32 = Precision(name="fp32", significand_bits=24, minimum_exponent=-126, maximum_exponent=127)
FLOAT32_TOWARD_ZERO = Precision(
    name="fp32 (toward zero)",
    significand_bits=24,
    minimum_exponent=-126,
    maximum_exponent=127,
    toward_zero=True,
)
E8M13_TOWARD_ZERO = Precision(
    name="E8M13 (toward zero)",
    significand_bits=14,
    minimum_exponent=-126,
    maximum_exponent=127,
    toward_zero=True,
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
    """Return ``value`` rounded to ``precision``; infinity only where it rounds to nearest and overflows."""
    if value == 0:
        return value
    exponent = max(exponent_of(value), precision.minimum_exponent)
    unit = Fraction(2) ** (exponent - precision.significand_bits + 1)
    steps = abs(value) / unit
    rounded = Fraction(math.floor(steps) if precision.toward_zero else round(steps)) * unit
    largest = (2 - Fraction(2) ** (1 - precision.significand_bits)) * Fraction(2) ** precision.maximum_exponent
    sign = -1 if value < 0 else 1
    if rounded > largest:
        return sign * largest if precision.toward_zero else sign * math.inf
    return sign * rounded
