"""bfloat16 multiply-accumulate with an fp32 accumulator."""

from __future__ import annotations

from fractions import Fraction

from simhw.circuits.base import Circuit
from simhw.circuits.float_mac import float_mac
from simhw.costs import FloatMultiply
from simhw.formats.catalog import BF16
from simhw.pes.base import Dequantization, ProcessingElement, Signal
from simhw.pes.operands import multiply_floats, read_float
from simhw.pes.structure import FP32_BITS, fp32_accumulation, no_dequantization


def product(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product of two codes."""
    return multiply_floats(read_float(activation_code, BF16), read_float(weight_code, BF16))


CIRCUITS = ("one_path",)
"""One fp32 adder with one path for near and far exponents."""


PE = ProcessingElement(
    name="bf16_mac",
    description="bfloat16 multiplier, fp32 accumulator",
    source="Kalamkar et al., A study of bfloat16 for deep learning training, arXiv 1905.12322",
    activation_format="bf16",
    weight_format="bf16",
    products={("bf16", "bf16"): product},
    products_per_cycle={(16, 16): 1},
    product_bits=16,
    fixed_accumulator_bits=FP32_BITS,
    least_accumulator_bits=FP32_BITS,
    worst_case_bits=lambda group_size, weight_format: FP32_BITS,  # noqa: ARG005
    register_bits=32,
    multiplier=(FloatMultiply(exponent_bits=8, significand_bits=8),),
    accumulation=fp32_accumulation,
    dequantization=Dequantization.NONE,
    dequantize_parts=no_dequantization,
    signals=(
        Signal(name="significand", bits=8, worst_case="hidden bit and seven of mantissa: 255"),
        Signal(name="exponent sum", bits=9, worst_case="254 + 254 = 508"),
        Signal(name="product", bits=16, worst_case="255 x 255 = 65,025, the sign beside it"),
    ),
)


def circuit(variant: str = CIRCUITS[0]) -> Circuit:
    """Return the circuit."""
    return float_mac(name=PE.name, variant=variant, source=PE.source, activation_format=BF16, weight_format=BF16)
