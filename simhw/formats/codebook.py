"""Codebook formats: a code is an index into a table of values, in any order (NF4, flint, a user's own)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from simhw.errors import InputError
from simhw.formats.element import ElementFormat

MAX_ENTRIES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class CodebookFormat(ElementFormat):
    """A table of finite values; entry i is the value of code i.

    There is no NaN, no infinity and no -0. Where a value occurs twice, encode makes the lower code. *Even* and *odd*,
    for ties, count in ascending order of the values, starting with even at the value nearest zero.

    Attributes:
        values: 2 to 65536 finite floats.
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.values) <= MAX_ENTRIES:
            raise InputError(f"codebook {self.name} has {len(self.values)} values, must have 2..{MAX_ENTRIES}")
        if not all(math.isfinite(value) for value in self.values):
            raise InputError(f"codebook {self.name} holds NaN or infinity; all values must be finite")
        if len(set(self.values)) < 2:
            raise InputError(f"codebook {self.name} holds one value only; give it at least two")
        if self.lsb_exponent < -1000:
            raise InputError(f"codebook {self.name} has digits below 2**-1000; scale its values up")

    @property
    def bits(self) -> int:
        """Bits that an index needs."""
        return (len(self.values) - 1).bit_length()

    @property
    def code_count(self) -> int:
        """Number of entries; codes from here on do not exist even if the width could hold them."""
        return len(self.values)

    @property
    def signed(self) -> bool:
        """Whether a value is negative."""
        return min(self.values) < 0

    @property
    def max_value(self) -> Fraction:
        """Largest value, exactly."""
        return Fraction(max(self.values))

    @property
    def min_value(self) -> Fraction:
        """Smallest value, exactly."""
        return Fraction(min(self.values))

    @cached_property
    def ascending(self) -> tuple[tuple[Fraction, int], ...]:
        """Distinct values with their codes, in ascending order."""
        first: dict[Fraction, int] = {}
        for code, value in enumerate(self.values):
            first.setdefault(Fraction(value), code)
        return tuple(sorted(first.items()))

    @cached_property
    def even_rank(self) -> int:
        """Position in ``ascending`` of the value nearest zero (of two equally near ones, the positive)."""
        ranks = range(len(self.ascending))
        return min(ranks, key=lambda rank: (abs(self.ascending[rank][0]), -self.ascending[rank][0]))

    @cached_property
    def lsb_exponent(self) -> int:
        """Exponent of the common last place of all values."""
        return min(_last_place(value) for value, _ in self.ascending if value)

    @cached_property
    def significand_bits(self) -> int:
        """Bits from the leading to the last one of the value that needs most."""
        return max(_odd_part(value).bit_length() for value, _ in self.ascending)


def _last_place(value: Fraction) -> int:
    """Return the exponent of the lowest set bit of a dyadic rational."""
    numerator = abs(value.numerator)
    return (numerator & -numerator).bit_length() - value.denominator.bit_length()


def _odd_part(value: Fraction) -> int:
    numerator = abs(value.numerator)
    return numerator // (numerator & -numerator) if numerator else 0
