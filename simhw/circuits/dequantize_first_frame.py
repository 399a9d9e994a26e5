"""Amaranth side of ``simhw.circuits.dequantize_first``: dequantizer and int8 MAC in one module."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.mac import Update
from simhw.circuits.partial_products import add_booth_products


class DequantizeFirst(Component):  # type: ignore[misc]
    """The frame of ``Mac`` with a dequantizer before the register of the weight.

    Args:
        weight_bits: width of weight and zero point.
        weight_signed: whether they are two's complement.
        fraction_bits: bits of the scale behind the point.
        behavioural: leave the dequantizer's multiplier to synthesis.
        total_bits: width of the accumulator.
        update: makes the next total.
    """

    def __init__(
        self,
        *,
        weight_bits: int,
        weight_signed: bool,
        fraction_bits: int,
        behavioural: bool,
        total_bits: int,
        update: Update,
    ) -> None:
        self._signed = weight_signed
        self._fraction_bits = fraction_bits
        self._behavioural = behavioural
        self._update = update
        super().__init__(
            {
                "activation": In(8),
                "weight": In(weight_bits),
                "scale": In(8),
                "zero": In(weight_bits),
                "first": In(1),
                "enable": In(1),
                "activation_out": Out(8),
                "weight_out": Out(8),
                "total": Out(total_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        activation, weight = Signal(8, name="activation_q"), Signal(8, name="weight_q")
        first, enable = Signal(name="first_q"), Signal(name="enable_q")
        module.d.sync += [
            activation.eq(self.activation),
            weight.eq(self._dequantized(module)),
            first.eq(self.first),
            enable.eq(self.enable),
        ]
        module.d.comb += [self.activation_out.eq(activation), self.weight_out.eq(weight)]
        result = self._update(module, activation, weight, first, self.total)
        with module.If(enable):
            module.d.sync += self.total.eq(result)
        return module

    def _dequantized(self, module: Module) -> Value:
        weight, zero = (word.as_signed() if self._signed else word for word in (self.weight, self.zero))
        difference = Signal(len(self.weight) + 1, name="difference")
        module.d.comb += difference.eq(weight - zero)
        width = len(difference) + len(self.scale)
        half = (1 << self._fraction_bits) >> 1
        if self._behavioural:
            rounded = Signal(width, name="rounded")
            module.d.comb += rounded.eq(difference.as_signed() * self.scale.as_signed() + half)
        else:
            heap = BitHeap(module, width, name="dequantized")
            add_booth_products(
                module,
                heap,
                self.scale,
                difference,
                multiplicand_signed=True,
                multiplier_signed=True,
                name="difference",
            )
            heap.add_constant(half)
            rounded = heap.sum()
        return saturated(module, rounded[self._fraction_bits :], 8)


def saturated(module: Module, value: Value, bits: int) -> Value:
    """Return a two's-complement word saturated to ``bits``: it fits if all bits from the sign down are alike."""
    if len(value) <= bits:
        return value.as_signed()
    result, fits = Signal(bits, name="saturated"), Signal(name="fits")
    upper, sign = value[bits - 1 :], value[-1]
    low = Mux(fits, value[: bits - 1], (~sign).replicate(bits - 1))
    module.d.comb += [fits.eq(upper.all() | ~upper.any()), result.eq(Cat(low, sign))]
    return result
