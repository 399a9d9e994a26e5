"""A lane of an FP8 tensor core: products aligned to the largest exponent of 32, added as integers,
normalised once.

Every product is shifted right to the largest exponent of the 32 lanes and cut off F fraction bits below it
(F = 13 on Ada and Hopper). A product of two significands is below 4, two bits before the point; the sum of
32 and of the accumulator takes six more, and a sign: 13 + 2 + 6 + 1 = 22 bits. Another F is F + 9
(Blackwell, F = 25: 34 bits). A lane has its multiplier, its comparison for the largest exponent, its
shifter and its adder of the tree; 32 lanes share normaliser, rounder and register.

FP6, FP4 and FNUZ operands, whose significands and exponents fit those of FP8, take the same lanes at the same rate,
as in Blackwell's kind f8f6f4 and, for FNUZ, in CDNA3.
"""

from __future__ import annotations

from simhw.costs import IntegerAdd, Part, Register, Shared, Shift
from simhw.formats.catalog import E4M3FNUZ, E5M2FNUZ
from simhw.pes.base import Dequantization, ProcessingElement, Signal
from simhw.pes.fp8_mac import MULTIPLIER, PRODUCTS
from simhw.pes.mx_dot import FP4, FP6, pairing
from simhw.pes.structure import FP32_BITS, integer_to_fp32, scale_fp32_output

FNUZ = tuple((a, w) for a in (E4M3FNUZ, E5M2FNUZ) for w in (E4M3FNUZ, E5M2FNUZ))
"""Pairings of CDNA3, whose codes have one more exponent in place of a minus zero."""
LANES = 32
"""Products that are added at once."""
BITS_OVER_FRACTION = 9
"""Sign, two bits of a product before the point, six of carry."""
HOPPER_BITS = 13 + BITS_OVER_FRACTION


def aligned_accumulation(bits: int) -> tuple[Part, ...]:
    """Return the parts of one lane's accumulation with ``bits`` wide sums."""
    window = max(2, bits - BITS_OVER_FRACTION + 2)
    return (
        IntegerAdd(bits=6),
        Shift(bits=window, positions=window + 1),
        IntegerAdd(bits=bits),
        Shared(part=integer_to_fp32(bits), lanes=LANES),
        Shared(part=IntegerAdd(bits=bits), lanes=LANES),
        Shared(part=Register(bits=FP32_BITS), lanes=LANES),
    )


PE = ProcessingElement(
    name="fp8_aligned",
    description="E4M3 or E5M2 products aligned to 13 fraction bits, 32 added at once (Hopper tensor core)",
    source="arithmetic of Hopper's tensor cores: MMA-Sim, arXiv 2511.10909; structure by this project",
    activation_format="e4m3",
    weight_format="e4m3",
    products=PRODUCTS | {(a.name, w.name): pairing(a, w) for a, w in (*FNUZ, *FP6, *FP4)},
    products_per_cycle={(8, 8): 1, (6, 6): 1, (4, 4): 1},
    product_bits=8,
    least_accumulator_bits=9,
    worst_case_bits=lambda group_size, weight_format: HOPPER_BITS,  # noqa: ARG005
    register_bits=16,
    multiplier=(MULTIPLIER,),
    accumulation=aligned_accumulation,
    dequantization=Dequantization.AFTER_ACCUMULATION,
    dequantize_parts=scale_fp32_output,
    signals=(
        Signal(name="significand", bits=4, worst_case="E4M3: hidden bit and three of mantissa, 15"),
        Signal(name="exponent sum", bits=6, worst_case="E5M2: 30 + 30 = 60"),
        Signal(name="product", bits=8, worst_case="15 x 15 = 225, the sign beside it"),
        Signal(name="aligned product", bits=15, worst_case="13 fraction bits and two before the point: below 4"),
        Signal(name="sum of 33", bits=22, worst_case="32 products below 4 and the accumulator: six carries, a sign"),
    ),
)
