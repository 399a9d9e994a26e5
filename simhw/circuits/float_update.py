"""What stands between operand registers and an fp32 total: multiplier and adder of floating-point PEs."""

from __future__ import annotations

from amaranth.hdl import Module, Value

from simhw.circuits.float_add import add_to_fp32
from simhw.circuits.float_product import float_product, weight_product
from simhw.circuits.floating import unpack
from simhw.circuits.mac import Update, kept
from simhw.formats.floating import FloatFormat


def multiply_floats(activation_format: FloatFormat, weight_format: FloatFormat) -> Update:
    """Return an exact product of two floating-point operands, added to the fp32 total with one rounding."""

    def update(module: Module, activation: Value, weight: Value, first: Value, total: Value) -> Value:
        left = unpack(module, activation, activation_format, "activation")
        right = unpack(module, weight, weight_format, "weight")
        term = float_product(module, left, right, (activation_format, weight_format))
        return add_to_fp32(module, kept(total, first), term)

    return update


def multiply_float_by_integer(activation_format: FloatFormat, *, weight_signed: bool) -> Update:
    """Return an exact product by shift and add of the significand, added to the fp32 total with one rounding."""

    def update(module: Module, activation: Value, weight: Value, first: Value, total: Value) -> Value:
        left = unpack(module, activation, activation_format, "activation")
        term = weight_product(module, left, weight, activation_format, weight_signed=weight_signed)
        return add_to_fp32(module, kept(total, first), term)

    return update
