"""What every accumulator offers: its definition on exact numbers.

An accumulator says how the products of one dot product are summed: which partial sums exist, how each is rounded
or cut, and what is returned. The order of the summation is part of that meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol, runtime_checkable

from simhw.errors import InputError

Number = Fraction | float
"""An exact finite value as ``Fraction``; ``float`` only for infinities, NaN and zeros with a sign."""


class Accumulator(Protocol):
    """How products are summed. Records of this kind are frozen, hashable and hold data only."""

    @property
    def kind(self) -> str:
        """Name of the accumulator's own file, and of the file of ``simhw/gemm/paths`` that runs it."""
        ...

    @property
    def name(self) -> str:
        """Short name with the figures that matter, e.g. ``aligned L=32 F=13``."""
        ...

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the definition's result for ``sum(a[k] * b[k]) + c``, operands being exact values."""
        ...


def exact_products(a: Sequence[float], b: Sequence[float]) -> list[Fraction]:
    """Return the exact products of finite operands."""
    return [Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True)]


@runtime_checkable
class IntegerAccumulator(Accumulator, Protocol):
    """An accumulator whose register counts in units of the products' least significant bit.

    Its ``dot`` takes operands that are integers; for fixed-point and narrow floating-point formats the caller divides
    by the operands' units first, calls ``dot_integers`` and multiplies the sum by the product of the units.
    """

    def dot_integers(self, a: Sequence[int], b: Sequence[int], start: int = 0) -> int:
        """Return what the register holds after all products, having held ``start`` before."""
        ...


def integers(values: Sequence[float]) -> list[int]:
    """Return values that are whole as integers.

    Raises:
        InputError: a value is not whole, so that it is not in units of an integer register.
    """
    for value in values:
        if not float(value).is_integer():
            raise InputError(
                f"operand holds {value}, an integer accumulator takes whole numbers; divide by the format's unit first"
            )
    return [int(value) for value in values]


def check_bits(label: str, bits: int, least: int, most: int) -> None:
    """Raise InputError unless ``least <= bits <= most``."""
    if not least <= bits <= most:
        raise InputError(f"{label} is {bits}, must be {least}..{most}; choose a width in that range")


def check_length(label: str, length: int) -> None:
    """Raise InputError unless a number of products is at least one."""
    if length < 1:
        raise InputError(f"{label} is {length}, must be at least 1; it counts products")
