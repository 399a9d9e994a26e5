"""E2M1 products as integers in units of 1/4: a table of six bits in, eight out.

Twice an E2M1 value is 0, 1, 2, 3, 4, 6, 8 or 12, so only 18 different products other than 0 occur. Written as a table
and left to logic minimisation they take fewer gates than the structures that a designer would draw: a product of two
significands of two bits and a shifter, or a multiplier for 4 x 4 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal, Value

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.shifting import named
from simhw.formats import decode
from simhw.formats.catalog import E2M1

PRODUCT_BITS = 8
"""Of the magnitude: 12 x 12 = 144."""
_CODES = 8
"""Magnitude codes of an operand."""


@dataclass(frozen=True, kw_only=True)
class QuarterProduct:
    """A product in units of 1/4, sign and magnitude."""

    sign: Value
    magnitude: Value


def multiply_e2m1(module: Module, activation: Value, weight: Value, name: str) -> QuarterProduct:
    """Return the exact product of two E2M1 codes."""
    magnitude = Signal(PRODUCT_BITS, name=f"{name}_magnitude")
    doubled = [int(2 * value) for value in decode(range(_CODES), E2M1)]
    with module.Switch(Cat(activation[:-1], weight[:-1])):
        for low, left in enumerate(doubled):
            for high, right in enumerate(doubled):
                with module.Case(high * _CODES + low):
                    module.d.comb += magnitude.eq(left * right)
    return QuarterProduct(sign=named(module, f"{name}_sign", activation[-1] ^ weight[-1]), magnitude=magnitude)


def add_product(heap: BitHeap, product: QuarterProduct) -> None:
    """Put a product into a heap: inverted where it is negative, with the missing one and a sign of its own weight."""
    heap.add_unsigned(product.magnitude ^ product.sign.replicate(PRODUCT_BITS))
    heap.add_bit(0, product.sign)
    heap.add_bit(PRODUCT_BITS, product.sign, negative=True)
