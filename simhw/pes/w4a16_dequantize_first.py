"""fp16 PE behind a dequantizer: uint4 group weights become fp16 before they enter the array.

The dequantizer at the head of each column subtracts the zero point (5 signed bits), normalises the
difference and multiplies by the group's fp16 scale, rounding to fp16; the PE itself is ``fp16_mac``.
"""

from __future__ import annotations

from simhw.circuits.base import Circuit, read_flag
from simhw.circuits.dequantize_to_fp16 import dequantize_to_fp16
from simhw.costs import FloatMultiply, IntegerAdd
from simhw.formats.families import integer_format
from simhw.pes.base import Dequantization, DequantizationParts, ProcessingElement, Signal
from simhw.pes.fp16_mac import product
from simhw.pes.structure import FP32_BITS, fp32_accumulation, integer_to_fp32

CIRCUITS = ("one_path",)
"""One fp32 adder with one path for near and far exponents."""
FP16_MULTIPLY = FloatMultiply(exponent_bits=5, significand_bits=11)


def _dequantize_parts(group_size: int) -> DequantizationParts:  # noqa: ARG001
    return DequantizationParts(weight=(IntegerAdd(bits=5), integer_to_fp32(5), FP16_MULTIPLY))


PE = ProcessingElement(
    name="w4a16_dequantize_first",
    description="uint4 weights dequantized to fp16 at the edge of the array, then an fp16 PE",
    source="weight-only quantization as in AWQ, arXiv 2306.00978",
    activation_format="fp16",
    weight_format="fp16",
    stored_weight_format="uint4",
    products={("fp16", "fp16"): product},
    products_per_cycle={(16, 4): 1, (16, 16): 1},
    product_bits=22,
    fixed_accumulator_bits=FP32_BITS,
    least_accumulator_bits=FP32_BITS,
    worst_case_bits=lambda group_size, weight_format: FP32_BITS,  # noqa: ARG005
    register_bits=32,
    multiplier=(FP16_MULTIPLY,),
    accumulation=fp32_accumulation,
    dequantization=Dequantization.BEFORE_MULTIPLY,
    dequantize_parts=_dequantize_parts,
    signals=(
        Signal(name="weight less zero point", bits=5, worst_case="0 - 15 = -15"),
        Signal(name="multiplier weight", bits=16, worst_case="fp16: scale times difference, rounded"),
        Signal(name="significand", bits=11, worst_case="hidden bit and ten of mantissa: 2047"),
        Signal(name="exponent sum", bits=6, worst_case="30 + 30 = 60"),
        Signal(name="product", bits=22, worst_case="2047 x 2047 = 4,190,209, the sign beside it"),
    ),
)


def circuit(variant: str = CIRCUITS[0], *, weight_signed: int = 0) -> Circuit:
    """Return the circuit: the dequantizer of a column and the fp16 PE behind it.

    Args:
        variant: the structure.
        weight_signed: 1 for int4 weights and zero points, 0 for uint4.
    """
    weight_format = integer_format(bits=4, signed=read_flag("weight_signed", weight_signed))
    return dequantize_to_fp16(name=PE.name, variant=variant, source=PE.source, weight_format=weight_format)
