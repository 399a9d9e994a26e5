"""Amaranth side of ``simhw.circuits.dequantize_first``: the dequantizer in front of the int8 PE."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.dequantizing_mac import Dequantize
from simhw.circuits.partial_products import add_booth_products


def dequantize_to_int8(*, weight_signed: bool, fraction_bits: int, behavioural: bool) -> Dequantize:
    """Return the maker of (weight - zero) * scale, rounded and saturated.

    Args:
        weight_signed: whether weight and zero point are two's complement.
        fraction_bits: bits of the scale behind the point.
        behavioural: leave the multiplier to synthesis.
    """
    half = (1 << fraction_bits) >> 1

    def dequantize(module: Module, weight: Value, scale: Value, zero: Value) -> Value:
        weight, zero = (word.as_signed() if weight_signed else word for word in (weight, zero))
        difference = Signal(len(weight) + 1, name="difference")
        module.d.comb += difference.eq(weight - zero)
        width = len(difference) + len(scale)
        if behavioural:
            rounded = Signal(width, name="rounded")
            module.d.comb += rounded.eq(difference.as_signed() * scale.as_signed() + half)
        else:
            heap = BitHeap(module, width, name="dequantized")
            add_booth_products(
                module, heap, scale, difference, multiplicand_signed=True, multiplier_signed=True, name="difference"
            )
            heap.add_constant(half)
            rounded = heap.sum()
        return saturated(module, rounded[fraction_bits:], 8)

    return dequantize


def saturated(module: Module, value: Value, bits: int) -> Value:
    """Return a two's-complement word saturated to ``bits``: it fits if all bits from the sign down are alike."""
    if len(value) <= bits:
        return value.as_signed()
    result, fits = Signal(bits, name="saturated"), Signal(name="fits")
    upper, sign = value[bits - 1 :], value[-1]
    low = Mux(fits, value[: bits - 1], (~sign).replicate(bits - 1))
    module.d.comb += [fits.eq(upper.all() | ~upper.any()), result.eq(Cat(low, sign))]
    return result
