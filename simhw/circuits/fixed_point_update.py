"""An exact product of a float and an integer, shifted by its exponent and added to a fixed-point sum.

The product of significand and weight is formed in carry-save form, in two's complement where the weight is signed, and
shifted by the activation's exponent. The activation's sign then inverts it on its way into the accumulator's adder,
whose carry input takes the one that completes the negation.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Value

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.fixed_point_mac import FLAGS
from simhw.circuits.floating import unpack
from simhw.circuits.mac import Update, kept
from simhw.circuits.partial_products import add_and_products
from simhw.circuits.shifting import named, shift_left_growing
from simhw.formats.floating import FloatFormat


def shift_into_sum(fmt: FloatFormat, *, weight_signed: bool, sum_bits: int) -> Update:
    """Return the maker of product, shifter and adder; two flags of the total stand above ``sum_bits`` of sum."""

    def update(module: Module, activation: Value, weight: Value, first: Value, total: Value) -> Value:
        fields = unpack(module, activation, fmt, "activation")
        special = named(module, "special", fields.infinite | fields.nan)
        gated = named(module, "gated_weight", weight & (~special).replicate(len(weight)))
        heap = BitHeap(module, len(fields.significand) + len(weight), "product")
        add_and_products(heap, fields.significand, gated, multiplicand_signed=False, multiplier_signed=weight_signed)
        # Exponents count from 1: the lowest place of what was shifted is always 0 and falls away.
        largest = (1 << fmt.exponent_bits) - 2
        product = heap.sum()
        sign = product[-1] if weight_signed else Const(0, 1)
        shifted = shift_left_growing(module, product, fields.exponent, largest, "aligned", sign)[1:]
        old = named(module, "old", kept(total, first))
        extended = Cat(shifted, sign.replicate(sum_bits - len(shifted)))
        addend = extended ^ fields.sign.replicate(sum_bits)
        both = Cat(fields.sign, old[:sum_bits]) + Cat(fields.sign, addend)
        weight_sign = weight[-1] if weight_signed else Const(0, 1)
        negative = fields.sign ^ weight_sign
        undefined = fields.nan | ~weight.any()
        flags = Cat(special & (undefined | ~negative), special & (undefined | negative))
        return Cat(both[1 : sum_bits + 1], old[sum_bits : sum_bits + FLAGS] | flags)

    return update
