"""fp16 multiply-accumulate with an fp32 accumulator: the common reference of accelerators."""

from __future__ import annotations

from fractions import Fraction

from simhw.circuits.base import Circuit
from simhw.circuits.float_mac import float_mac
from simhw.costs import FloatMultiply
from simhw.formats.catalog import FP16
from simhw.pes.base import Dequantization, ProcessingElement, Signal
from simhw.pes.operands import multiply_floats, read_float
from simhw.pes.structure import FP32_BITS, fp32_accumulation, no_dequantization


def product(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product of two codes."""
    return multiply_floats(read_float(activation_code, FP16), read_float(weight_code, FP16))


CIRCUITS = ("one_path",)
"""One fp32 adder with one path for near and far exponents."""


PE = ProcessingElement(
    name="fp16_mac",
    description="fp16 multiplier, fp32 accumulator",
    source="IEEE 754-2019 binary16; fp32 accumulation as in Micikevicius et al., arXiv 1710.03740",
    activation_format="fp16",
    weight_format="fp16",
    products={("fp16", "fp16"): product},
    products_per_cycle={(16, 16): 1},
    product_bits=22,
    fixed_accumulator_bits=FP32_BITS,
    least_accumulator_bits=FP32_BITS,
    worst_case_bits=lambda group_size, weight_format: FP32_BITS,  # noqa: ARG005
    register_bits=32,
    multiplier=(FloatMultiply(exponent_bits=5, significand_bits=11),),
    accumulation=fp32_accumulation,
    dequantization=Dequantization.NONE,
    dequantize_parts=no_dequantization,
    signals=(
        Signal(name="significand", bits=11, worst_case="hidden bit and ten of mantissa: 2047"),
        Signal(name="exponent sum", bits=6, worst_case="30 + 30 = 60"),
        Signal(name="product", bits=22, worst_case="2047 x 2047 = 4,190,209, the sign beside it"),
    ),
)


def circuit(variant: str = CIRCUITS[0]) -> Circuit:
    """Return the circuit."""
    return float_mac(name=PE.name, variant=variant, source=PE.source, activation_format=FP16, weight_format=FP16)
