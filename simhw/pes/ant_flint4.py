"""ANT: 4-bit flint operands decoded to an integer and a shift, an integer multiplier, one shifter.

A flint4 code has a sign and three bits, of which the first one that is set tells the exponent: 0xx are the integers
0..3, 110 and 111 are 2 << 1 and 3 << 1, 101 is 2 << 2, 100 is 2 << 3. So every value is a signed integer of -3..3
shifted by 0..3, and a product is the product of the integers shifted by the sum of the shifts: at most 16 x 16 = 256.
The same multiplier takes int4 operands, whose shift is 0 (ANT picks the type per tensor); they set its width, 4 x 4.

The shift comes behind the multiplier, so that one shifter serves both operands. Decoders stand at the edge of the
array and are shared (32 PEs are taken to share one for either operand); an operand travels as integer and shift.
"""

from __future__ import annotations

from fractions import Fraction

from simhw.costs import BitwiseAnd, IntegerAdd, IntegerMultiply, Part, Shared
from simhw.formats.catalog import FLINT4
from simhw.pes.base import Dequantization, ProcessingElement, Product, Signal, signed_bits
from simhw.pes.operands import check_code, signed_integer
from simhw.pes.structure import integer_accumulation, left_shift, scale_int32_output

_EXTREMES = {"flint4": (-16, 16), "int4": (-8, 7)}
_DECODER = Shared(part=BitwiseAnd(bits=12), lanes=32)
"""A handful of gates per bit of integer and shift."""


def decode_flint4(code: int) -> tuple[int, int]:
    """Return the signed integer and the shift that a flint4 code stands for.

    >>> decode_flint4(0b0111), decode_flint4(0b1100)
    ((3, 1), (-2, 3))
    """
    check_code(code, 4, FLINT4.name)
    low = code & 7
    if low < 4:
        integer, shift = low, 0
    elif low >= 6:
        integer, shift = low - 4, 1
    else:
        integer, shift = 2, 3 - (low & 1)
    return (-integer if code >> 3 else integer), shift


def _decode(code: int, name: str) -> tuple[int, int]:
    return decode_flint4(code) if name == FLINT4.name else (signed_integer(code, 4), 0)


def _pairing(activation: str, weight: str) -> Product:
    def product(activation_code: int, weight_code: int) -> Fraction:
        (a, a_shift), (w, w_shift) = _decode(activation_code, activation), _decode(weight_code, weight)
        return Fraction((a * w) << (a_shift + w_shift))

    return product


def _worst_case_bits(group_size: int, weight_format: str) -> int:
    corners = [a * w for ends in _EXTREMES.values() for a in ends for w in _EXTREMES[weight_format]]
    return signed_bits(min(corners) * group_size, max(corners) * group_size)


def _accumulation(bits: int) -> tuple[Part, ...]:
    return (left_shift(8, 7), *integer_accumulation(bits))


PE = ProcessingElement(
    name="ant_flint4",
    description="flint4 or int4 operands as integer and shift, 4 x 4-bit multiplier, shifter, integer accumulator",
    source="C. Guo et al., ANT, MICRO 2022, arXiv 2208.14286",
    activation_format=FLINT4.name,
    weight_format=FLINT4.name,
    products={(a, w): _pairing(a, w) for a in _EXTREMES for w in _EXTREMES},
    products_per_cycle={(4, 4): 1},
    product_bits=10,
    least_accumulator_bits=10,
    worst_case_bits=_worst_case_bits,
    register_bits=2 * (4 + 2),
    multiplier=(_DECODER, _DECODER, IntegerMultiply(a_bits=4, b_bits=4), IntegerAdd(bits=3)),
    accumulation=_accumulation,
    dequantization=Dequantization.AFTER_ACCUMULATION,
    dequantize_parts=scale_int32_output,
    signals=(
        Signal(name="integer", bits=4, worst_case="int4: -8..7 (flint4: -3..3)"),
        Signal(name="shift", bits=2, worst_case="16 is 2 << 3"),
        Signal(name="product of integers", bits=8, worst_case="int4: -8 x -8 = 64, one above 7 bits"),
        Signal(name="sum of shifts", bits=3, worst_case="3 + 3 = 6"),
        Signal(name="product", bits=10, worst_case="16 x 16 = 256, one above 9 bits"),
    ),
)
