"""MixPE W4A16: uint4 x fp16 by shift and add of the significand, dequantized once per group.

Sign and exponent of the activation pass through; its 11-bit significand is shifted and added as in
``mixpe_w4a8``, which gives an exact 15-bit product. A shifter then places it by its exponent into a
fixed-point accumulator in units of 2^-24 (the least fp16 subnormal), so that the group sum is exact too:
15 x 65,504 needs 45 bits with sign, a group of 128 of them 52. (The paper does not say how the product is
accumulated; exact fixed point is the choice here, because it keeps dequantization after the group free of
rounding.)

The accumulator holds the sum of q x alone. The zero point is subtracted in the dequantizer, one bit wider,
where it also meets the scale; the sum of x runs in fixed point beside the array.

A second operand of int8 takes two passes, as in ``mixpe_w4a8``.
"""

from __future__ import annotations

from fractions import Fraction

from simhw.circuits.base import Circuit, read_flag
from simhw.circuits.fixed_point_mac import fixed_point_mac
from simhw.circuits.float_mac import float_mac
from simhw.costs import BitwiseAnd, IntegerAdd, IntegerMultiply, Part, Register
from simhw.formats.catalog import FP16
from simhw.formats.families import integer_format
from simhw.pes.base import Dequantization, DequantizationParts, ProcessingElement, Signal, signed_bits
from simhw.pes.mixpe_w4a8 import shift_and_add, two_passes
from simhw.pes.operands import FloatOperand, check_code, read_float
from simhw.pes.structure import (
    FP32_ADD,
    FP32_BITS,
    FP32_MULTIPLY,
    integer_accumulation,
    integer_to_fp32,
    left_shift,
)

LARGEST_FP16 = 2047 << 29
"""65,504 in units of 2^-24."""
ALIGN = left_shift(15, 30)
"""Places a 15-bit product by one of the 30 exponents of fp16."""

_LARGEST_WEIGHT = {"uint4": 15, "int4": 8, "int8": 128}


def _with_significand(operand: FloatOperand, significand: int) -> Fraction:
    """Return the product whose significand was formed; sign and exponent are the activation's."""
    return FloatOperand(sign=operand.sign, exponent=operand.exponent, significand=significand).value


def _unsigned(activation_code: int, weight_code: int) -> Fraction:
    check_code(weight_code, 4, "uint4")
    operand = read_float(activation_code, FP16)
    return _with_significand(operand, shift_and_add(operand.significand, weight_code, signed=False))


def _signed(activation_code: int, weight_code: int) -> Fraction:
    check_code(weight_code, 4, "int4")
    operand = read_float(activation_code, FP16)
    return _with_significand(operand, shift_and_add(operand.significand, weight_code, signed=True))


def _int8(activation_code: int, weight_code: int) -> Fraction:
    check_code(weight_code, 8, "int8")
    operand = read_float(activation_code, FP16)
    return _with_significand(operand, two_passes(operand.significand, weight_code))


def _worst_case_bits(group_size: int, weight_format: str) -> int:
    largest = _LARGEST_WEIGHT[weight_format] * LARGEST_FP16 * group_size
    return signed_bits(-largest, largest)


def _accumulation(bits: int) -> tuple[Part, ...]:
    return (ALIGN, *integer_accumulation(bits))


def _dequantize_parts(group_size: int) -> DequantizationParts:
    sum_bits = _worst_case_bits(group_size, "uint4") + 1
    activation_bits = signed_bits(-LARGEST_FP16 * group_size, LARGEST_FP16 * group_size)
    return DequantizationParts(
        scale=(integer_to_fp32(sum_bits), FP32_MULTIPLY, FP32_ADD, Register(bits=FP32_BITS)),
        zero_point=(IntegerMultiply(a_bits=4, b_bits=activation_bits), IntegerAdd(bits=sum_bits)),
        activation_sum=(left_shift(11, 30), IntegerAdd(bits=activation_bits), Register(bits=activation_bits)),
    )


CIRCUITS = ("fixed_point", "fp32")
"""The exact accumulator of this PE's definition, and beside it one that rounds to fp32 after every addition."""


PE = ProcessingElement(
    name="mixpe_w4a16",
    description="uint4 x fp16 by shift and add of significands, exact fixed-point group accumulator",
    source="MixPE, arXiv 2411.16158; the accumulator is a choice of this project",
    activation_format="fp16",
    weight_format="uint4",
    products={("fp16", "uint4"): _unsigned, ("fp16", "int4"): _signed, ("fp16", "int8"): _int8},
    products_per_cycle={(16, 4): 1, (16, 8): Fraction(1, 2)},
    product_bits=15,
    least_accumulator_bits=_worst_case_bits(1, "uint4"),
    worst_case_bits=_worst_case_bits,
    register_bits=20,
    multiplier=(BitwiseAnd(bits=44), IntegerAdd(bits=12), IntegerAdd(bits=12), IntegerAdd(bits=13)),
    accumulation=_accumulation,
    dequantization=Dequantization.AFTER_GROUP,
    dequantize_parts=_dequantize_parts,
    signals=(
        Signal(name="significand", bits=11, worst_case="hidden bit and ten of mantissa: 2047"),
        Signal(name="sum of two addends", bits=13, worst_case="3 x 2047 = 6,141 of m and m << 1"),
        Signal(name="product", bits=15, worst_case="15 x 2047 = 30,705, the sign beside it"),
        Signal(name="placed product", bits=45, worst_case="15 x 65,504 in units of 2^-24, and a sign"),
    ),
)


def circuit(variant: str = CIRCUITS[0], *, group_size: int = 128, weight_signed: int = 0) -> Circuit:
    """Return the circuit for uint4 weights, or for int4 where they are signed.

    Args:
        variant: which accumulator.
        group_size: products per sum, which sets the width of the fixed-point accumulator.
        weight_signed: 1 for int4 weights, 0 for uint4.
    """
    weight_format = integer_format(bits=4, signed=read_flag("weight_signed", weight_signed))
    name = PE.name if variant == CIRCUITS[0] else f"{PE.name}_{variant}"
    if variant == "fp32":
        return float_mac(
            name=name, variant=variant, source=PE.source, activation_format=FP16, weight_format=weight_format
        )
    return fixed_point_mac(
        name=name,
        variant=variant,
        source=PE.source,
        activation_format=FP16,
        weight_format=weight_format,
        sum_bits=PE.group_accumulator_bits(group_size, weight_format.name),
        parameters={"group_size": group_size, "weight_signed": weight_signed},
    )
