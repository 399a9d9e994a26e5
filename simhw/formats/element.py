"""What every element format is: a name, a width, and values that are multiples of one power of two."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import frexp

import numpy as np

MAX_BITS = 32


def power_of_two(exponent: int) -> Fraction:
    """Return ``2**exponent``, exactly, for any sign of the exponent."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def floor_log2(value: Fraction) -> int:
    """Return the largest e with ``2**e <= value``, for a positive value, without a logarithm."""
    estimate = value.numerator.bit_length() - value.denominator.bit_length()
    return estimate if power_of_two(estimate) <= value else estimate - 1


def code_dtype(bits: int) -> np.dtype:
    """Return the smallest unsigned NumPy dtype that holds ``bits`` bits (1..32)."""
    return np.dtype(np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32)


@dataclass(frozen=True, kw_only=True)
class ElementFormat:
    """Common part of all element formats; the records are :class:`IntegerFormat`, :class:`FloatFormat`, ...

    Attributes:
        name: lower-case catalogue name, or the name in the grammar of its family.
        source: where the encoding is defined.
    """

    name: str
    source: str

    @property
    def bits(self) -> int:
        """Width of a code."""
        raise NotImplementedError

    @property
    def signed(self) -> bool:
        """Whether the format has negative values."""
        raise NotImplementedError

    @property
    def max_value(self) -> Fraction:
        """Largest finite value, exactly."""
        raise NotImplementedError

    @property
    def min_value(self) -> Fraction:
        """Smallest (most negative) finite value, exactly."""
        raise NotImplementedError

    @property
    def lsb_exponent(self) -> int:
        """Exponent q such that every finite value is an integer multiple of ``2**q``."""
        raise NotImplementedError

    @property
    def significand_bits(self) -> int:
        """Smallest p such that every finite magnitude is an integer below ``2**p`` times a power of two."""
        raise NotImplementedError

    @property
    def has_nan(self) -> bool:
        """Whether some code means NaN."""
        return False

    @property
    def has_infinity(self) -> bool:
        """Whether some code means infinity."""
        return False

    @property
    def code_dtype(self) -> np.dtype:
        """Smallest unsigned NumPy dtype that holds a code."""
        return code_dtype(self.bits)

    @property
    def code_count(self) -> int:
        """Number of codes, ``2**bits``."""
        return 1 << self.bits

    @property
    def max_integer(self) -> int:
        """Largest finite magnitude in units of ``2**lsb_exponent``: bounds exact products and sums."""
        units = max(self.max_value, -self.min_value) / power_of_two(self.lsb_exponent)
        return units.numerator

    @property
    def exact_in_float32(self) -> bool:
        """Whether every finite value is a float32 value (subnormals included)."""
        largest = max(self.max_value, -self.min_value)
        return self.significand_bits <= 24 and largest < power_of_two(128) and self.lsb_exponent >= -149

    @property
    def value_dtype(self) -> np.dtype:
        """What :func:`decode` returns: float32 where every value is exact in it, else float64."""
        return np.dtype(np.float32 if self.exact_in_float32 else np.float64)

    @property
    def max_exponent(self) -> int:
        """Exponent of the binade of the largest value, ``emax`` of OCP MX 1.0."""
        return frexp(float(self.max_value))[1] - 1
