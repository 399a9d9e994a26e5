"""Amaranth side of ``simhw.circuits.dequantize_to_fp16``: dequantizer and fp16 MAC in one module."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from simhw.circuits.float_product import multiply_significands, weight_magnitude
from simhw.circuits.float_round import assemble, normalise_and_round
from simhw.circuits.floating import unpack
from simhw.circuits.mac import Update
from simhw.circuits.shifting import named
from simhw.formats.catalog import FP16, FP32


class DequantizeToFp16(Component):  # type: ignore[misc]
    """The frame of ``Mac`` with a dequantizer to fp16 before the register of the weight.

    Args:
        weight_bits: width of weight and zero point.
        weight_signed: whether they are two's complement.
        update: makes the next total.
    """

    def __init__(self, *, weight_bits: int, weight_signed: bool, update: Update) -> None:
        self._signed = weight_signed
        self._update = update
        super().__init__(
            {
                "activation": In(FP16.bits),
                "weight": In(weight_bits),
                "scale": In(FP16.bits),
                "zero": In(weight_bits),
                "first": In(1),
                "enable": In(1),
                "activation_out": Out(FP16.bits),
                "weight_out": Out(FP16.bits),
                "total": Out(FP32.bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        activation, weight = (Signal(FP16.bits, name=f"{name}_q") for name in ("activation", "weight"))
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
        difference = named(module, "difference", (weight - zero).as_unsigned())
        negative, size = weight_magnitude(module, difference, weight_signed=True)
        scale = unpack(module, self.scale, FP16, "scale")
        # At most 15 in magnitude: the fifth bit of the difference is its sign alone.
        magnitude = multiply_significands(module, scale.significand, size[:-1], "dequantized")
        # The top bit of the magnitude stands four places above the scale's leading bit.
        below = named(module, "dequantized_below", scale.exponent + (len(size) - 1) - 1)
        finite, _ = normalise_and_round(module, magnitude, below, FP16, "dequantized")
        return assemble(
            module,
            finite,
            scale.sign ^ negative,
            FP16,
            "dequantized",
            infinite=scale.infinite,
            nan=scale.nan | (scale.infinite & ~size.any()),
            saturate=True,
        )
