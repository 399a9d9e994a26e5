"""Published inexact multipliers of integers, by definition: what each does to two factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from simhw.errors import unknown_name


@dataclass(frozen=True, kw_only=True)
class Multiplier:
    """A multiplier of two signed integers.

    Attributes:
        name: entry name.
        description: one sentence.
        multiply: the definition.
        source: where it comes from.
    """

    name: str
    description: str
    multiply: Callable[[int, int], int]
    source: str


def mitchell(x: int, y: int) -> int:
    """Return the product by adding logarithms that are linear between powers of two, of magnitudes.

    >>> mitchell(12, 12), mitchell(-8, 16), mitchell(3, 0)
    (128, -128, 0)
    """
    if x == 0 or y == 0:
        return 0
    a, b = abs(x), abs(y)
    m, n = a.bit_length() - 1, b.bit_length() - 1
    fractions = (a - (1 << m) << n) + (b - (1 << n) << m)  # their sum times 2**(m + n)
    one = 1 << (m + n)
    magnitude = one + fractions if fractions < one else 2 * fractions
    return magnitude if (x < 0) == (y < 0) else -magnitude


def truncated(x: int, y: int, columns: int) -> int:
    """Return the product of magnitudes whose partial products below ``2**columns`` are left out.

    >>> truncated(15, 15, 3), truncated(-16, 16, 4)
    (208, -256)
    """
    a, b = abs(x), abs(y)
    magnitude = 0
    for j in range(b.bit_length()):
        if b >> j & 1:
            magnitude += (a << j) >> max(columns, j) << max(columns, j)
    return magnitude if (x < 0) == (y < 0) else -magnitude


MULTIPLIERS: Final = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Multiplier(
                name="exact",
                description="the product",
                multiply=lambda x, y: x * y,
                source="arithmetic",
            ),
            Multiplier(
                name="mitchell",
                description="logarithms that are linear between powers of two, sign and magnitude",
                multiply=mitchell,
                source="J. N. Mitchell, Computer Multiplication and Division Using Binary Logarithms, "
                "IRE Transactions on Electronic Computers EC-11(4), 1962",
            ),
            Multiplier(
                name="truncated_6",
                description="array multiplier without its six lowest columns, sign and magnitude",
                multiply=lambda x, y: truncated(x, y, 6),
                source="Y. C. Lim, Single-Precision Multiplier with Reduced Circuit Complexity for Signal Processing "
                "Applications, IEEE Transactions on Computers 41(10), 1992",
            ),
        )
    }
)
"""Every multiplier by name."""


def get_multiplier(name: str) -> Multiplier:
    """Return a multiplier by name. Raises InputError for an unknown one."""
    if name not in MULTIPLIERS:
        raise unknown_name("multiplier", name, MULTIPLIERS)
    return MULTIPLIERS[name]
