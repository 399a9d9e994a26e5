"""A lane of an MXFP8 block dot product: E4M3 products summed exactly within a block of 32, scaled once per
block.

Products are multiples of 2^-18 (least subnormal 2^-9, squared) up to 448 x 448, so 32 of them fit 42 bits
of fixed point with sign. At the end of a block the two E8M0 scales are added as exponents, the sum is
normalised and added to an fp32 sum. A lane has its multiplier, its shifter into fixed point and its adder
of the tree; 32 lanes share the scale unit and the registers.
"""

from __future__ import annotations

from simhw.costs import FloatMultiply, IntegerAdd, Part, Register, Shared
from simhw.formats.catalog import E4M3
from simhw.pes.base import Dequantization, DequantizationParts, Dequantizers, ProcessingElement, signed_bits
from simhw.pes.fp8_mac import PRODUCTS
from simhw.pes.structure import FP32_ADD, FP32_BITS, integer_to_fp32, left_shift

BLOCK = 32
"""Elements that share a scale in OCP MX v1.0."""
LARGEST_PRODUCT = 448 * 448 << 18
"""In units of 2^-18."""
EXPONENTS = 29
"""Sums of two effective exponents, each 1..15."""


def _worst_case_bits(group_size: int, weight_format: str) -> int:  # noqa: ARG001
    return signed_bits(-LARGEST_PRODUCT * group_size, LARGEST_PRODUCT * group_size)


def _accumulation(bits: int) -> tuple[Part, ...]:
    return (left_shift(8, EXPONENTS), IntegerAdd(bits=bits), Shared(part=Register(bits=bits), lanes=BLOCK))


def _dequantize_parts(group_size: int) -> DequantizationParts:
    normalise = integer_to_fp32(_worst_case_bits(group_size, E4M3.name))
    return DequantizationParts(scale=(IntegerAdd(bits=9), normalise, FP32_ADD, Register(bits=FP32_BITS)))


PE = ProcessingElement(
    name="mxfp8_dot",
    description="E4M3 block dot product, exact within 32 elements, one scale and one fp32 addition per block",
    source="OCP Microscaling Formats (MX) v1.0, section 6.2; exact accumulation within the block is a choice",
    activation_format=E4M3.name,
    weight_format=E4M3.name,
    products={("e4m3", "e4m3"): PRODUCTS["e4m3", "e4m3"]},
    products_per_cycle={(8, 8): 1},
    product_bits=8,
    least_accumulator_bits=_worst_case_bits(1, E4M3.name),
    worst_case_bits=_worst_case_bits,
    register_bits=16,
    multiplier=(FloatMultiply(exponent_bits=4, significand_bits=4),),
    accumulation=_accumulation,
    dequantization=Dequantization.AFTER_GROUP,
    dequantizers=Dequantizers.PER_BLOCK,
    dequantize_parts=_dequantize_parts,
    block_size=BLOCK,
)
