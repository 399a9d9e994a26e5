"""A lane of a block-scaled tensor core: products with their block's scales aligned to the largest exponent of 32.

The lane of ``fp8_aligned`` with F = 25 fraction bits, as Blackwell's kind mxf8f6f4 has it: the exponents of both
scales, one pair for the 32 elements of a block, are added once per block and join the exponent of every product. So
nothing is scaled behind the sum, and E5M2 x E5M2, whose exact block sum would need 70 bits, fits as well as any other.
"""

from __future__ import annotations

from simhw.costs import IntegerAdd
from simhw.formats.catalog import E4M3, E5M2
from simhw.pes.base import Dequantization, DequantizationParts, Dequantizers, ProcessingElement, Signal
from simhw.pes.fp8_aligned import BITS_OVER_FRACTION, LANES, aligned_accumulation
from simhw.pes.fp8_mac import MULTIPLIER
from simhw.pes.mx_dot import FP4, FP6, FP8, pairing

FRACTION_BITS = 25
BITS = FRACTION_BITS + BITS_OVER_FRACTION
SCALED_EXPONENT_BITS = 10
"""Sum of two scales' exponents (0..508) and of a product's."""

PE = ProcessingElement(
    name="mx_aligned",
    description="FP8, FP6 or FP4 products with block scales aligned to 25 fraction bits, 32 added at once (Blackwell)",
    source="arithmetic of Blackwell's tensor cores: MMA-Sim, arXiv 2511.10909; structure by this project",
    activation_format=E4M3.name,
    weight_format=E4M3.name,
    products={(a.name, w.name): pairing(a, w) for a, w in (*FP8, (E5M2, E5M2), *FP6, *FP4)},
    products_per_cycle={(8, 8): 1, (6, 6): 1, (4, 4): 1},
    product_bits=8,
    least_accumulator_bits=9,
    worst_case_bits=lambda group_size, weight_format: BITS,  # noqa: ARG005
    register_bits=16,
    multiplier=(MULTIPLIER,),
    accumulation=aligned_accumulation,
    dequantization=Dequantization.AFTER_GROUP,
    dequantizers=Dequantizers.PER_BLOCK,
    dequantize_parts=lambda group_size: DequantizationParts(scale=(IntegerAdd(bits=9),)),  # noqa: ARG005
    block_size=LANES,
    signals=(
        Signal(name="significand", bits=4, worst_case="E4M3: hidden bit and three of mantissa, 15"),
        Signal(
            name="scaled exponent", bits=SCALED_EXPONENT_BITS, worst_case="254 + 254 of the scales, 30 + 30 of E5M2"
        ),
        Signal(name="product", bits=8, worst_case="15 x 15 = 225, the sign beside it"),
        Signal(name="aligned product", bits=27, worst_case="25 fraction bits and two before the point: below 4"),
        Signal(name="sum of 33", bits=BITS, worst_case="32 products below 4 and the accumulator: six carries, a sign"),
    ),
)
