"""Accumulators of any width by name: ``int20_saturate``, ``int18_wrap``, ``int12_partial_32``, ``e5m7``."""

from __future__ import annotations

import re

from simhw.accumulators.base import Accumulator
from simhw.accumulators.exact import Exact
from simhw.accumulators.ieee import Ieee
from simhw.accumulators.lsb_truncated import LsbTruncated
from simhw.accumulators.partial_sums import PartialSums
from simhw.accumulators.rounding import float_precision
from simhw.accumulators.saturate import Saturate
from simhw.errors import InputError
from simhw.formats.rounding import Rounding

GRAMMAR = "int<bits>_wrap, int<bits>_saturate, int<bits>_partial_<products>[_saturate], e<bits>m<bits>[_toward_zero]"
"""How names of families read."""

WIDEST_REGISTER = 64
"""Bits of the widest integer register that sums are carried in."""


def family_accumulator(name: str) -> tuple[str, Accumulator] | None:
    """Return description and record of an accumulator that a family's grammar names, None for other names.

    Raises InputError for a width that the family has not.

    >>> family_accumulator("int20_saturate")
    ('20-bit integer register, clamped after every product', Saturate(bits=20))
    """
    if found := re.fullmatch(r"int(\d+)_(wrap|saturate)", name):
        bits = int(found[1])
        if not 2 <= bits <= WIDEST_REGISTER:
            raise InputError(f"accumulator {name} has {bits} bits, must be 2..{WIDEST_REGISTER}; choose such a width")
        if found[2] == "wrap":
            return f"{bits}-bit integer register that wraps", Exact(bits=bits)
        return f"{bits}-bit integer register, clamped after every product", Saturate(bits=bits)
    if found := re.fullmatch(r"int(\d+)_partial_(\d+)(_saturate)?", name):
        bits, every, saturating = int(found[1]), int(found[2]), found[3] is not None
        how = "saturating" if saturating else "wrapping"
        return (
            f"{every} products in a {how} {bits}-bit register, then added to {how} 32 bits",
            PartialSums(inner_bits=bits, every=every, outer_bits=32, saturating=saturating),
        )
    if found := re.fullmatch(r"e(\d+)m(\d+)(_toward_zero)?", name):
        rounding = Rounding.TOWARD_ZERO if found[3] else Rounding.NEAREST_EVEN
        precision = float_precision(int(found[1]), int(found[2]), rounding)
        how = "truncated" if found[3] else "rounded to nearest even"
        return f"register with {found[1]} exponent and {found[2]} mantissa bits, {how}", Ieee(precision=precision)
    return None


def register_bits(accumulator: Accumulator) -> int | None:
    """Return the width of an integer register of a stated width, None for all others.

    Of partial sums it is the outer register, which holds the result.
    """
    match accumulator:
        case Exact(bits=bits) | LsbTruncated(register_bits=bits):
            return bits
        case Saturate():
            return accumulator.bits
        case PartialSums():
            return accumulator.outer_bits
    return None
