"""The fp32 adder behind every floating-point accumulator: fp32 sum plus a term, rounded once to nearest even.

One path, one aligner, one adder, one normaliser:

1. The operand with the smaller exponent is shifted down to meet the other; two bits and a sticky bit below the last
   place of the larger one decide every rounding.
2. Where the signs differ it is subtracted. Operands are ordered by exponent alone, so the difference can be negative.
   Then it is inverted; the one that is missing in -x = ~x + 1 waits until rounding, which has a carry input anyway.
3. The result is normalised, rounded and packed (:mod:`simhw.circuits.float_round`).
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Value

from simhw.circuits.float_round import assemble, normalise_and_round
from simhw.circuits.floating import Term, fp32_term
from simhw.circuits.shifting import named, shift_right_sticky
from simhw.formats.catalog import FP32

_BELOW = 3
"""Guard, round and sticky bit below the last place of the larger operand."""
_DISTANCE = 5
"""Bits of the alignment distance: 31 places leave nothing but the sticky bit."""


def add_to_fp32(module: Module, total: Value, term: Term, name: str = "add") -> Value:
    """Return the fp32 code of ``total + term``: subnormals, infinities, signed zeros and the canonical NaN included."""
    old = fp32_term(module, named(module, f"{name}_total", total), f"{name}_total")
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
    # Never below 1, as the sum's exponent is not: the larger one is unsigned.
    exponent = Mux(term_above, term.exponent.as_unsigned(), old.exponent)[: _exponent_bits(term)]
    finite, nothing = normalise_and_round(
        module, magnitude, named(module, f"{name}_exponent", exponent), FP32, name, negative=negative
    )
    sign = Mux(nothing, old.sign & term.sign, Mux(term_above, term.sign, old.sign) ^ negative)
    infinite = named(module, f"{name}_infinite", old.infinite | term.infinite)
    return assemble(
        module,
        finite,
        Mux(infinite, Mux(old.infinite, old.sign, term.sign), sign),
        FP32,
        name,
        infinite=infinite,
        nan=old.nan | term.nan | (old.infinite & term.infinite & subtract),
    )


def _exponent_bits(term: Term) -> int:
    """Return the bits of the larger exponent, which is unsigned."""
    shape = term.exponent.shape()
    return max(FP32.exponent_bits, int(shape.width) - int(shape.signed))


def _distance(module: Module, difference: Value, term_above: Value, name: str) -> Value:
    """Return the places of alignment, less one where the term is above; 31 stands for all beyond."""
    inverted = named(module, f"{name}_inverted", difference[:-1] ^ term_above.replicate(len(difference) - 1))
    far = inverted[_DISTANCE:].any()
    return named(module, f"{name}_distance", inverted[:_DISTANCE] | far.replicate(_DISTANCE))


def _add_or_subtract(module: Module, above: Value, below: Value, subtract: Value, name: str) -> Value:
    """Return ``8 above +- below`` in 28 bits: its top bit is a carry, or the sign of a difference."""
    width = FP32.significand_bits + _BELOW + 1
    addend = Cat(below, Const(0, 1)) ^ subtract.replicate(width)
    # One place more at the bottom brings the carry of a subtraction into the same adder.
    both = Cat(subtract, Const(0, _BELOW), above, Const(0, 1)) + Cat(subtract, addend)
    return named(module, f"{name}_raw", both[1 : width + 1])
