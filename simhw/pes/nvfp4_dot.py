"""A lane of an NVFP4 block dot product: E2M1 products summed exactly within a block of 16, scaled once per block.

Elements and products are those of ``fp4_mac``; 16 products fit 13 bits with sign. The block scales are E4M3: their
4-bit significands are multiplied with each other and with the sum, their exponents added; the result is normalised
and added to an fp32 sum. The tensors' own fp32 scales multiply the finished output. See ``mx_dot`` for the rest.
"""

from __future__ import annotations

from simhw.circuits.base import Circuit
from simhw.circuits.block_dot import nvfp4_dot as block_circuit
from simhw.costs import IntegerAdd, IntegerMultiply, Part, Register
from simhw.pes.base import Signal
from simhw.pes.fp4_mac import MULTIPLIER, SIGNALS
from simhw.pes.mx_dot import FP4, block_dot
from simhw.pes.structure import FP32_ADD, FP32_BITS, FP32_MULTIPLY, integer_to_fp32

BLOCK = 16
"""Elements that share a scale in NVFP4."""


def _scale(sum_bits: int) -> tuple[Part, ...]:
    return (
        IntegerMultiply(a_bits=4, b_bits=4),
        IntegerMultiply(a_bits=sum_bits, b_bits=8),
        IntegerAdd(bits=5),
        integer_to_fp32(sum_bits + 8),
        FP32_ADD,
        Register(bits=FP32_BITS),
    )


CIRCUITS = ("bit_heap",)
"""All products of a block in one bit heap."""


PE = block_dot(
    name="nvfp4_dot",
    description="E2M1 block dot product, exact within 16 elements, E4M3 scales, one fp32 addition per block",
    source="NVIDIA Blackwell NVFP4, E4M3 scale per 16 elements, fp32 per tensor; exact block sums by choice",
    pairs=FP4,
    block=BLOCK,
    product_bits=9,
    multiplier=(MULTIPLIER,),
    positions=1,
    scale=_scale,
    output=(FP32_MULTIPLY,),
    signals=SIGNALS,
    signals_behind=(
        Signal(name="product of scale significands", bits=8, worst_case="15 x 15 = 225"),
        Signal(name="scaled block sum", bits=20, worst_case="16 x 144 x 225 = 518,400, and a sign"),
    ),
)


def circuit(variant: str = CIRCUITS[0], *, lanes: int = BLOCK) -> Circuit:
    """Return the circuit of one block per clock, all lanes side by side."""
    return block_circuit(name=PE.name, variant=variant, source=PE.source, lanes=lanes)
