"""Bit Fusion: 16 bricks of 2 x 2 bits that fuse to multipliers of 2, 4 or 8 bits, by the widths of both operands.

A brick multiplies two 2-bit slices. Each slice carries a bit that tells whether its top bit is a sign (the top
slice of a signed operand) or a magnitude bit, so a brick is a 3 x 3-bit signed multiplier: -2..3 times -2..3 is
-6..9, 5 bits. An operand of b bits has b / 2 slices, a product of a x w bits takes (a / 2)(w / 2) bricks, whose
results are shifted by twice the places of their slices and added. So the 16 bricks of a unit make

    8 x 8: 1 product per cycle     8 x 4, 4 x 8: 2     4 x 4, 8 x 2, 2 x 8: 4     4 x 2, 2 x 4: 8     2 x 2: 16

all of which the unit adds to one sum: the fused products are neighbours along k. Operands of 16 bits are fused in
time: two slices of 8 bits in turn, the upper one shifted by 8 on its way to the accumulator, so 16 x 8 takes two
cycles and 16 x 16 four.

The operand registers hold 16 slices of each operand, 32 + 32 bits: with full throughput at every width, as the
source has them. (Where 8 x 8 is multiplied, 16 of the 64 bits move.)
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from simhw.circuits.base import Circuit
from simhw.circuits.fused_bricks import fused_bricks
from simhw.costs import IntegerAdd, IntegerMultiply
from simhw.pes.base import Dequantization, ProcessingElement, Product, Signal, signed_bits
from simhw.pes.operands import check_code
from simhw.pes.structure import integer_accumulation, scale_int32_output

CIRCUITS = ("adders",)

BRICKS = 16
"""Of a fusion unit."""
WIDTHS = (2, 4, 8, 16)


def slices(code: int, bits: int, *, signed: bool) -> list[int]:
    """Return the 2-bit slices of a code, the lowest first: 0..3, the top one -2..1 where the operand is signed.

    >>> slices(0b1001, 4, signed=True)
    [1, -2]
    """
    parts = [code >> place & 3 for place in range(0, bits, 2)]
    if signed and parts[-1] >= 2:
        parts[-1] -= 4
    return parts


def fuse(activation: Iterable[int], weight: Iterable[int]) -> int:
    """Return the product of two operands given by their slices: one brick for each pair, shifted and added."""
    rows = list(weight)
    return sum((x * y) << 2 * (i + j) for i, x in enumerate(activation) for j, y in enumerate(rows))


def _pairing(activation: str, weight: str) -> Product:
    (a_bits, a_signed), (w_bits, w_signed) = (
        (int(name.removeprefix("u").removeprefix("int")), not name.startswith("u")) for name in (activation, weight)
    )

    def product(activation_code: int, weight_code: int) -> Fraction:
        check_code(activation_code, a_bits, activation)
        check_code(weight_code, w_bits, weight)
        return Fraction(
            fuse(slices(activation_code, a_bits, signed=a_signed), slices(weight_code, w_bits, signed=w_signed))
        )

    return product


def _rate(activation_bits: int, weight_bits: int) -> int | Fraction:
    return Fraction(BRICKS * 4, activation_bits * weight_bits)


def _worst_case_bits(group_size: int, weight_format: str) -> int:
    """Return the width for a sum of products with the PE's own activations, int8."""
    bits = int(weight_format.removeprefix("u").removeprefix("int"))
    top = (1 << bits) - 1 if weight_format.startswith("u") else 1 << (bits - 1)
    lowest = -128 * (top if weight_format.startswith("u") else top - 1)
    highest = 127 * top if weight_format.startswith("u") else 128 * top
    return signed_bits(lowest * group_size, highest * group_size)


_FORMATS = tuple(f"{sign}int{bits}" for bits in WIDTHS for sign in ("", "u"))

PE = ProcessingElement(
    name="bitfusion",
    description="16 bricks of 2 x 2 bits, fused to products of 2, 4, 8 (and, in turns, 16) bits of either operand",
    source="H. Sharma et al., Bit Fusion, ISCA 2018, arXiv 1712.01507",
    activation_format="int8",
    weight_format="int8",
    products={(a, w): _pairing(a, w) for a in _FORMATS for w in _FORMATS},
    products_per_cycle={(a, w): _rate(a, w) for a in WIDTHS for w in WIDTHS},
    product_bits=17,
    least_accumulator_bits=16,
    worst_case_bits=_worst_case_bits,
    register_bits=64,
    multiplier=(
        *(IntegerMultiply(a_bits=3, b_bits=3),) * BRICKS,
        # Four bricks make a 4 x 4 product (places 0, 2, 2, 4), four of those an 8 x 8 one (places 0, 4, 4, 8).
        *(IntegerAdd(bits=7), IntegerAdd(bits=8), IntegerAdd(bits=9)) * 4,
        IntegerAdd(bits=13),
        IntegerAdd(bits=14),
        IntegerAdd(bits=17),
    ),
    accumulation=integer_accumulation,
    dequantization=Dequantization.AFTER_ACCUMULATION,
    dequantize_parts=scale_int32_output,
    signals=(
        Signal(name="slice", bits=3, worst_case="0..3 of a magnitude and -2..1 of a sign: -2..3"),
        Signal(name="brick product", bits=5, worst_case="-2 x 3 = -6 .. 3 x 3 = 9"),
        Signal(name="4 x 4 product", bits=9, worst_case="15 x 15 = 225 of unsigned operands, and a sign"),
        Signal(name="8 x 8 product", bits=17, worst_case="255 x 255 = 65,025 of unsigned operands, and a sign"),
    ),
)


def circuit(variant: str = CIRCUITS[0], *, accumulator_bits: int = 32) -> Circuit:
    """Return the circuit of a fusion unit for operands of 2, 4 and 8 bits, signed or unsigned, chosen as it runs."""
    return fused_bricks(name="bitfusion", variant=variant, source=PE.source, accumulator_bits=accumulator_bits)
