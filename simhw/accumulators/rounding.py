"""Rounding of exact values to the precision of an accumulator register (definition, in Fractions)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators.base import Number
from simhw.errors import InputError
from simhw.formats.rounding import Rounding

ROUNDINGS = tuple(mode for mode in Rounding if mode is not Rounding.STOCHASTIC)
"""What a register can do at every step; stochastic rounding needs random bits and has no fixed result."""

NEAREST = (Rounding.NEAREST_EVEN, Rounding.NEAREST_AWAY)


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Precision and exponent range of a register that holds partial sums.

    Attributes:
        name: what reports print.
        significand_bits: with the hidden bit.
        minimum_exponent: of the smallest normal number; below, the unit in the last place stays fixed.
        maximum_exponent: of the largest finite number.
        rounding: any of ``ROUNDINGS``. Overflow follows IEEE 754 section 7.4: to nearest gives infinity, toward zero
            and to odd give the largest finite number, up and down one or the other by sign.
        overflow_to_infinity: overflow gives infinity although the register truncates (tensor cores, MMA-Sim).
        saturates: overflow gives the largest finite number whatever the rounding; infinity never occurs.
    """

    name: str
    significand_bits: int
    minimum_exponent: int
    maximum_exponent: int
    rounding: Rounding = Rounding.NEAREST_EVEN
    overflow_to_infinity: bool = False
    saturates: bool = False

    def __post_init__(self) -> None:
        if self.rounding not in ROUNDINGS:
            raise InputError(
                f"rounding of register {self.name} is {self.rounding}, must be one of {', '.join(ROUNDINGS)};"
                " an accumulator's result must not depend on chance"
            )
        if self.significand_bits < 1 or self.minimum_exponent > self.maximum_exponent:
            raise InputError(
                f"register {self.name} has {self.significand_bits} significand bits and exponents"
                f" {self.minimum_exponent}..{self.maximum_exponent}; it needs at least 1 bit and a range that rises"
            )

    @property
    def toward_zero(self) -> bool:
        """Whether it truncates."""
        return self.rounding is Rounding.TOWARD_ZERO

    @property
    def overflows_to_infinity(self) -> bool:
        """Whether values of both signs past the largest finite number become infinity."""
        return not self.saturates and (self.overflow_to_infinity or self.rounding in NEAREST)

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
    rounding=Rounding.TOWARD_ZERO,
    overflow_to_infinity=True,
)
E8M13_TOWARD_ZERO = Precision(
    name="E8M13 (toward zero)",
    significand_bits=14,
    minimum_exponent=-126,
    maximum_exponent=127,
    rounding=Rounding.TOWARD_ZERO,
    overflow_to_infinity=True,
)
FLOAT16 = Precision(name="fp16", significand_bits=11, minimum_exponent=-14, maximum_exponent=15)
BFLOAT16 = Precision(name="bf16", significand_bits=8, minimum_exponent=-126, maximum_exponent=127)
FLOAT64 = Precision(name="fp64", significand_bits=53, minimum_exponent=-1022, maximum_exponent=1023)


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
    negative = value < 0
    rounded = _round_steps(steps, precision.rounding, negative) * unit
    sign = -1 if negative else 1
    largest = Fraction(precision.largest)
    if rounded > largest:
        outward = precision.rounding is (Rounding.DOWN if negative else Rounding.UP) and not precision.saturates
        return sign * math.inf if precision.overflows_to_infinity or outward else sign * largest
    return sign * rounded


def _round_steps(steps: Fraction, rounding: Rounding, negative: bool) -> int:
    """Return a magnitude, counted in units in the last place, as a whole number of them."""
    low = math.floor(steps)
    if steps == low:
        return low
    match rounding:
        case Rounding.TOWARD_ZERO:
            return low
        case Rounding.UP:
            return low if negative else low + 1
        case Rounding.DOWN:
            return low + 1 if negative else low
        case Rounding.NEAREST_AWAY:
            return math.floor(steps + Fraction(1, 2))
        case Rounding.TO_ODD:
            return low | 1
        case _:
            return round(steps)


def float_precision(exponent_bits: int, mantissa_bits: int, rounding: Rounding = Rounding.NEAREST_EVEN) -> Precision:
    """Return the register of an IEEE-like format ExMy, whose largest exponent field stands for infinity and NaN.

    >>> float_precision(5, 10) == FLOAT16, float_precision(8, 23) == FLOAT32
    (True, True)

    Raises:
        InputError: fewer than two exponent bits, no mantissa bit, or wider than fp64.
    """
    if not (2 <= exponent_bits <= 11 and 1 <= mantissa_bits <= 52):
        raise InputError(
            f"register is E{exponent_bits}M{mantissa_bits}, must have 2..11 exponent bits and 1..52 mantissa bits;"
            " choose a format that fp64 contains"
        )
    bias = (1 << (exponent_bits - 1)) - 1
    known = {(8, 23): "fp32", (5, 10): "fp16", (8, 7): "bf16", (11, 52): "fp64"}
    name = known.get((exponent_bits, mantissa_bits), f"E{exponent_bits}M{mantissa_bits}")
    return Precision(
        name=name if rounding is Rounding.NEAREST_EVEN else f"{name} ({str(rounding).replace('_', ' ')})",
        significand_bits=mantissa_bits + 1,
        minimum_exponent=1 - bias,
        maximum_exponent=bias,
        rounding=rounding,
    )
