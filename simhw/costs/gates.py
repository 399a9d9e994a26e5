"""How many gates each part takes, at any width.

The structures are the plain ones that a synthesis tool starts from, so that the same rule counts every PE: ripple-carry
adders, array multipliers, logarithmic shifters.

* ``IntegerMultiply`` a x b: a b gates for the partial products and one row of adders for each but the first of them,
  (smaller - 1) rows as wide as the larger operand. Two's complement adds constants, which cost no gate.
* ``Shift``: one multiplexer per bit and stage.
* ``FloatMultiply``: significand multiplier, exponent adder, sign. A product wider than ``EXACT_BITS`` is normalised by
  one place and rounded to the operands' width; a narrower one enters an fp32 adder exactly.
* ``FloatAdd``, on significands with ``GUARD_BITS`` more: exponent difference, swap, alignment with sticky bit, addition
  or subtraction, leading-zero count (one AND and one multiplexer per bit: a binary tree of counts), normalisation,
  exponent correction, rounding. A half adder is an AND and an XOR.

No part is pipelined, and no gate is counted for control, reset or clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from simhw.costs.parts import (
    BitwiseAnd,
    FloatAdd,
    FloatMultiply,
    IntegerAdd,
    IntegerMultiply,
    Part,
    Register,
    Shared,
    Shift,
)

EXACT_BITS = 24
"""Significand bits of fp32, into which every float product is accumulated."""
GUARD_BITS = 3
"""Guard, round and sticky bit of a float adder."""


@dataclass(frozen=True, kw_only=True)
class GateCounts:
    """Gates of each kind; fractions where lanes share a part."""

    full_adders: float = 0
    ands: float = 0
    xors: float = 0
    multiplexers: float = 0
    flip_flops: float = 0

    def __add__(self, other: GateCounts) -> GateCounts:
        """Return the gates of both."""
        return GateCounts(**{kind: getattr(self, kind) + getattr(other, kind) for kind in GATE_KINDS})

    def shared(self, lanes: int) -> GateCounts:
        """Return the share of one of ``lanes``."""
        return GateCounts(**{kind: getattr(self, kind) / lanes for kind in GATE_KINDS})


GATE_KINDS = tuple(field.name for field in fields(GateCounts))
"""Kinds of gates, by the names that ``GateCounts`` and the tables' TOML have for them."""


def count_gates(part: Part) -> GateCounts:
    """Return the gates of one part.

    >>> count_gates(IntegerMultiply(a_bits=8, b_bits=8))
    GateCounts(full_adders=56, ands=64, xors=0, multiplexers=0, flip_flops=0)
    """
    match part:
        case Shared():
            return count_gates(part.part).shared(part.lanes)
        case IntegerAdd():
            return GateCounts(full_adders=part.bits)
        case IntegerMultiply():
            narrow, wide = sorted((part.a_bits, part.b_bits))
            return GateCounts(ands=narrow * wide, full_adders=(narrow - 1) * wide)
        case BitwiseAnd():
            return GateCounts(ands=part.bits)
        case Register():
            return GateCounts(flip_flops=part.bits)
        case Shift():
            return GateCounts(multiplexers=part.bits * _stages(part.positions))
        case FloatAdd():
            return _float_add(part.exponent_bits, part.significand_bits)
        case FloatMultiply():
            return _float_multiply(part.exponent_bits, part.significand_bits)


def count_all_gates(parts: Iterable[Part]) -> GateCounts:
    """Return the gates of several parts."""
    return sum((count_gates(part) for part in parts), GateCounts())


def _float_multiply(exponent: int, significand: int) -> GateCounts:
    product = count_gates(IntegerMultiply(a_bits=significand, b_bits=significand))
    exact = product + GateCounts(full_adders=exponent, xors=1)
    if 2 * significand <= EXACT_BITS:
        return exact
    return exact + GateCounts(multiplexers=significand) + _half_adders(significand + exponent)


def _float_add(exponent: int, significand: int) -> GateCounts:
    wide = significand + GUARD_BITS
    difference = correction = GateCounts(full_adders=exponent, xors=exponent)
    swap = GateCounts(multiplexers=2 * significand + exponent)
    shift = count_gates(Shift(bits=wide, positions=wide))
    sticky = GateCounts(ands=significand)
    addition = GateCounts(full_adders=wide + 1, xors=wide)
    leading_zeros = GateCounts(ands=wide, multiplexers=wide)
    rounding = _half_adders(significand + exponent)
    return difference + swap + shift + sticky + addition + leading_zeros + shift + correction + rounding


def _half_adders(count: int) -> GateCounts:
    return GateCounts(ands=count, xors=count)


def _stages(positions: int) -> int:
    return (positions - 1).bit_length()
