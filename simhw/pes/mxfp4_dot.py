"""A lane of an MXFP4 block dot product: E2M1 products summed exactly within a block of 32, scaled once per block.

The product is that of ``fp4_mac``, an integer of at most 144 in units of 1/4, so 32 of them fit 14 bits with sign.
See ``mx_dot`` for what all block dot products share.
"""

from __future__ import annotations

from simhw.circuits.base import Circuit
from simhw.circuits.block_dot import mxfp4_dot as block_circuit
from simhw.pes.fp4_mac import MULTIPLIER, SIGNALS
from simhw.pes.mx_dot import FP4, MX_BLOCK, block_dot

CIRCUITS = ("bit_heap",)
"""All products of a block in one bit heap."""

PE = block_dot(
    name="mxfp4_dot",
    description="E2M1 block dot product, exact within 32 elements, one scale and one fp32 addition per block",
    pairs=FP4,
    product_bits=9,
    multiplier=(MULTIPLIER,),
    positions=1,
    signals=SIGNALS,
)


def circuit(variant: str = CIRCUITS[0], *, lanes: int = MX_BLOCK) -> Circuit:
    """Return the circuit of one block per clock, all lanes side by side."""
    return block_circuit(name=PE.name, variant=variant, source=PE.source, lanes=lanes)
