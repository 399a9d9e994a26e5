"""Floating-point numbers as wires: unpacked from any format of the catalogue, or put together by a multiplier.

Exponents are in the bias of fp32 throughout: a significand of 24 bits with its top bit set and exponent E stands for
what fp32 writes with the exponent field E. Products of narrow formats lie well inside fp32's exponents, so no constant
is ever added to them twice; products of bf16 leave them on both sides, their exponents are signed.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Value

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.shifting import leading_zeros, named, shift_left
from simhw.formats.catalog import FP32
from simhw.formats.floating import FloatFormat, NanCodes

FP32_SIGNIFICAND = FP32.significand_bits
FP32_FIELD = FP32.exponent_bits


@dataclass(frozen=True, kw_only=True)
class Fields:
    """An unpacked operand: ``(-1)^sign x significand x 2^(exponent - bias - mantissa bits)`` unless it is special.

    Attributes:
        sign: 1 bit.
        exponent: the exponent field, subnormal numbers have that of the smallest normal ones.
        significand: mantissa with its leading bit, which is 0 for subnormal numbers.
        infinite: whether it is an infinity.
        nan: whether it is no number.
        zero: whether it is a zero.
    """

    sign: Value
    exponent: Value
    significand: Value
    infinite: Value
    nan: Value
    zero: Value


@dataclass(frozen=True, kw_only=True)
class Term:
    """What is added to an fp32 sum: a number with a normalised significand, or a special one.

    Attributes:
        sign: 1 bit.
        exponent: in the bias of fp32, signed or unsigned; at most 1 for a zero or for a number that is not normalised.
        significand: 24 bits, the top bit set unless zero (or unless the exponent is 1).
        infinite: whether it is an infinity.
        nan: whether it is no number.
    """

    sign: Value
    exponent: Value
    significand: Value
    infinite: Value
    nan: Value


def unpack(module: Module, code: Value, fmt: FloatFormat, name: str) -> Fields:
    """Return the fields of a code; which codes are special is the format's."""
    mantissa = code[: fmt.mantissa_bits]
    field = code[fmt.mantissa_bits : fmt.mantissa_bits + fmt.exponent_bits]
    sign = code[fmt.bits - 1] if fmt.is_signed else Const(0, 1)
    normal = named(module, f"{name}_normal", field.any())
    ones, empty = field.all(), ~mantissa.any()
    infinite: Value = Const(0, 1)
    nan: Value = Const(0, 1)
    match fmt.nan:
        case NanCodes.IEEE:
            infinite, nan = ones & empty, ones & ~empty
        case NanCodes.ALL_ONES:
            nan = ones & mantissa.all()
        case NanCodes.NEGATIVE_ZERO:
            nan = sign & ~normal & empty
    return Fields(
        sign=sign,
        exponent=named(module, f"{name}_exponent", Cat(field[0] | ~normal, field[1:])),
        significand=named(module, f"{name}_significand", Cat(mantissa, normal)),
        infinite=named(module, f"{name}_infinite", infinite),
        nan=named(module, f"{name}_nan", nan),
        zero=named(module, f"{name}_zero", ~normal & empty),
    )


def fp32_term(module: Module, code: Value, name: str) -> Term:
    """Return an fp32 code as a term; subnormal numbers stay as they are, with exponent 1."""
    fields = unpack(module, code, FP32, name)
    return Term(
        sign=fields.sign,
        exponent=fields.exponent,
        significand=fields.significand,
        infinite=fields.infinite,
        nan=fields.nan,
    )


def normalised_term(
    module: Module,
    *,
    sign: Value,
    magnitude: Value,
    exponents: tuple[Value, ...],
    offset: int,
    infinite: Value,
    nan: Value,
    name: str,
) -> Term:
    """Return an exact magnitude of at most 24 bits as a term.

    Args:
        module: takes the normaliser.
        sign: of the number.
        magnitude: unsigned integer, not normalised.
        exponents: unsigned words whose sum with ``offset`` is the exponent, in the bias of fp32, that a magnitude with
            its top bit set has.
        offset: a constant addend of the exponent.
        infinite: whether it is an infinity.
        nan: whether it is no number.
        name: prefix of signals.
    """
    zeros, none = leading_zeros(module, magnitude, name)
    shifted = shift_left(module, magnitude, zeros, name)
    lowest = offset - len(magnitude) + 1
    highest = offset + sum((1 << len(word)) - 1 for word in exponents)
    is_signed = lowest < 0
    width = max(highest.bit_length(), (-lowest - 1).bit_length() if is_signed else 0) + int(is_signed)
    heap = BitHeap(module, width, f"{name}_exponent")
    for word in exponents:
        heap.add_unsigned(word)
    for place in range(len(zeros)):
        heap.add_bit(place, zeros[place], negative=True)
    heap.add_constant(offset)
    # The exponent of a zero is the least, so that the sum is not shifted down to meet it.
    settled = named(module, f"{name}_settled", heap.sum() & (~none).replicate(width))
    return Term(
        sign=sign,
        exponent=settled.as_signed() if is_signed else settled,
        significand=Cat(Const(0, FP32_SIGNIFICAND - len(magnitude)), shifted),
        infinite=infinite,
        nan=nan,
    )
