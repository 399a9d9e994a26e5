"""fp32 multiply-accumulate: the reference in single precision. It takes tf32 operands as they are."""

from __future__ import annotations

from fractions import Fraction

from simhw.costs import FloatMultiply
from simhw.formats.catalog import FP32, TF32
from simhw.pes.base import Dequantization, ProcessingElement, Signal
from simhw.pes.operands import multiply_floats, read_float
from simhw.pes.structure import FP32_BITS, fp32_accumulation, no_dequantization


def product(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product of two codes."""
    return multiply_floats(read_float(activation_code, FP32), read_float(weight_code, FP32))


def product_of_tf32(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product of two 19-bit codes."""
    return multiply_floats(read_float(activation_code, TF32), read_float(weight_code, TF32))


PE = ProcessingElement(
    name="fp32_mac",
    description="fp32 multiplier and fp32 adder",
    source="IEEE 754-2019",
    activation_format="fp32",
    weight_format="fp32",
    products={("fp32", "fp32"): product, ("tf32", "tf32"): product_of_tf32},
    products_per_cycle={(32, 32): 1, (19, 19): 1},
    product_bits=48,
    fixed_accumulator_bits=FP32_BITS,
    least_accumulator_bits=FP32_BITS,
    worst_case_bits=lambda group_size, weight_format: FP32_BITS,  # noqa: ARG005
    register_bits=64,
    multiplier=(FloatMultiply(exponent_bits=8, significand_bits=24),),
    accumulation=fp32_accumulation,
    dequantization=Dequantization.NONE,
    dequantize_parts=no_dequantization,
    signals=(
        Signal(name="significand", bits=24, worst_case="hidden bit and 23 of mantissa"),
        Signal(name="exponent sum", bits=9, worst_case="254 + 254 = 508"),
        Signal(name="product", bits=48, worst_case="(2^24 - 1)^2, the sign beside it; rounded with the sum"),
    ),
)
