"""A lane of an MXINT8 block dot product: int8 products summed exactly within a block of 32, scaled once per block.

Elements are two's-complement integers in units of 1/64. The code of -2 may be left unused, but the circuit takes it,
so a product has 16 bits as in ``int8_mac``, and 32 of them 21. See ``mx_dot`` for what all block dot products share.
"""

from __future__ import annotations

from simhw.costs import IntegerMultiply
from simhw.pes.base import Signal
from simhw.pes.mx_dot import INT8, block_dot

PE = block_dot(
    name="mxint8_dot",
    description="MXINT8 block dot product, exact within 32 elements, one scale and one fp32 addition per block",
    pairs=INT8,
    product_bits=16,
    multiplier=(IntegerMultiply(a_bits=8, b_bits=8),),
    positions=1,
    signals=(
        Signal(name="element", bits=8, worst_case="-128..127 in units of 1/64"),
        Signal(name="product", bits=16, worst_case="-128 x -128 = 16,384, one above 15 bits"),
    ),
)
