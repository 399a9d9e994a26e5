"""E2M1 x E2M1 multiply-accumulate in exact fixed point.

An E2M1 value is half an integer of 0, 1, 2, 3, 4, 6, 8 or 12, so a product is a 4 x 4-bit integer product in units
of 1/4 with the signs xor-ed, at most 144: 9 bits with sign. Sums of such products are integers too; nothing is
rounded before the finished sum becomes fp32.
"""

from __future__ import annotations

from fractions import Fraction

from simhw.circuits.base import Circuit
from simhw.circuits.fp4_mac import fp4_mac
from simhw.costs import IntegerMultiply
from simhw.formats.catalog import E2M1
from simhw.pes.base import Dequantization, DequantizationParts, ProcessingElement, Signal, signed_bits
from simhw.pes.operands import read_float
from simhw.pes.structure import FP32_MULTIPLY, integer_accumulation, integer_to_fp32

LARGEST_PRODUCT = 144
"""6 x 6 in units of 1/4."""
MULTIPLIER = IntegerMultiply(a_bits=4, b_bits=4)
SIGNALS = (
    Signal(name="doubled activation", bits=5, worst_case="twice 6 is 12: four bits and a sign"),
    Signal(name="doubled weight", bits=5, worst_case="twice 6 is 12: four bits and a sign"),
    Signal(name="product", bits=9, worst_case="12 x 12 = 144 in units of 1/4, and a sign"),
)


def product(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product: both values doubled are integers, their product is in units of 1/4."""
    return Fraction(doubled(activation_code) * doubled(weight_code), 4)


def worst_case_bits(group_size: int, weight_format: str) -> int:  # noqa: ARG001
    """Return the width that holds any sum of ``group_size`` products in units of 1/4."""
    return signed_bits(-LARGEST_PRODUCT * group_size, LARGEST_PRODUCT * group_size)


def doubled(code: int) -> int:
    """Return twice the value of an E2M1 code: the decoder is a significand shifted by its exponent."""
    operand = read_float(code, E2M1)
    magnitude = operand.significand << (operand.exponent + 1)
    return -magnitude if operand.sign else magnitude


def _dequantize_parts(group_size: int) -> DequantizationParts:
    convert = integer_to_fp32(worst_case_bits(group_size, E2M1.name))
    return DequantizationParts(output=(convert, FP32_MULTIPLY, FP32_MULTIPLY))


CIRCUITS = ("shifted_significands",)
"""Significands are multiplied, then shifted by the sum of the exponents."""
COMMON_BITS = 24
"""Holds 58,254 of the largest products, more than any layer in use sums."""


PE = ProcessingElement(
    name="fp4_mac",
    description="E2M1 x E2M1 as a 4 x 4-bit integer product in units of 1/4, exact fixed-point accumulator",
    source="OCP Microscaling Formats (MX) v1.0, element format E2M1; the exact accumulator is a choice",
    activation_format=E2M1.name,
    weight_format=E2M1.name,
    products={(E2M1.name, E2M1.name): product},
    products_per_cycle={(4, 4): 1},
    product_bits=9,
    least_accumulator_bits=worst_case_bits(1, E2M1.name),
    worst_case_bits=worst_case_bits,
    register_bits=8,
    multiplier=(MULTIPLIER,),
    accumulation=integer_accumulation,
    dequantization=Dequantization.AFTER_ACCUMULATION,
    dequantize_parts=_dequantize_parts,
    signals=SIGNALS,
)


def circuit(variant: str = CIRCUITS[0], *, accumulator_bits: int = COMMON_BITS) -> Circuit:
    """Return the circuit.

    Raises:
        InputError: the accumulator cannot hold one product, or is wider than a port may be.
    """
    return fp4_mac(name=PE.name, variant=variant, source=PE.source, accumulator_bits=accumulator_bits)
