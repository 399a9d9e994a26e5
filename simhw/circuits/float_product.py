"""Exact products with floating-point operands, as terms of an fp32 sum.

Signs are xor-ed, exponents added, significands multiplied; nothing is rounded. A product of subnormal numbers has
leading zeros, which are shifted out: the adder behind wants a leading one.
"""

from __future__ import annotations

from amaranth.hdl import Const, Module, Value

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.floating import Fields, Term, normalised_term
from simhw.circuits.partial_products import add_and_products, add_booth_products
from simhw.circuits.shifting import named
from simhw.formats.catalog import FP32
from simhw.formats.floating import FloatFormat

_BOOTH_ROWS = 16
"""From so many rows on, recoding the multiplier takes less than the rows that it saves."""


def multiply_significands(module: Module, multiplicand: Value, multiplier: Value, name: str) -> Value:
    """Return the product of two unsigned words: rows of partial products, compressed to two, and one adder."""
    heap = BitHeap(module, len(multiplicand) + len(multiplier), name)
    if len(multiplier) < _BOOTH_ROWS:
        add_and_products(heap, multiplicand, multiplier, multiplicand_signed=False, multiplier_signed=False)
    else:
        add_booth_products(
            module, heap, multiplicand, multiplier, multiplicand_signed=False, multiplier_signed=False, name=name
        )
    return heap.sum()


def float_product(
    module: Module, activation: Fields, weight: Fields, formats: tuple[FloatFormat, FloatFormat], name: str = "product"
) -> Term:
    """Return the exact product of two unpacked operands."""
    magnitude = multiply_significands(module, activation.significand, weight.significand, name)
    nan = activation.nan | weight.nan | (activation.infinite & weight.zero) | (weight.infinite & activation.zero)
    return normalised_term(
        module,
        sign=named(module, f"{name}_sign", activation.sign ^ weight.sign),
        magnitude=magnitude,
        exponents=(activation.exponent, weight.exponent),
        offset=top_exponent(len(magnitude), *formats),
        infinite=named(module, f"{name}_infinite", activation.infinite | weight.infinite),
        nan=named(module, f"{name}_nan", nan),
        name=name,
    )


def weight_product(
    module: Module, activation: Fields, weight: Value, fmt: FloatFormat, *, weight_signed: bool, name: str = "product"
) -> Term:
    """Return the exact product of an unpacked activation and an integer weight, by shift and add of the significand."""
    negative, size = weight_magnitude(module, weight, weight_signed=weight_signed)
    magnitude = multiply_significands(module, activation.significand, size, name)
    return normalised_term(
        module,
        sign=named(module, f"{name}_sign", activation.sign ^ negative),
        magnitude=magnitude,
        exponents=(activation.exponent,),
        offset=top_exponent(len(magnitude), fmt),
        infinite=activation.infinite,
        nan=named(module, f"{name}_nan", activation.nan | (activation.infinite & ~weight.any())),
        name=name,
    )


def weight_magnitude(module: Module, weight: Value, *, weight_signed: bool) -> tuple[Value, Value]:
    """Return sign and magnitude of an integer weight; the magnitude is as wide as the weight (int4's -8 has 8)."""
    if not weight_signed:
        return Const(0, 1), weight
    negative = weight[-1]
    size = (weight ^ negative.replicate(len(weight))) + negative
    return negative, named(module, "weight_magnitude", size[: len(weight)])


def top_exponent(bits: int, *formats: FloatFormat) -> int:
    """Return what the operands' exponents need to become that of the top bit of a product of ``bits``, as in fp32."""
    return FP32.bias - sum(fmt.bias + fmt.mantissa_bits for fmt in formats) + bits - 1
