"""Integer and fixed-point formats: two's complement or unsigned, ``value = integer * 2**-fraction_bits``."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from simhw.errors import InputError
from simhw.formats.element import MAX_BITS, ElementFormat, power_of_two


@dataclass(frozen=True, kw_only=True)
class IntegerFormat(ElementFormat):
    """An integer of ``width`` bits, scaled by ``2**-fraction_bits``.

    Codes are two's complement, masked to the width: int4 has -1 as 0xF. There is no NaN, no infinity, no -0.

    Attributes:
        width: bits of a code, 2..32.
        is_signed: two's complement if True, else unsigned.
        fraction_bits: 0 for integers, binary places of a fixed-point number, negative for coarser steps.
        symmetric: encode saturates at ``-max_value`` and never makes the most negative code.
    """

    width: int
    is_signed: bool
    fraction_bits: int = 0
    symmetric: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.width <= MAX_BITS:
            raise InputError(f"width of {self.name} is {self.width} bits, must be 2..{MAX_BITS}")
        if not -512 <= self.fraction_bits <= 512:
            raise InputError(f"fraction_bits of {self.name} is {self.fraction_bits}, must be -512..512")

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.width

    @property
    def signed(self) -> bool:
        """Whether codes are two's complement."""
        return self.is_signed

    @property
    def max_integer_code(self) -> int:
        """Largest integer that a code stands for, before scaling."""
        return (1 << (self.width - 1)) - 1 if self.is_signed else (1 << self.width) - 1

    @property
    def min_integer_code(self) -> int:
        """Smallest integer that a code stands for, before scaling."""
        return -(1 << (self.width - 1)) if self.is_signed else 0

    @property
    def saturation_integer(self) -> int:
        """Smallest integer that encode makes: ``min_integer_code`` unless ``symmetric``."""
        return -self.max_integer_code if self.symmetric else self.min_integer_code

    @property
    def max_value(self) -> Fraction:
        """Largest value, exactly."""
        return self.max_integer_code * power_of_two(self.lsb_exponent)

    @property
    def min_value(self) -> Fraction:
        """Smallest value that a code has, exactly."""
        return self.min_integer_code * power_of_two(self.lsb_exponent)

    @property
    def lsb_exponent(self) -> int:
        """Exponent of the last place."""
        return -self.fraction_bits

    @property
    def significand_bits(self) -> int:
        """Bits of the largest magnitude that is not a power of two."""
        return self.width - 1 if self.is_signed else self.width
