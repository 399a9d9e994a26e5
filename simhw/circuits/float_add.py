"""The fp32 adder behind every floating-point accumulator: fp32 sum plus a term, rounded once to nearest even.

One path, one aligner, one adder, one normaliser:

1. The operand with the smaller exponent is shifted down to meet the other; two bits and a sticky bit below the last
   place of the larger one decide every rounding.
2. Where the signs differ it is subtracted. Operands are ordered by exponent alone, so the difference can be negative.
   Then it is inverted; the one that is missing in -x = ~x + 1 waits until rounding, which has a carry input anyway.
3. Leading zeros are counted and shifted out, but not more of them than the exponent allows: a result below the normal
   numbers stays where the smallest of them stand, which is all that subnormal results take.
4. The significand is added to the exponent field as one integer, with the carry of rounding: a significand without a
   leading one leaves the field 0, a carry out of it counts the field up, up to infinity.

That 2. may wait: let x be the 28-bit inverted difference, shifted up with ones coming in below, H its upper 24 bits and
L its lower four. The magnitude is 16 H + L + 1, so H counts up when L + 1 > 8, or L + 1 = 8 and H is odd; the case
L + 1 = 16 is among them.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Value

from simhw.circuits.floating import (
    FP32_FIELD,
    FP32_SIGNIFICAND,
    FP32_TOP_FIELD,
    Term,
    fp32_term,
)
from simhw.circuits.shifting import leading_zeros, named, shift_left, shift_right_sticky

_BELOW = 3
"""Guard, round and sticky bit below the last place of the larger operand."""
_DISTANCE = 5
"""Bits of the alignment distance: 31 places leave nothing but the sticky bit."""


def add_to_fp32(module: Module, total: Value, term: Term, name: str = "add") -> Value:
    """Return the fp32 code of ``total + term``: subnormals, infinities, signed zeros and the canonical NaN included."""
    old = fp32_term(module, total, f"{name}_total")
    difference = named(module, f"{name}_difference", (old.exponent - term.exponent).as_unsigned())
    term_above = named(module, f"{name}_term_above", difference[-1])
    distance = _distance(module, difference, term_above, name)
    above = named(module, f"{name}_above", Mux(term_above, term.significand, old.significand))
    # Where the term is above, the distance is one short (-d = ~d + 1): its place is wired in here.
    below = Mux(term_above, Cat(Const(0, 1), old.significand, Const(0, 1)), Cat(Const(0, 2), term.significand))
    aligned, sticky = shift_right_sticky(module, named(module, f"{name}_below", below), distance, f"{name}_align")
    subtract = named(module, f"{name}_subtract", old.sign ^ term.sign)
    raw = _add_or_subtract(module, above, Cat(sticky, aligned), subtract, name)
    negative = named(module, f"{name}_negative", raw[-1] & subtract)
    magnitude = named(module, f"{name}_magnitude", raw ^ negative.replicate(len(raw)))
    zeros, none = leading_zeros(module, magnitude, name)
    exponent = Mux(term_above, term.exponent.as_unsigned(), old.exponent)[: _exponent_bits(term)]
    exponent = named(module, f"{name}_exponent", exponent)
    allowed = named(module, f"{name}_allowed", Mux(exponent < zeros, exponent, zeros)[: len(zeros)])
    shifted = shift_left(module, magnitude, allowed, f"{name}_normalise", negative)
    nothing = named(module, f"{name}_nothing", none & ~negative)
    field = named(module, f"{name}_field", (exponent - allowed)[: len(exponent)] & (~nothing).replicate(len(exponent)))
    finite = _round(module, shifted, field, negative, name)
    sign = Mux(nothing, old.sign & term.sign, Mux(term_above, term.sign, old.sign) ^ negative)
    nan = old.nan | term.nan | (old.infinite & term.infinite & subtract)
    infinite = old.infinite | term.infinite
    special_sign = Mux(old.infinite, old.sign, term.sign)
    return assemble(module, finite, Mux(infinite, special_sign, sign), infinite, nan, name)


def assemble(module: Module, finite: Value, sign: Value, infinite: Value, nan: Value, name: str) -> Value:
    """Return the fp32 code of a rounded result.

    Args:
        module: takes the gates.
        finite: exponent field above 23 mantissa bits; a field of 255 or more is an overflow.
        sign: of the result unless it is NaN.
        infinite: whether it is an infinity whatever ``finite`` is.
        nan: whether it is NaN.
        name: prefix of signals.
    """
    fraction = FP32_SIGNIFICAND - 1
    field = finite[fraction:]
    beyond = field[:FP32_FIELD].all()
    if len(field) > FP32_FIELD:
        beyond = beyond | field[FP32_FIELD:].any()
    nan = named(module, f"{name}_nan", nan)
    top = named(module, f"{name}_top", infinite | beyond | nan)
    mantissa = (finite[:fraction] & (~top).replicate(fraction)) | nan.replicate(fraction)
    return named(
        module,
        f"{name}_result",
        Cat(mantissa, field[:FP32_FIELD] | top.replicate(FP32_FIELD), sign & ~nan),
    )


def _exponent_bits(term: Term) -> int:
    """Bits of the larger exponent, which is that of an fp32 number or above it, never below 1."""
    shape = term.exponent.shape()
    return max(FP32_FIELD, shape.width - int(shape.signed))


def _distance(module: Module, difference: Value, term_above: Value, name: str) -> Value:
    """Return the places of alignment, less one where the term is above; 31 stands for all beyond."""
    inverted = difference[:-1] ^ term_above.replicate(len(difference) - 1)
    far = inverted[_DISTANCE:].any()
    return named(module, f"{name}_distance", inverted[:_DISTANCE] | far.replicate(_DISTANCE))


def _add_or_subtract(module: Module, above: Value, below: Value, subtract: Value, name: str) -> Value:
    """Return ``8 above +- below`` in 28 bits: its top bit is a carry, or the sign of a difference."""
    width = FP32_SIGNIFICAND + _BELOW + 1
    addend = Cat(below, Const(0, 1)) ^ subtract.replicate(width)
    # One place more at the bottom brings the carry of a subtraction into the same adder.
    both = Cat(subtract, Const(0, _BELOW), above, Const(0, 1)) + Cat(subtract, addend)
    return named(module, f"{name}_raw", both[1 : width + 1])


def _round(module: Module, shifted: Value, field: Value, negative: Value, name: str) -> Value:
    """Return field and mantissa as one integer, rounded to nearest even."""
    rest, kept = shifted[: _BELOW + 1], shifted[_BELOW + 1 :]
    half, last = rest[-1], rest[:-1]
    # The rest, with the one that a negative difference still lacks, is above a half or, for odd numbers, equals it.
    at_half = (half & ~last.any() & ~negative) | (~half & last.all() & negative)
    beyond_half = half & (last.any() | negative)
    up = named(module, f"{name}_up", beyond_half | (at_half & kept[0]))
    fraction = FP32_SIGNIFICAND - 1
    carry = Cat(up, Const(0, fraction - 1), kept[-1])
    total = Cat(kept[:fraction], field) + carry
    return named(module, f"{name}_rounded", total[: fraction + len(field) + int(len(field) > FP32_FIELD)])
