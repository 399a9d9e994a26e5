"""Exact products with floating-point operands, as terms of an fp32 sum.

Signs are xor-ed, exponents added, significands multiplied; nothing is rounded. A product of subnormal numbers has
leading zeros, which are shifted out: the adder behind wants a leading one.
"""

from __future__ import annotations

from amaranth.hdl import Module, Value

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.floating import Fields, Term, normalised_term
from simhw.circuits.partial_products import add_and_products
from simhw.circuits.shifting import named
from simhw.formats.catalog import FP32
from simhw.formats.floating import FloatFormat


def multiply_significands(module: Module, multiplicand: Value, multiplier: Value, name: str) -> Value:
    """Return the product of two unsigned words: rows of ANDs, full adders without carry propagation, one adder."""
    heap = BitHeap(module, len(multiplicand) + len(multiplier), name)
    add_and_products(heap, multiplicand, multiplier, multiplicand_signed=False, multiplier_signed=False)
    return heap.sum()


def float_product(
    module: Module, activation: Fields, weight: Fields, formats: tuple[FloatFormat, FloatFormat], name: str = "product"
) -> Term:
    """Return the exact product of two unpacked operands."""
    magnitude = multiply_significands(module, activation.significand, weight.significand, name)
    nan = (
        activation.nan | weight.nan | (activation.infinite & weight.zero) | (weight.infinite & activation.zero)
    )
    units = sum(fmt.bias + fmt.mantissa_bits for fmt in formats)
    return normalised_term(
        module,
        sign=named(module, f"{name}_sign", activation.sign ^ weight.sign),
        magnitude=magnitude,
        exponents=(activation.exponent, weight.exponent),
        offset=FP32.bias - units + len(magnitude) - 1,
        infinite=named(module, f"{name}_infinite", activation.infinite | weight.infinite),
        nan=named(module, f"{name}_nan", nan),
        name=name,
    )
