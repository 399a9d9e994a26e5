"""OliVe: outlier-victim pairs. A pair of 4-bit codes holds two int4 values, or an outlier and a pruned neighbour.

Normal values are int4 without -8. That code, 1000, is the identifier: it marks a victim, whose value is zero, and says
that the *other* code of the pair is an outlier, an abfloat of sign, two exponent bits and one mantissa bit,
(2 + m) << (e + 2), so 12..96; the first code of each sign would be 8, which a normal value reaches nearly, and stands
for zero. Where both codes are 1000 the second is read as an abfloat (it is zero); no encoder makes that pair.

So a lane takes from the pair decoder a 4-bit code and one bit that tells an outlier (format ``olive_lane``), and
expands it to a signed integer and a shift: -7..7 with shift 0, or 2..3 with shift 2..5. Products are products of the
integers, shifted by the sum of the shifts, as in ``ant_flint4``: at most 96 x 96 = 9,216. Pairs stay aligned in memory
(4 bits per value); decoders stand at the edge of the array, shared by 32 PEs.
"""

from __future__ import annotations

from fractions import Fraction

from simhw.costs import BitwiseAnd, IntegerAdd, IntegerMultiply, Part, Shared
from simhw.formats.coded import OLIVE_LANE, OUTLIER_SHIFT
from simhw.pes.base import Dequantization, ProcessingElement, Signal, signed_bits
from simhw.pes.operands import check_code, signed_integer
from simhw.pes.structure import integer_accumulation, left_shift, scale_int32_output

IDENTIFIER = 0b1000
"""Code of a victim."""
OUTLIER = 1 << 4
"""Bit of a lane's code that tells an outlier."""
LARGEST_PRODUCT = 96 * 96
_DECODER = Shared(part=BitwiseAnd(bits=16), lanes=32)


def decode_pair(first: int, second: int) -> tuple[int, int]:
    """Return the lane codes of a pair of stored codes: each with the bit that tells an outlier.

    >>> decode_pair(0b1000, 0b0011), decode_pair(0b0111, 0b1111)
    ((8, 19), (7, 15))
    """
    for code in (first, second):
        check_code(code, 4, "pair")
    if first == IDENTIFIER:
        return IDENTIFIER, OUTLIER | second
    if second == IDENTIFIER:
        return OUTLIER | first, IDENTIFIER
    return first, second


def decode_lane(code: int) -> tuple[int, int]:
    """Return the signed integer and the shift of a lane's code."""
    check_code(code, 5, OLIVE_LANE.name)
    if code == IDENTIFIER:
        return 0, 0
    if not code & OUTLIER:
        return signed_integer(code, 4), 0
    integer = 2 + (code & 1) if code & 7 else 0
    return (-integer if code & 8 else integer), (code >> 1 & 3) + OUTLIER_SHIFT


def product(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product of two lane codes."""
    (a, a_shift), (w, w_shift) = decode_lane(activation_code), decode_lane(weight_code)
    return Fraction((a * w) << (a_shift + w_shift))


def pair_product(activations: tuple[int, int], weights: tuple[int, int]) -> Fraction:
    """Return the sum of the two products of a pair of activations with a pair of weights, from stored codes."""
    lanes = zip(decode_pair(*activations), decode_pair(*weights), strict=True)
    return sum((product(a, w) for a, w in lanes), Fraction(0))


def _worst_case_bits(group_size: int, weight_format: str) -> int:  # noqa: ARG001
    return signed_bits(-LARGEST_PRODUCT * group_size, LARGEST_PRODUCT * group_size)


def _accumulation(bits: int) -> tuple[Part, ...]:
    return (left_shift(7, 11), *integer_accumulation(bits))


PE = ProcessingElement(
    name="olive_pair",
    description="outlier-victim pairs of int4 and abfloat as integer and shift, 4 x 4-bit multiplier, shifter",
    source="C. Guo et al., OliVe, ISCA 2023, arXiv 2304.07493; abfloat of bias 2, as for int4 normal values",
    activation_format=OLIVE_LANE.name,
    weight_format=OLIVE_LANE.name,
    products={(OLIVE_LANE.name, OLIVE_LANE.name): product},
    products_per_cycle={(4, 4): 1, (5, 5): 1},
    product_bits=15,
    least_accumulator_bits=15,
    worst_case_bits=_worst_case_bits,
    register_bits=2 * (4 + 3),
    multiplier=(_DECODER, _DECODER, IntegerMultiply(a_bits=4, b_bits=4), IntegerAdd(bits=4)),
    accumulation=_accumulation,
    dequantization=Dequantization.AFTER_ACCUMULATION,
    dequantize_parts=scale_int32_output,
    signals=(
        Signal(name="lane code", bits=5, worst_case="a stored code and whether it is an outlier"),
        Signal(name="integer", bits=4, worst_case="normal values -7..7 (outliers -3..3)"),
        Signal(name="shift", bits=3, worst_case="outlier 3 << 5 = 96"),
        Signal(name="product of integers", bits=7, worst_case="-7 x 7 = -49"),
        Signal(name="sum of shifts", bits=4, worst_case="5 + 5 = 10"),
        Signal(name="product", bits=15, worst_case="96 x 96 = 9,216, and a sign"),
    ),
)
