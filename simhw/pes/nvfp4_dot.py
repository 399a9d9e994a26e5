"""A lane of an NVFP4 block dot product: E2M1 products summed exactly within a block of 16, scaled once per
block.

Elements and products are those of ``mxfp4_dot``; 16 products fit 13 bits with sign. The block scales are
E4M3: their 4-bit significands are multiplied with each other and with the sum, their exponents added; the
result is normalised and added to an fp32 sum. The tensors' own fp32 scales multiply the finished output.
"""

from __future__ import annotations

from simhw.circuits.base import Circuit
from simhw.circuits.block_dot import nvfp4_dot as block_dot
from simhw.costs import IntegerAdd, IntegerMultiply, Part, Register, Shared
from simhw.formats.catalog import E2M1
from simhw.pes.base import Dequantization, DequantizationParts, Dequantizers, ProcessingElement
from simhw.pes.fp4_mac import MULTIPLIER, product, worst_case_bits
from simhw.pes.structure import FP32_ADD, FP32_BITS, FP32_MULTIPLY, integer_to_fp32

BLOCK = 16
"""Elements that share a scale in NVFP4."""


def _accumulation(bits: int) -> tuple[Part, ...]:
    return (IntegerAdd(bits=bits), Shared(part=Register(bits=bits), lanes=BLOCK))


def _dequantize_parts(group_size: int) -> DequantizationParts:
    sum_bits = worst_case_bits(group_size, E2M1.name)
    return DequantizationParts(
        scale=(
            IntegerMultiply(a_bits=4, b_bits=4),
            IntegerMultiply(a_bits=sum_bits, b_bits=8),
            IntegerAdd(bits=5),
            integer_to_fp32(sum_bits + 8),
            FP32_ADD,
            Register(bits=FP32_BITS),
        ),
        output=(FP32_MULTIPLY,),
    )


CIRCUITS = ("bit_heap",)
"""All products of a block in one bit heap."""


PE = ProcessingElement(
    name="nvfp4_dot",
    description="E2M1 block dot product, exact within 16 elements, E4M3 scales, one fp32 addition per block",
    source="NVIDIA Blackwell NVFP4, E4M3 scale per 16 elements, fp32 per tensor; exact block sums by choice",
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
