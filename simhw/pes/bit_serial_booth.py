"""Term-serial weights: one nonzero Booth digit per cycle, so the cycles of a product depend on the weight.

Radix-4 Booth recoding writes a weight as digits d_i of -2..2 at places 4^i: d_i = b_(2i-1) + b_(2i) - 2 b_(2i+1),
with b_(-1) = 0. Digits that are zero are skipped. A term is the activation, doubled or not, negated or not,
shifted by twice its place; an accumulator adds one term per cycle. So an int8 weight takes at most 4 cycles, an
int4 weight at most 2, a uint4 weight 3 (its top bit is no sign, a third digit holds it). A weight without terms
(zero) takes one cycle all the same, in which nothing is added: its activation has to pass.

An encoder at the head of a column finds the terms for all PEs below it (32 are taken to share it), so a PE registers
an activation and a term: valid, negative, doubled, two bits of place. BitMoD sends a fixed number of terms for each
data type; skipping the zero ones is Bit Pragmatic's idea, here on the weights' side, where they are known beforehand.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.circuits.base import Circuit
from simhw.circuits.bit_serial import term_encoder, term_mac
from simhw.costs import BitwiseAnd, IntegerAdd, Part, Shared, Shift
from simhw.pes.base import Dequantization, ProcessingElement, Product, Signal, signed_bits
from simhw.pes.operands import check_code, signed_integer
from simhw.pes.structure import integer_accumulation, scale_int32_output

CIRCUITS = ("term", "encoder")

DIGITS = {"int8": 4, "int4": 2, "uint4": 3}
"""Booth digits of a weight."""
ENCODER = (BitwiseAnd(bits=20), IntegerAdd(bits=4))
"""Four digits of a gate or two per bit, and what finds the next digit that is not zero."""
ENCODER_ROWS = 32
_BITS = {"int8": 8, "int4": 4, "uint4": 4}


def booth_digits(code: int, weight_format: str) -> list[int]:
    """Return the radix-4 Booth digits of a weight code, the lowest first.

    >>> booth_digits(0b0111, "int4"), booth_digits(0b1111, "uint4")
    ([-1, 2], [-1, 0, 1])
    """
    bits = _BITS[weight_format]
    check_code(code, bits, weight_format)
    extended = code - (1 << bits) if weight_format.startswith("int") and code >> (bits - 1) else code
    doubled = extended << 1  # b_(-1) = 0
    return [
        (doubled >> at & 1) + (doubled >> at + 1 & 1) - 2 * (doubled >> at + 2 & 1)
        for at in range(0, 2 * DIGITS[weight_format], 2)
    ]


def term_product(activation: int, digits: list[int]) -> int:
    """Return activation times weight, one shifted addend for each digit that is not zero."""
    return sum((activation * digit) << 2 * place for place, digit in enumerate(digits) if digit)


def weight_terms(codes: NDArray[np.unsignedinteger[Any]], weight_format: str) -> NDArray[np.int64]:
    """Return the number of nonzero Booth digits of each weight code."""
    table = [sum(map(bool, booth_digits(code, weight_format))) for code in range(1 << _BITS[weight_format])]
    return np.asarray(np.array(table, np.int64)[codes])


def weight_cycles(codes: NDArray[np.unsignedinteger[Any]], weight_format: str) -> NDArray[np.int64]:
    """Return the cycles of one product with each weight code: its terms, but at least one cycle."""
    return np.maximum(weight_terms(codes, weight_format), 1)


def _pairing(weight_format: str) -> Product:
    def product(activation_code: int, weight_code: int) -> Fraction:
        return Fraction(term_product(signed_integer(activation_code, 8), booth_digits(weight_code, weight_format)))

    return product


def _worst_case_bits(group_size: int, weight_format: str) -> int:
    match weight_format:
        case "uint4":
            return signed_bits(-128 * 15 * group_size, 127 * 15 * group_size)
        case "int4":
            return signed_bits(-8 * 127 * group_size, 8 * 128 * group_size)
        case _:
            return signed_bits(-128 * 127 * group_size, 128 * 128 * group_size)


def _accumulation(bits: int) -> tuple[Part, ...]:
    # Two stages of multiplexers, by 2 and by 4 places: 12 and 16 bits wide.
    return (Shift(bits=14, positions=4), *integer_accumulation(bits))


PE = ProcessingElement(
    name="bit_serial_booth",
    description="weights term by term: one nonzero radix-4 Booth digit per cycle, cycles depend on the weights",
    source="Y. Chen et al., BitMoD, HPCA 2025 (terms); J. Albericio et al., Bit-Pragmatic, MICRO 2017 (skipping)",
    activation_format="int8",
    weight_format="int8",
    products={("int8", name): _pairing(name) for name in DIGITS},
    products_per_cycle={(8, 8): Fraction(1, DIGITS["int8"]), (8, 4): Fraction(1, DIGITS["uint4"])},
    weight_cycles=weight_cycles,
    activation_stays=True,
    product_bits=16,
    least_accumulator_bits=16,
    worst_case_bits=_worst_case_bits,
    register_bits=8 + 5,
    multiplier=(BitwiseAnd(bits=3 * 9), *(Shared(part=part, lanes=ENCODER_ROWS) for part in ENCODER)),
    accumulation=_accumulation,
    dequantization=Dequantization.AFTER_ACCUMULATION,
    dequantize_parts=scale_int32_output,
    signals=(
        Signal(name="term", bits=5, worst_case="valid, negative, doubled, place 0..3"),
        Signal(name="selected activation", bits=10, worst_case="-2 x -128 = 256, one above 9 bits"),
        Signal(name="shifted term", bits=16, worst_case="-2 x -128 at place 3 = 16,384, one above 15 bits"),
    ),
)


def circuit(variant: str = CIRCUITS[0], *, accumulator_bits: int = 32) -> Circuit:
    """Return the circuit of the PE, one term per clock, or of the encoder at the head of a column."""
    if variant == "encoder":
        return term_encoder(name="bit_serial_booth_encoder", variant=variant, source=PE.source)
    return term_mac(name="bit_serial_booth", variant=variant, source=PE.source, accumulator_bits=accumulator_bits)
