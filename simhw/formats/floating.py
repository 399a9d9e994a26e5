"""Floating-point formats of up to 32 bits: sign, exponent and mantissa fields, and the special codes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from simhw.errors import InputError
from simhw.formats.element import MAX_BITS, ElementFormat, power_of_two


class NanCodes(StrEnum):
    """Which codes mean NaN. They are taken from the top of the magnitudes, or from -0."""

    NONE = "none"
    """None: every code is a number (OCP FP6 and FP4)."""
    IEEE = "ieee"
    """All-ones exponent with a non-zero mantissa; a zero mantissa there is infinity (IEEE 754, E5M2)."""
    ALL_ONES = "all_ones"
    """The largest magnitude code of each sign (OCP E4M3, E8M0, unsigned P3109)."""
    NEGATIVE_ZERO = "negative_zero"
    """The code that would be -0; zero has no sign then (the FNUZ formats, signed P3109)."""


@dataclass(frozen=True, kw_only=True)
class FloatFormat(ElementFormat):
    """One binary encoding: ``(-1)**s * 2**(E - bias) * 1.M``, and ``(-1)**s * 2**(1 - bias) * 0.M`` for E = 0.

    Codes of one sign count up with the magnitude; all derived quantities rest on that.

    Attributes:
        exponent_bits: width of the exponent field, 1..11.
        mantissa_bits: width of the mantissa field, 0..30.
        bias: subtracted from the exponent field.
        is_signed: whether there is a sign bit (on top).
        infinity: whether the magnitude code below the NaNs (the top one if none) means infinity.
        nan: which codes mean NaN.
        has_subnormals: False: codes with a zero exponent field all mean zero, and encode does not make them.
        has_zero: False: an exponent field of zero is an ordinary binade (E8M0).
    """

    exponent_bits: int
    mantissa_bits: int
    bias: int
    is_signed: bool = True
    infinity: bool = False
    nan: NanCodes = NanCodes.NONE
    has_subnormals: bool = True
    has_zero: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.exponent_bits <= 11:
            raise InputError(f"exponent_bits of {self.name} is {self.exponent_bits}, must be 1..11")
        if not 0 <= self.mantissa_bits <= 30 or not 2 <= self.bits <= MAX_BITS:
            raise InputError(
                f"{self.name} has {self.mantissa_bits} mantissa bits and {self.bits} bits in all, "
                f"must be 0..30 and 2..{MAX_BITS}"
            )
        if self.nan is NanCodes.IEEE and not (self.infinity and self.mantissa_bits):
            raise InputError(
                f"{self.name} has IEEE NaN codes, which need an infinity and at least one mantissa bit; "
                "take nan='all_ones' instead"
            )
        if self.nan is NanCodes.NEGATIVE_ZERO and not self.is_signed:
            raise InputError(f"{self.name} has no sign bit, so NaN cannot be at -0; take nan='all_ones' instead")
        if self.max_code < 1:
            raise InputError(f"{self.name} has no finite value besides zero left; give it more bits")
        if self.lsb_exponent < -1074 or (self.max_code >> self.mantissa_bits) - self.bias > 1023:
            raise InputError(
                f"{self.name} reaches from 2**{self.lsb_exponent} to "
                f"2**{(self.max_code >> self.mantissa_bits) - self.bias}, "
                "must stay within float64 (2**-1074 to 2**1023)"
            )

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.exponent_bits + self.mantissa_bits + int(self.is_signed)

    @property
    def signed(self) -> bool:
        """Whether there is a sign bit."""
        return self.is_signed

    @property
    def has_nan(self) -> bool:
        """Whether some code means NaN."""
        return self.nan is not NanCodes.NONE

    @property
    def has_infinity(self) -> bool:
        """Whether some code means infinity."""
        return self.infinity

    @property
    def has_negative_zero(self) -> bool:
        """Whether zero has a sign."""
        return self.is_signed and self.has_zero and self.nan is not NanCodes.NEGATIVE_ZERO

    @property
    def sign_bit(self) -> int:
        """The sign bit as a code, 0 for unsigned formats."""
        return 1 << (self.bits - 1) if self.is_signed else 0

    @property
    def top_code(self) -> int:
        """Largest magnitude code, special or not."""
        return (1 << (self.exponent_bits + self.mantissa_bits)) - 1

    @property
    def infinity_code(self) -> int | None:
        """Code of +infinity."""
        if not self.infinity:
            return None
        if self.nan is NanCodes.IEEE:
            return self.top_code >> self.mantissa_bits << self.mantissa_bits
        return self.top_code - int(self.nan is NanCodes.ALL_ONES)

    @property
    def nan_code(self) -> int | None:
        """The NaN that encode makes (of a positive NaN); for IEEE codes the quiet one without payload."""
        if self.nan is NanCodes.NONE:
            return None
        if self.nan is NanCodes.NEGATIVE_ZERO:
            return self.sign_bit
        if self.nan is NanCodes.IEEE:
            return (self.top_code >> self.mantissa_bits << self.mantissa_bits) | 1 << (self.mantissa_bits - 1)
        return self.top_code

    @property
    def max_code(self) -> int:
        """Code of the largest finite value."""
        if self.infinity_code is not None:
            return self.infinity_code - 1
        return self.top_code - int(self.nan is NanCodes.ALL_ONES)

    @property
    def minimum_exponent(self) -> int:
        """Exponent of the smallest normal binade."""
        return 1 - self.bias if self.has_zero else -self.bias

    @property
    def first_normal_code(self) -> int:
        """Code of ``2**minimum_exponent``."""
        return 1 << self.mantissa_bits if self.has_zero else 0

    @property
    def max_value(self) -> Fraction:
        """Largest finite value, exactly."""
        field, mantissa = divmod(self.max_code, 1 << self.mantissa_bits)
        if field == 0 and self.has_zero:
            return mantissa * power_of_two(self.lsb_exponent)
        return ((1 << self.mantissa_bits) + mantissa) * power_of_two(field - self.bias - self.mantissa_bits)

    @property
    def min_value(self) -> Fraction:
        """Smallest finite value, exactly: ``-max_value``, or what code 0 means if there is no sign."""
        if self.is_signed:
            return -self.max_value
        return Fraction(0) if self.has_zero else power_of_two(-self.bias)

    @property
    def smallest_normal(self) -> Fraction:
        """Smallest positive normal value, exactly."""
        return power_of_two(self.minimum_exponent)

    @property
    def lsb_exponent(self) -> int:
        """Exponent of the last place of the smallest binade."""
        return self.minimum_exponent - self.mantissa_bits

    @property
    def significand_bits(self) -> int:
        """Precision: mantissa bits and the implicit leading one."""
        return self.mantissa_bits + 1
