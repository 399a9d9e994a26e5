"""A lane of an MXFP4 block dot product: E2M1 products summed exactly within a block of 32, scaled once per
block.

An E2M1 value is half an integer of 0, 1, 2, 3, 4, 6, 8 or 12, so a product is a 4 x 4-bit integer product
in units of 1/4, at most 144, and 32 of them fit 14 bits with sign. The scale unit is that of
``mxfp8_dot``.
"""

from __future__ import annotations

from simhw.circuits.base import Circuit
from simhw.circuits.block_dot import mxfp4_dot as block_dot
from simhw.costs import IntegerAdd, Part, Register, Shared
from simhw.formats.catalog import E2M1
from simhw.pes.base import Dequantization, DequantizationParts, Dequantizers, ProcessingElement
from simhw.pes.fp4_mac import MULTIPLIER, product, worst_case_bits
from simhw.pes.structure import FP32_ADD, FP32_BITS, integer_to_fp32

BLOCK = 32
"""Elements that share a scale in OCP MX v1.0."""


def _accumulation(bits: int) -> tuple[Part, ...]:
    return (IntegerAdd(bits=bits), Shared(part=Register(bits=bits), lanes=BLOCK))


def _dequantize_parts(group_size: int) -> DequantizationParts:
    normalise = integer_to_fp32(worst_case_bits(group_size, E2M1.name))
    return DequantizationParts(scale=(IntegerAdd(bits=9), normalise, FP32_ADD, Register(bits=FP32_BITS)))


CIRCUITS = ("bit_heap",)
"""All products of a block in one bit heap."""


PE = ProcessingElement(
    name="mxfp4_dot",
    description="E2M1 block dot product, exact within 32 elements, one scale and one fp32 addition per block",
    source="OCP Microscaling Formats (MX) v1.0, section 6.2; exact accumulation within the block is a choice",
    activation_format=E2M1.name,
    weight_format=E2M1.name,
    products={(E2M1.name, E2M1.name): product},
    products_per_cycle={(4, 4): 1},
    product_bits=9,
    least_accumulator_bits=worst_case_bits(1, E2M1.name),
    worst_case_bits=worst_case_bits,
    register_bits=8,
    multiplier=(MULTIPLIER,),
    accumulation=_accumulation,
    dequantization=Dequantization.AFTER_GROUP,
    dequantizers=Dequantizers.PER_BLOCK,
    dequantize_parts=_dequantize_parts,
    block_size=BLOCK,
)


def circuit(variant: str = CIRCUITS[0], *, lanes: int = BLOCK) -> Circuit:
    """Return the circuit of one block per clock, all lanes side by side."""
    return block_dot(name=PE.name, variant=variant, source=PE.source, lanes=lanes)
