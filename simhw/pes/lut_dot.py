"""LUT dot product: sums of four activations in a table, looked up by one bit of four weights per cycle.

Weights are read so that each bit stands for -1 or 1: a code u of b bits is the odd integer w = 2u - (2^b - 1), which is
the sum of 2^i c_i with c_i = 2 bit_i - 1 (formats ``odd2``, ``odd4``, ``odd8``). So

    sum over four k of w_k x_k  =  sum over i of 2^i T[c_i],    T[c] = c_0 x_0 + c_1 x_1 + c_2 x_2 + c_3 x_3

and one look-up per bit replaces four products: four products take b cycles. T[-c] = -T[c], so the table has 8 entries
for the patterns whose top bit is 1; another pattern is inverted, and its entry negated. An entry is at most
4 x 128 = 512. The looked-up sums are shifted by the place of their bit and added.

An asymmetric weight s (u - z) is s / 2 (w - (2z - 15)): half the scale, and an odd zero point, which the dequantizer
subtracts times the sum of activations, as in ``mixpe_w4a8``. Signed int8 operands (keys and values) are read with their
top bit inverted: u = q + 128, w = 2q + 1, zero point 1.

The table is made once for four activations and serves a row of 32 PEs, which share its registers and its twelve
adders (sum and difference of either pair, then eight sums of two of these). A PE has a multiplexer, a negation (one row
of gates, the carry goes into the adder), a shifter and the accumulator. It registers one bit of four weights per cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from simhw.costs import BitwiseAnd, IntegerAdd, Part, Register, Shared, Shift
from simhw.formats.coded import ODD2, ODD4, ODD8
from simhw.pes.base import Dequantization, DequantizationParts, ProcessingElement, Product, Signal, signed_bits
from simhw.pes.operands import check_code, signed_integer
from simhw.pes.structure import integer_accumulation, left_shift, scale_group_with_zero_point

LANES = 4
"""Activations of a table."""
ENTRY_BITS = signed_bits(-LANES * 128, LANES * 128)
_SHARING = 32
_WEIGHTS = {fmt.name: fmt.bits for fmt in (ODD4, ODD2, ODD8)}


def make_table(activations: Sequence[int]) -> list[int]:
    """Return the 8 sums of four activations with signs whose last one is positive; bit j of an index is sign j."""
    return [
        sum(x if index >> j & 1 else -x for j, x in enumerate(activations[:3])) + activations[3] for index in range(8)
    ]


def look_up(table: Sequence[int], pattern: int) -> int:
    """Return the sum for four weight bits; where the top one is 0, the negated sum of the inverted pattern."""
    return table[pattern & 7] if pattern >> 3 else -table[~pattern & 7]


def dot(activations: Sequence[int], weight_codes: Sequence[int], bits: int) -> int:
    """Return the sum of four products of int8 activations with odd weights, one look-up per bit of the weights."""
    table = make_table(activations)
    patterns = (sum((code >> place & 1) << j for j, code in enumerate(weight_codes)) for place in range(bits))
    return sum(look_up(table, pattern) << place for place, pattern in enumerate(patterns))


def _pairing(name: str) -> Product:
    bits = _WEIGHTS[name]

    def product(activation_code: int, weight_code: int) -> Fraction:
        check_code(weight_code, bits, name)
        return Fraction(dot([signed_integer(activation_code, 8), 0, 0, 0], [weight_code, 0, 0, 0], bits))

    return product


def _worst_case_bits(group_size: int, weight_format: str) -> int:
    largest = 128 * ((1 << _WEIGHTS[weight_format]) - 1) * group_size
    return signed_bits(-largest, largest)


def _accumulation(bits: int) -> tuple[Part, ...]:
    return (left_shift(ENTRY_BITS, 8), *integer_accumulation(bits))


def _dequantize_parts(group_size: int) -> DequantizationParts:
    sum_bits = _worst_case_bits(group_size, ODD4.name) + 1  # less an independent zero-point term
    return scale_group_with_zero_point(sum_bits=sum_bits, zero_bits=5, group_size=group_size)


PE = ProcessingElement(
    name="lut_dot",
    description="table of the signed sums of 4 int8 activations, looked up by one bit of 4 weights per cycle",
    source="Z. Mo et al., LUT Tensor Core, ISCA 2025, arXiv 2408.06003",
    activation_format="int8",
    weight_format=ODD4.name,
    products={("int8", name): _pairing(name) for name in _WEIGHTS},
    products_per_cycle={(8, bits): Fraction(LANES, bits) for bits in _WEIGHTS.values()},
    activation_stays=True,
    product_bits=12,
    least_accumulator_bits=12,
    worst_case_bits=_worst_case_bits,
    register_bits=LANES,
    multiplier=(
        Shift(bits=ENTRY_BITS, positions=8),
        BitwiseAnd(bits=ENTRY_BITS),
        Shared(part=Register(bits=LANES * 8 + 8 * ENTRY_BITS), lanes=_SHARING),
        *(Shared(part=IntegerAdd(bits=bits), lanes=_SHARING) for bits in (9, 9, 9, 9, *(ENTRY_BITS,) * 8)),
    ),
    accumulation=_accumulation,
    dequantization=Dequantization.AFTER_GROUP,
    dequantize_parts=_dequantize_parts,
    signals=(
        Signal(name="weight bits", bits=LANES, worst_case="one bit of each of four weights per cycle"),
        Signal(name="table entry", bits=ENTRY_BITS, worst_case="-(-128) four times = 512, one above 10 bits"),
        Signal(name="shifted entry", bits=ENTRY_BITS + 7, worst_case="512 at place 7 of an 8-bit operand"),
        Signal(name="product", bits=12, worst_case="-15 x -128 = 1,920, and a sign"),
    ),
)
