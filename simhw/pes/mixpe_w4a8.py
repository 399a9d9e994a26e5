"""MixPE W4A8: uint4 x int8 by shift and add, dequantized once per group.

The product is the sum of the activation shifted by the place of each set weight bit: q x = sum of b_i (x
<< i). For signed int4, bit 3 weighs -8. A shift by a constant is wiring, so the multiplier is four rows of
gates and three adders: x and x << 1 make 10 bits (the lowest bit passes by), likewise x << 2 and x << 3,
and the sum of both makes 12 bits (the two lowest pass by).

Within a group of g the PE sums q x; at its end s (sum of q x - z sum of x) leaves, with scale s and zero
point z of the weight's group. Widths at g = 128: sum of q x within -245,760..243,840 needs 19 bits, and so
does z sum of x; the subtractor takes the two as independent and has 20. (As q - z lies in -15..15, every
difference that can occur fits 19: the twentieth is the guard bit of a circuit that does not rely on it.)

A second operand of int8 (keys and values in attention) takes two passes, its high nibble signed and worth
16, its low nibble unsigned.
"""

from __future__ import annotations

from fractions import Fraction

from simhw.circuits.base import Circuit, read_flag
from simhw.circuits.float_dequantizer import float_dequantizer
from simhw.circuits.group_dequantizer import integer_dequantizer
from simhw.circuits.integer_mac import Integer, IntegerStructure, integer_mac
from simhw.costs import BitwiseAnd, IntegerAdd
from simhw.pes.base import Dequantization, DequantizationParts, ProcessingElement, Signal, signed_bits
from simhw.pes.operands import check_code, signed_integer
from simhw.pes.structure import integer_accumulation, scale_group_with_zero_point

_STRUCTURES = {
    "carry_save": IntegerStructure.CARRY_SAVE,
    "adders": IntegerStructure.ADDERS,
    "booth": IntegerStructure.BOOTH,
    "multiplier": IntegerStructure.MULTIPLIER,
}
_DEQUANTIZERS = ("integer_dequantizer", "integer_dequantizer_naive")
FLOAT_DEQUANTIZER = "float_dequantizer"
"""Behind the PE where the group's scale is a float."""
CIRCUITS = (*_STRUCTURES, *_DEQUANTIZERS, FLOAT_DEQUANTIZER)


def shift_and_add(activation: int, weight_code: int, *, signed: bool) -> int:
    """Return weight times activation for a 4-bit weight code, as four gated and shifted addends."""
    total = 0
    for place in range(4):
        addend = activation << place if weight_code >> place & 1 else 0
        total += -addend if signed and place == 3 else addend
    return total


def two_passes(activation: int, weight_code: int) -> int:
    """Return weight times activation for an int8 weight code: high nibble signed, low nibble unsigned."""
    high = shift_and_add(activation, weight_code >> 4, signed=True)
    low = shift_and_add(activation, weight_code & 0xF, signed=False)
    return (high << 4) + low


def _unsigned(activation_code: int, weight_code: int) -> Fraction:
    check_code(weight_code, 4, "uint4")
    return Fraction(shift_and_add(signed_integer(activation_code, 8), weight_code, signed=False))


def _signed(activation_code: int, weight_code: int) -> Fraction:
    check_code(weight_code, 4, "int4")
    return Fraction(shift_and_add(signed_integer(activation_code, 8), weight_code, signed=True))


def _int8(activation_code: int, weight_code: int) -> Fraction:
    check_code(weight_code, 8, "int8")
    return Fraction(two_passes(signed_integer(activation_code, 8), weight_code))


def _worst_case_bits(group_size: int, weight_format: str) -> int:
    match weight_format:
        case "uint4":  # sum of q x minus an independent z sum of x, each within 15 x (-128..127)
            return signed_bits(-15 * (128 + 127) * group_size, 15 * (127 + 128) * group_size)
        case "int4":  # symmetric, no zero point: -8 x 127 .. -8 x -128
            return signed_bits(-8 * 127 * group_size, 8 * 128 * group_size)
        case _:  # int8, symmetric: -128 x 127 .. -128 x -128
            return signed_bits(-128 * 127 * group_size, 128 * 128 * group_size)


def _dequantize_parts(group_size: int) -> DequantizationParts:
    sum_bits = _worst_case_bits(group_size, "uint4")
    return scale_group_with_zero_point(sum_bits=sum_bits, zero_bits=4, group_size=group_size)


PE = ProcessingElement(
    name="mixpe_w4a8",
    description="uint4 x int8 by shift and add, integer group accumulator, dequantization after the group",
    source="MixPE, arXiv 2411.16158",
    activation_format="int8",
    weight_format="uint4",
    products={("int8", "uint4"): _unsigned, ("int8", "int4"): _signed, ("int8", "int8"): _int8},
    products_per_cycle={(8, 4): 1, (8, 8): Fraction(1, 2)},
    product_bits=12,
    least_accumulator_bits=12,
    worst_case_bits=_worst_case_bits,
    register_bits=12,
    multiplier=(BitwiseAnd(bits=32), IntegerAdd(bits=9), IntegerAdd(bits=9), IntegerAdd(bits=10)),
    accumulation=integer_accumulation,
    dequantization=Dequantization.AFTER_GROUP,
    dequantize_parts=_dequantize_parts,
    signals=(
        Signal(name="activation", bits=8, worst_case="-128..127"),
        Signal(name="gated addend", bits=8, worst_case="the activation or 0, once for each weight bit"),
        Signal(name="sum of two addends", bits=10, worst_case="3 x -128 = -384 of x and x << 1"),
        Signal(name="product", bits=12, worst_case="15 x -128 = -1,920"),
    ),
)


def circuit(
    variant: str = CIRCUITS[0], *, weight_signed: int = 0, group_size: int = 128, accumulator_bits: int | None = None
) -> Circuit:
    """Return the circuit of the PE, or of the dequantizer behind it, in one of its variants.

    Args:
        variant: a structure of the PE, or of the all-integer dequantizer at the foot of a column.
        weight_signed: 1 for int4 weights, 0 for uint4.
        group_size: products of a group; sets the width of the accumulator.
        accumulator_bits: width of the accumulator, where it shall be another (32 for the dequantizer).

    Raises:
        InputError: a width that cannot hold a product, or a port cannot have.
    """
    weight = Integer(bits=4, signed=read_flag("weight_signed", weight_signed))
    group_bits = PE.group_accumulator_bits(group_size, weight.name)
    name = "mixpe_w4a8" if variant == CIRCUITS[0] else f"mixpe_w4a8_{variant}"
    if variant in _DEQUANTIZERS:
        return integer_dequantizer(
            name=name,
            variant=variant,
            source="progressive group quantization of QServe, arXiv 2405.04532",
            behavioural=variant.endswith("naive"),
            group_bits=group_bits,
            activation_bits=signed_bits(-128 * group_size, 127 * group_size),
            total_bits=32 if accumulator_bits is None else accumulator_bits,
        )
    if variant == FLOAT_DEQUANTIZER:
        return float_dequantizer(
            name=name,
            variant=variant,
            source=PE.source,
            group_bits=group_bits,
            activation_bits=signed_bits(-128 * group_size, 127 * group_size),
        )
    return integer_mac(
        name=name,
        variant=variant,
        source=PE.source,
        structure=_STRUCTURES[variant],
        activation=Integer(bits=8, signed=True),
        weight=weight,
        accumulator_bits=group_bits if accumulator_bits is None else accumulator_bits,
    )
