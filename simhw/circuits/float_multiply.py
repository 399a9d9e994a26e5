"""Fixed point to fp32, and fp32 times fp32, each rounded once to nearest even.

Both results are fp32 codes, though nothing is stored between them: packing and unpacking again is wiring.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Value

from simhw.circuits.float_product import multiply_significands
from simhw.circuits.float_round import assemble, normalise_and_round, round_and_pack
from simhw.circuits.floating import unpack
from simhw.circuits.shifting import leading_zeros, named, shift_left, shift_right_sticky
from simhw.formats.catalog import FP32

_DENORMALISE = 5
"""Bits of the distance by which a result below the normal numbers is shifted down; 31 leaves only the sticky bit."""


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A finite fp32 number with a normalised significand (or zero), or a special one.

    Attributes:
        sign: 1 bit.
        exponent: signed, in the bias of fp32.
        significand: its top bit is set unless the factor is zero; it may have fewer bits than fp32.
        zero: whether it is a zero.
        infinite: whether it is an infinity.
        nan: whether it is no number.
    """

    sign: Value
    exponent: Value
    significand: Value
    zero: Value
    infinite: Value
    nan: Value


def fixed_to_factor(module: Module, value: Value, unit: int, name: str) -> Factor:
    """Return a two's-complement word in units of 2^``unit``, rounded to fp32 if it is wider than a significand.

    The units are coarse enough that no result is subnormal, and the word narrow enough that none overflows.
    """
    sign, bits = value[-1], len(value)
    magnitude = named(module, f"{name}_magnitude", ((value ^ sign.replicate(bits)) + sign)[:bits])
    top = FP32.bias + unit + bits - 1
    if bits <= FP32.significand_bits:
        zeros, none = leading_zeros(module, magnitude, name)
        shifted = shift_left(module, magnitude, zeros, f"{name}_normalise")
        exponent = named(module, f"{name}_exponent", (Const(top, FP32.exponent_bits) - zeros)[: FP32.exponent_bits])
    else:
        below = Const(top - 1, FP32.exponent_bits)
        finite, none = normalise_and_round(module, magnitude, below, FP32, name)
        shifted = Cat(finite[: FP32.mantissa_bits], ~none)
        exponent = finite[FP32.mantissa_bits :][: FP32.exponent_bits]
    return Factor(
        sign=sign,
        exponent=Cat(exponent, Const(0, 1)).as_signed(),
        significand=shifted,
        zero=none,
        infinite=Const(0, 1),
        nan=Const(0, 1),
    )


def fp32_factor(module: Module, code: Value, name: str) -> Factor:
    """Return an fp32 code, subnormal numbers normalised."""
    fields = unpack(module, code, FP32, name)
    zeros, _ = leading_zeros(module, fields.significand, name)
    exponent = fields.exponent - zeros
    return Factor(
        sign=fields.sign,
        exponent=named(module, f"{name}_lowered", exponent.as_unsigned()).as_signed(),
        significand=shift_left(module, fields.significand, zeros, f"{name}_normalise"),
        zero=fields.zero,
        infinite=fields.infinite,
        nan=fields.nan,
    )


def multiply_fp32(module: Module, left: Factor, right: Factor, name: str) -> Value:
    """Return the fp32 code of a product, rounded once; subnormal results, infinities and NaN as in IEEE 754."""
    product = multiply_significands(module, right.significand, left.significand, f"{name}_significand")
    # One place more than a significand and its guard bit, as the top bit may be 0; all below only tells inexact.
    width = FP32.significand_bits + 3
    head, tail = product[-width:], product[:-width].any()
    # Exponent field, less one, of a number whose top bit is that of the product.
    below = named(module, f"{name}_below", (left.exponent + right.exponent - FP32.bias).as_unsigned())
    negative = below[-1]
    distance = named(module, f"{name}_distance", (-below)[: len(below)])
    far = distance[_DENORMALISE:].any()
    places = (distance[:_DENORMALISE] | far.replicate(_DENORMALISE)) & negative.replicate(_DENORMALISE)
    moved, lost = shift_right_sticky(module, head, named(module, f"{name}_places", places), f"{name}_denormalise")
    leads = named(module, f"{name}_leads", moved[-1])
    up = named(module, f"{name}_up_one", ~leads & ~negative & below.any())
    whole = named(module, f"{name}_whole", Cat(tail | lost, moved))
    shifted = named(module, f"{name}_shifted", Mux(up, Cat(Const(0, 1), whole[:-1]), whole))
    zero = named(module, f"{name}_zero", left.zero | right.zero)
    field = named(module, f"{name}_field", (below - up)[: len(below)] & (~(negative | zero)).replicate(len(below)))
    finite = round_and_pack(module, shifted, field, FP32, name)
    infinite = named(module, f"{name}_infinite", left.infinite | right.infinite)
    return assemble(
        module,
        finite,
        left.sign ^ right.sign,
        FP32,
        name,
        infinite=infinite,
        nan=left.nan | right.nan | (infinite & zero),
    )
