"""A lane of an MXFP6 block dot product: E3M2 and E2M3 in any pairing, summed exactly within a block of 32.

The multiplier covers both formats: significands of 4 bits (E2M3), exponents of 3 (E3M2). E3M2 products are multiples
of 2^-8 up to 28 x 28 and set the width: 32 of them need 24 bits. E2M3 products, multiples of 2^-6 up to 7.5 x 7.5,
would need 18. See ``mx_dot`` for what all block dot products share.
"""

from __future__ import annotations

from simhw.costs import FloatMultiply
from simhw.pes.base import Signal
from simhw.pes.mx_dot import FP6, block_dot

PE = block_dot(
    name="mxfp6_dot",
    description="E3M2 or E2M3 block dot product, exact within 32 elements, one scale per block",
    pairs=FP6,
    product_bits=8,
    multiplier=(FloatMultiply(exponent_bits=3, significand_bits=4),),
    positions=13,
    signals=(
        Signal(name="significand", bits=4, worst_case="E2M3: hidden bit and three of mantissa, 15"),
        Signal(name="exponent sum", bits=4, worst_case="E3M2: 7 + 7 = 14"),
        Signal(name="product", bits=8, worst_case="E2M3: 15 x 15 = 225, the sign beside it"),
        Signal(name="placed product", bits=19, worst_case="28 x 28 in units of 2^-8, and a sign"),
    ),
)
