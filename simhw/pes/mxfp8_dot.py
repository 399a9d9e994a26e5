"""A lane of an MXFP8 block dot product: E4M3 products summed exactly within a block of 32, scaled once per block.

Products are multiples of 2^-18 (least subnormal 2^-9, squared) up to 448 x 448, so 32 of them fit 42 bits of fixed
point with sign. See ``mx_dot`` for what all block dot products share.
"""

from __future__ import annotations

from simhw.costs import FloatMultiply
from simhw.formats.catalog import E4M3
from simhw.pes.base import Signal
from simhw.pes.mx_dot import block_dot

EXPONENTS = 29
"""Sums of two effective exponents, each 1..15."""

PE = block_dot(
    name="mxfp8_dot",
    description="E4M3 block dot product, exact within 32 elements, one scale and one fp32 addition per block",
    pairs=((E4M3, E4M3),),
    product_bits=8,
    multiplier=(FloatMultiply(exponent_bits=4, significand_bits=4),),
    positions=EXPONENTS,
    signals=(
        Signal(name="significand", bits=4, worst_case="hidden bit and three of mantissa: 15"),
        Signal(name="exponent sum", bits=5, worst_case="15 + 15 = 30"),
        Signal(name="product", bits=8, worst_case="15 x 15 = 225, the sign beside it"),
        Signal(name="placed product", bits=37, worst_case="448 x 448 in units of 2^-18, and a sign"),
    ),
)
