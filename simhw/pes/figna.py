"""FIGNA: fp16 activations aligned beforehand to one exponent per chunk; integer multipliers and adders inside.

At the edge of the array the activations of a chunk (128 along k, as the weights' groups) are aligned to the largest
exponent among them: their significands become integers of one unit, and everything inside is integer. A mantissa has
a sign and 15 bits: 11 of the significand and 4 guard bits below it. What an alignment shifts out below the guard bits
is cut off (towards zero): an activation more than 4 binades below the largest of its chunk loses bits, and one 15
binades below becomes zero. The source does not state a width for fp16; it claims the accuracy of an fp32 unit, and
4 guard bits are what keeps the mantissa within 16 bits, an error below 2^-15 of the chunk's largest exponent (half a
place of fp16 at the largest activation is 2^-11). Truncation is the cheaper and the more common choice for aligners.

The aligner (an 11-bit significand into 15 bits, one of 16 distances) serves a row of 32 PEs, which share it. A second
operand of int8 (keys and values) takes two passes of nibbles, as in ``mixpe_w4a8``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from simhw.costs import IntegerAdd, IntegerMultiply, Register, Shared, Shift
from simhw.formats.catalog import FP16
from simhw.pes.base import Dequantization, DequantizationParts, ProcessingElement, Signal, signed_bits
from simhw.pes.operands import read_float, signed_integer
from simhw.pes.structure import FP32_ADD, FP32_BITS, FP32_MULTIPLY, integer_accumulation, integer_to_fp32

MANTISSA_BITS = 16
"""Sign and magnitude of an aligned activation."""
GUARD_BITS = MANTISSA_BITS - 1 - 11
LARGEST_MANTISSA = 2047 << GUARD_BITS
"""Of either sign: -32,768 never comes out of the aligner."""
_SHARING = 32
_HALF = {"int4": 8, "int8": 128}


def align(codes: Sequence[int]) -> tuple[list[int], int]:
    """Return the mantissas of a chunk of fp16 codes and the exponent of their unit: value is about mantissa 2^exponent.

    >>> align([0x3C00, 0x3800, 0xBC01, 0x0001])  # 1, 0.5, -1 - 2^-10, 2^-24
    ([16384, 8192, -16400, 0], -14)

    Raises:
        InputError: a code is out of range, or stands for NaN or infinity.
    """
    operands = [read_float(code, FP16) for code in codes]
    top = max(operand.exponent for operand in operands)
    mantissas = [(operand.significand << GUARD_BITS) >> (top - operand.exponent) for operand in operands]
    return [-m if o.sign else m for o, m in zip(operands, mantissas, strict=True)], top - GUARD_BITS


def product(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product of an aligned mantissa and an int4 weight."""
    return Fraction(signed_integer(activation_code, MANTISSA_BITS) * signed_integer(weight_code, 4))


def two_passes(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product of an aligned mantissa and an int8 operand: high nibble signed, low one unsigned."""
    mantissa, weight = signed_integer(activation_code, MANTISSA_BITS), signed_integer(weight_code, 8)
    return Fraction((mantissa * (weight >> 4) << 4) + mantissa * (weight & 0xF))


def _worst_case_bits(group_size: int, weight_format: str) -> int:
    largest = LARGEST_MANTISSA * _HALF[weight_format] * group_size
    return signed_bits(-largest, largest)


def _dequantize_parts(group_size: int) -> DequantizationParts:
    # The chunk's exponent is added while the group's scale is multiplied.
    convert = integer_to_fp32(_worst_case_bits(group_size, "int4"))
    return DequantizationParts(scale=(convert, IntegerAdd(bits=8), FP32_MULTIPLY, FP32_ADD, Register(bits=FP32_BITS)))


PE = ProcessingElement(
    name="figna",
    description="fp16 activations aligned to 16-bit mantissas per chunk, int4 weights, integer multiply and add",
    source="J. Jang et al., FIGNA, HPCA 2024; the width of the mantissa and truncation are choices of this project",
    activation_format="int16",
    weight_format="int4",
    products={("int16", "int4"): product, ("int16", "int8"): two_passes},
    products_per_cycle={(16, 4): 1, (16, 8): Fraction(1, 2)},
    product_bits=19,
    least_accumulator_bits=19,
    worst_case_bits=_worst_case_bits,
    register_bits=MANTISSA_BITS + 4,
    multiplier=(
        IntegerMultiply(a_bits=MANTISSA_BITS, b_bits=4),
        *(
            Shared(part=part, lanes=_SHARING)
            for part in (IntegerAdd(bits=5), IntegerAdd(bits=5), Shift(bits=MANTISSA_BITS - 1, positions=16))
        ),
    ),
    accumulation=integer_accumulation,
    dequantization=Dequantization.AFTER_GROUP,
    dequantize_parts=_dequantize_parts,
    signals=(
        Signal(name="exponent distance", bits=5, worst_case="from the largest fp16 exponent, 30, to the least, 1"),
        Signal(name="aligned mantissa", bits=16, worst_case="2047 << 4 = 32,752, and a sign"),
        Signal(name="product", bits=19, worst_case="-8 x -32,752 = 262,016, and a sign"),
    ),
)
