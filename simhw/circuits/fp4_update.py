"""What stands between operand registers and the integer total of the E2M1 PE."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Value

from simhw.circuits.fp4_product import multiply_e2m1
from simhw.circuits.mac import kept


def accumulate_quarters(module: Module, activation: Value, weight: Value, first: Value, total: Value) -> Value:
    """Return the total plus the product: inverted where it is negative, the missing one is the adder's carry."""
    product = multiply_e2m1(module, activation, weight, "product")
    width = len(total)
    bits = len(product.magnitude)
    addend = Cat(product.magnitude ^ product.sign.replicate(bits), product.sign.replicate(width - bits))
    both = Cat(product.sign, kept(total, first)) + Cat(product.sign, addend)
    return both[1 : width + 1]
