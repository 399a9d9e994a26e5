"""Amaranth: a PE whose weight is dequantized on its way into the register, and the dequantizer alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib.wiring import Component, In, Out

from simhw.circuits.mac import Update, registered

Dequantize = Callable[[Module, Value, Value, Value], Value]
"""``(module, weight, scale, zero)`` -> the weight's register: puts the dequantizer into the module."""


class DequantizingMac(Component):  # type: ignore[misc]
    """A frame with a dequantizer before the register of the weight.

    Args:
        operand_bits: width of the activation, of the scale and of the dequantized weight.
        weight_bits: width of weight and zero point.
        total_bits: width of the accumulator.
        dequantize: makes what the weight's register takes.
        update: makes the next total.
    """

    def __init__(
        self, *, operand_bits: int, weight_bits: int, total_bits: int, dequantize: Dequantize, update: Update
    ) -> None:
        self._bits = operand_bits
        self._dequantize = dequantize
        self._update = update
        super().__init__(
            {
                "activation": In(operand_bits),
                "weight": In(weight_bits),
                "scale": In(operand_bits),
                "zero": In(weight_bits),
                "first": In(1),
                "enable": In(1),
                "activation_out": Out(operand_bits),
                "weight_out": Out(operand_bits),
                "total": Out(total_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        dequantized = self._dequantize(module, self.weight, self.scale, self.zero)
        widths = {"activation": self._bits, "weight": self._bits, "first": 1, "enable": 1}
        held = registered(module, self, widths, weight=dequantized)
        activation, weight = held["activation"], held["weight"]
        module.d.comb += [self.activation_out.eq(activation), self.weight_out.eq(weight)]
        result = self._update(module, activation, weight, held["first"], self.total)
        with module.If(held["enable"]):
            module.d.sync += self.total.eq(result)
        return module


class ColumnHead(Component):  # type: ignore[misc]
    """A dequantizer without registers.

    Args:
        widths: of weight, scale and zero.
        bits: of the dequantized weight.
        dequantize: makes it.
    """

    def __init__(self, widths: Mapping[str, int], bits: int, dequantize: Dequantize) -> None:
        self._dequantize = dequantize
        super().__init__({**{name: In(width) for name, width in widths.items()}, "dequantized": Out(bits)})

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        module.d.comb += self.dequantized.eq(self._dequantize(module, self.weight, self.scale, self.zero))
        return module
