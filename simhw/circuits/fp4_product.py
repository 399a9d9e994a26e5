"""E2M1 products as integers in units of 1/4: significands of two bits multiplied, then shifted by both exponents.

Twice an E2M1 value is its significand (0..3, in halves) shifted by 0, 1 or 2 places, so a product is one of 0, 1, 2, 3,
4, 6, 9 shifted by up to 4: a multiplier of four ANDs and two half adders in place of one for 4 x 4 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Value

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.float_product import multiply_significands
from simhw.circuits.shifting import named, shift_left_growing

PRODUCT_BITS = 8
"""Of the magnitude: 12 x 12 = 144."""
_LARGEST_SHIFT = 4


@dataclass(frozen=True, kw_only=True)
class QuarterProduct:
    """A product in units of 1/4, sign and magnitude."""

    sign: Value
    magnitude: Value


def multiply_e2m1(module: Module, activation: Value, weight: Value, name: str) -> QuarterProduct:
    """Return the exact product of two E2M1 codes."""
    left, left_places = _decode(module, activation, f"{name}_activation")
    right, right_places = _decode(module, weight, f"{name}_weight")
    significand = multiply_significands(module, left, right, f"{name}_significand")
    places = named(module, f"{name}_places", (left_places + right_places)[:3])
    return QuarterProduct(
        sign=named(module, f"{name}_sign", activation[-1] ^ weight[-1]),
        magnitude=shift_left_growing(module, significand, places, _LARGEST_SHIFT, f"{name}_shift"),
    )


def add_product(module: Module, heap: BitHeap, product: QuarterProduct, name: str) -> None:
    """Put a product into a heap: inverted where it is negative, with the missing one and a sign of its own weight."""
    heap.add_unsigned(named(module, f"{name}_signed", product.magnitude ^ product.sign.replicate(PRODUCT_BITS)))
    heap.add_bit(0, product.sign)
    heap.add_bit(PRODUCT_BITS, product.sign, negative=True)


def _decode(module: Module, code: Value, name: str) -> tuple[Value, Value]:
    """Return significand and shift; exponent fields 0 and 1 shift by no place, 2 by one, 3 by two."""
    mantissa, field = code[0], code[1:3]
    significand = named(module, f"{name}_significand", Cat(mantissa, field.any()))
    return significand, named(module, f"{name}_places", Cat(field[1] & ~field[0], field.all()))
