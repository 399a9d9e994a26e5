"""Tender: channel groups whose scales are powers of two apart; between groups the accumulator shifts by one bit.

The channels (positions along k) of an activation are grouped by magnitude; group i of 8 has the scale s 2^i. An output
is s times the sum over groups of 2^i times the group's integer sum. The PE takes the group of the *largest* scale
first: at the first product of each following group the accumulator is shifted *left* by one bit, so

    total = ((S_7 2 + S_6) 2 + ... ) 2 + S_0

in units of the smallest scale. Nothing is truncated: a shift to the left is exact as long as the register holds the
sum, and a register that is too narrow wraps, which commutes with the shift (both are sums modulo 2^bits). So the sum
equals the plain sum of products with the activations shifted by their group (format ``int4_shifted``), in any order.
The shift is a row of multiplexers in front of the adder: it takes no cycle of its own. An empty group still shifts.

The register is as wide as a sum whose channels all lie in the group of the largest scale: 7 bits more than without
groups. The shift signal travels with the activation, one bit.

int8 operands are made of four int4 products (one signed or unsigned nibble of each), in four cycles here; the source
joins four PEs for them, which is as fast per PE.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from simhw.costs import IntegerMultiply, Part, Shift
from simhw.formats.coded import TENDER_GROUPS
from simhw.pes.base import Dequantization, ProcessingElement, Signal, signed_bits
from simhw.pes.operands import signed_integer
from simhw.pes.structure import integer_accumulation, scale_int32_output


def product(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product of two int4 codes."""
    return Fraction(signed_integer(activation_code, 4) * signed_integer(weight_code, 4))


def nibble_product(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product of two int8 codes from the products of their nibbles, the upper ones signed."""
    a, w = ((signed_integer(code, 8) >> 4, signed_integer(code, 8) & 0xF) for code in (activation_code, weight_code))
    return Fraction((a[0] * w[0] << 8) + (a[0] * w[1] + a[1] * w[0] << 4) + a[1] * w[1])


def shifted_sum(groups: Sequence[Sequence[int]], bits: int | None = None) -> int:
    """Return the accumulator after all products of all groups, the group of the largest scale first.

    Args:
        groups: the products of each group, in the order in which they are taken; every group but the first shifts.
        bits: width of a register that wraps; None: as wide as it must be.
    """
    total = 0
    for index, products in enumerate(groups):
        total = _wrap(total << bool(index), bits)
        for term in products:
            total = _wrap(total + term, bits)
    return total


def _wrap(total: int, bits: int | None) -> int:
    if bits is None:
        return total
    half = 1 << (bits - 1)
    return (total + half) % (2 * half) - half


def _worst_case_bits(group_size: int, weight_format: str) -> int:
    half = 128 if weight_format == "int8" else 8
    largest = half << TENDER_GROUPS - 1
    return signed_bits(-largest * (half - 1) * group_size, largest * half * group_size)


def _accumulation(bits: int) -> tuple[Part, ...]:
    return (Shift(bits=bits, positions=2), *integer_accumulation(bits))


PE = ProcessingElement(
    name="tender",
    description="int4 x int4, accumulator shifted left by one bit between channel groups of power-of-two scales",
    source="J. Lee et al., Tender, ISCA 2024, arXiv 2406.12930",
    activation_format="int4",
    weight_format="int4",
    products={("int4", "int4"): product, ("int8", "int8"): nibble_product},
    products_per_cycle={(4, 4): 1, (8, 8): Fraction(1, 4)},
    product_bits=9,
    least_accumulator_bits=9,
    worst_case_bits=_worst_case_bits,
    register_bits=4 + 4 + 1,
    multiplier=(IntegerMultiply(a_bits=5, b_bits=5),),
    accumulation=_accumulation,
    dequantization=Dequantization.AFTER_ACCUMULATION,
    dequantize_parts=scale_int32_output,
    signals=(
        Signal(name="nibble", bits=5, worst_case="signed -8..7 (int4), unsigned 0..15 (lower half of int8)"),
        Signal(name="product", bits=9, worst_case="15 x 15 = 225 of two unsigned nibbles, and a sign"),
        Signal(name="shift", bits=1, worst_case="whether a new group begins"),
    ),
)
