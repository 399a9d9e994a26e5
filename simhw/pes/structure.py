"""Structures that several PEs share: accumulators and the arithmetic behind them."""

from __future__ import annotations

from simhw.costs import FloatAdd, FloatMultiply, IntegerAdd, IntegerMultiply, Part, Register, Shift
from simhw.pes.base import DequantizationParts, signed_bits

FP32_ADD = FloatAdd(exponent_bits=8, significand_bits=24)
FP32_MULTIPLY = FloatMultiply(exponent_bits=8, significand_bits=24)
FP32_BITS = 32


def fp32_accumulation(bits: int) -> tuple[Part, ...]:
    """Return an fp32 adder with its register; the width is always 32."""
    return (FP32_ADD, Register(bits=bits))


def integer_accumulation(bits: int) -> tuple[Part, ...]:
    """Return an integer adder with its register."""
    return (IntegerAdd(bits=bits), Register(bits=bits))


def integer_to_fp32(bits: int) -> Shift:
    """Return the normaliser that turns an integer sum of ``bits`` into fp32 (any of ``bits`` distances)."""
    return Shift(bits=bits, positions=bits)


def left_shift(bits: int, positions: int) -> Shift:
    """Return a left shifter whose ``bits`` wide input keeps all its bits.

    Stage s moves by 2^s, small distances first, so stage s is ``bits`` + 2^(s+1) - 1 wide. The part that
    stands for it has as many stages and their mean width, rounded up.
    """
    stages = (positions - 1).bit_length()
    multiplexers = sum(bits + (1 << (stage + 1)) - 1 for stage in range(stages))
    return Shift(bits=-(-multiplexers // stages), positions=positions)


def scale_group_with_zero_point(*, sum_bits: int, zero_bits: int, group_size: int) -> DequantizationParts:
    """Return the parts that scale sums of int8 activations times weights with a zero point, each to fp32.

    Args:
        sum_bits: width of a group's sum less the zero point's share.
        zero_bits: width of a zero point.
        group_size: products of a group, which sets the width of the sum of its activations.
    """
    activation_bits = signed_bits(-128 * group_size, 127 * group_size)
    return DequantizationParts(
        scale=(integer_to_fp32(sum_bits), FP32_MULTIPLY, FP32_ADD, Register(bits=FP32_BITS)),
        zero_point=(IntegerMultiply(a_bits=zero_bits, b_bits=activation_bits), IntegerAdd(bits=sum_bits)),
        activation_sum=(IntegerAdd(bits=activation_bits), Register(bits=activation_bits)),
        output=(FP32_MULTIPLY,),
    )


def no_dequantization(group_size: int) -> DequantizationParts:  # noqa: ARG001
    """Return no parts: operands are numbers as they stand."""
    return DequantizationParts()


def scale_fp32_output(group_size: int) -> DequantizationParts:  # noqa: ARG001
    """Return two fp32 multipliers: a finished fp32 sum takes the scale of its token and of its channel."""
    return DequantizationParts(output=(FP32_MULTIPLY, FP32_MULTIPLY))


def scale_int32_output(group_size: int) -> DequantizationParts:  # noqa: ARG001
    """Return a converter from int32 to fp32 before the two multipliers of ``scale_fp32_output``."""
    return DequantizationParts(output=(integer_to_fp32(32), FP32_MULTIPLY, FP32_MULTIPLY))
