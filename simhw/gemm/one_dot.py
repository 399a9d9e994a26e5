"""One dot product of any accumulator, by its definition, for operands of any format."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from simhw.accumulators import Accumulator, Exact, IntegerAccumulator, Number, wrap
from simhw.formats import get_element_format
from simhw.formats.element import power_of_two


def define_dot(
    accumulator: Accumulator,
    a: Sequence[float],
    b: Sequence[float],
    c: float = 0.0,
    *,
    formats: tuple[str, str],
) -> Number:
    """Return what an accumulator returns for ``sum(a[k] * b[k]) + c``.

    Registers of integers count in units of the product of the formats' least significant bits.

    Args:
        accumulator: the rule.
        a: values of the first format.
        b: values of the second format.
        c: addend.
        formats: names of the element formats of a and b.
    """
    units = [power_of_two(get_element_format(name).lsb_exponent) for name in formats]
    unit = units[0] * units[1]
    if isinstance(accumulator, IntegerAccumulator):
        p, q = ([int(Fraction(v) / scale) for v in side] for side, scale in zip((a, b), units, strict=True))
        return accumulator.dot_integers(p, q, int(Fraction(c) / unit)) * unit
    exact = accumulator.dot(a, b, c)
    if not isinstance(accumulator, Exact) or accumulator.bits is None or not isinstance(exact, Fraction):
        return exact
    return wrap(int(exact / unit), accumulator.bits) * unit
