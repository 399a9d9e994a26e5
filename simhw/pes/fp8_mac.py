"""FP8 multiply-accumulate: exact product of two E4M3 or E5M2 operands (mixed too), fp32 accumulator.

The multiplier covers both formats: significands of 4 bits (E4M3), exponents of 5 (E5M2).
"""

from __future__ import annotations

from fractions import Fraction

from simhw.circuits.base import Circuit
from simhw.circuits.float_mac import float_mac
from simhw.costs import FloatMultiply
from simhw.formats.catalog import E4M3, E5M2
from simhw.formats.floating import FloatFormat
from simhw.pes.base import Dequantization, ProcessingElement, Product, Signal
from simhw.pes.operands import multiply_floats, read_float
from simhw.pes.structure import FP32_BITS, fp32_accumulation, scale_fp32_output


def _pairing(activation: FloatFormat, weight: FloatFormat) -> Product:
    def product(activation_code: int, weight_code: int) -> Fraction:
        return multiply_floats(read_float(activation_code, activation), read_float(weight_code, weight))

    return product


PRODUCTS = {(a.name, w.name): _pairing(a, w) for a in (E4M3, E5M2) for w in (E4M3, E5M2)}
"""Exact products of all four pairings."""
MULTIPLIER = FloatMultiply(exponent_bits=5, significand_bits=4)
_FORMATS = {
    "e4m3": (E4M3, E4M3),
    "e5m2": (E5M2, E5M2),
    "e4m3_e5m2": (E4M3, E5M2),
    "e5m2_e4m3": (E5M2, E4M3),
}
CIRCUITS = tuple(_FORMATS)
"""Formats of activation and weight; each is a circuit of its own, as narrow as they allow."""


PE = ProcessingElement(
    name="fp8_mac",
    description="E4M3 or E5M2 operands, exact product, fp32 accumulator",
    source="OCP 8-bit Floating Point Specification (OFP8) v1.0",
    activation_format="e4m3",
    weight_format="e4m3",
    products=PRODUCTS,
    products_per_cycle={(8, 8): 1},
    product_bits=8,
    fixed_accumulator_bits=FP32_BITS,
    least_accumulator_bits=FP32_BITS,
    worst_case_bits=lambda group_size, weight_format: FP32_BITS,  # noqa: ARG005
    register_bits=16,
    multiplier=(MULTIPLIER,),
    accumulation=fp32_accumulation,
    dequantization=Dequantization.AFTER_ACCUMULATION,
    dequantize_parts=scale_fp32_output,
    signals=(
        Signal(name="significand", bits=4, worst_case="E4M3: hidden bit and three of mantissa, 15"),
        Signal(name="exponent sum", bits=6, worst_case="E5M2: 30 + 30 = 60"),
        Signal(name="product", bits=8, worst_case="15 x 15 = 225, the sign beside it"),
    ),
)


def circuit(variant: str = CIRCUITS[0]) -> Circuit:
    """Return the circuit for one pairing of formats."""
    activation, weight = _FORMATS[variant]
    return float_mac(
        name=PE.name if variant == CIRCUITS[0] else f"{PE.name}_{variant}",
        variant=variant,
        source=PE.source,
        activation_format=activation,
        weight_format=weight,
    )
