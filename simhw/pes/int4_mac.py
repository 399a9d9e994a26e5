"""int4 x int4 multiply-accumulate with an integer accumulator as wide as its longest sum.

A product lies within -8 x 7 .. -8 x -8 = -56..64, which takes all 8 bits of a two's-complement product. The
accumulator is as wide as its sum needs (64 x 4096 products: 20 bits); 32 bits, as int8 has them by custom,
would cost more than the multiplier.
"""

from __future__ import annotations

from fractions import Fraction

from simhw.circuits.base import Circuit
from simhw.circuits.integer_mac import SIGNED_STRUCTURES, Integer, integer_mac
from simhw.costs import IntegerMultiply
from simhw.pes.base import Dequantization, ProcessingElement, Signal, signed_bits
from simhw.pes.operands import signed_integer
from simhw.pes.structure import integer_accumulation, scale_int32_output

CIRCUITS = tuple(SIGNED_STRUCTURES)

COMMON_BITS = 20
"""Of the circuit: sums of 4096 products, -229,376..262,144."""

LOWEST, HIGHEST = -8 * 7, -8 * -8
"""Ends of a product."""


def product(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product of two int4 codes."""
    return Fraction(signed_integer(activation_code, 4) * signed_integer(weight_code, 4))


def worst_case_bits(group_size: int, weight_format: str) -> int:  # noqa: ARG001
    """Return the width that holds any sum of ``group_size`` products."""
    return signed_bits(LOWEST * group_size, HIGHEST * group_size)


PE = ProcessingElement(
    name="int4_mac",
    description="int4 x int4 multiplier, integer accumulator",
    source="int4 matrix instructions as in NVIDIA's Turing architecture, 2018 (exact integer sums)",
    activation_format="int4",
    weight_format="int4",
    products={("int4", "int4"): product},
    products_per_cycle={(4, 4): 1},
    product_bits=8,
    least_accumulator_bits=8,
    worst_case_bits=worst_case_bits,
    register_bits=8,
    multiplier=(IntegerMultiply(a_bits=4, b_bits=4),),
    accumulation=integer_accumulation,
    dequantization=Dequantization.AFTER_ACCUMULATION,
    dequantize_parts=scale_int32_output,
    signals=(
        Signal(name="activation", bits=4, worst_case="-8..7"),
        Signal(name="weight", bits=4, worst_case="-8..7"),
        Signal(name="product", bits=8, worst_case="-8 x -8 = 64, one above the 63 of 7 bits"),
    ),
)


def circuit(variant: str = CIRCUITS[0], *, accumulator_bits: int = COMMON_BITS) -> Circuit:
    """Return the circuit in one of its variants, the same as those of ``int8_mac``.

    Raises:
        InputError: the accumulator cannot hold one product, or is wider than a port may be.
    """
    return integer_mac(
        name="int4_mac" if variant == CIRCUITS[0] else f"int4_mac_{variant}",
        variant=variant,
        source=PE.source,
        structure=SIGNED_STRUCTURES[variant],
        activation=Integer(bits=4, signed=True),
        weight=Integer(bits=4, signed=True),
        accumulator_bits=accumulator_bits,
    )
