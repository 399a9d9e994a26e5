"""The frame of every multiply-accumulate PE: operand registers, flags, accumulator.

One clock after operands arrive, they stand in registers, which are also the way to the neighbour in an array; one
clock later their product is in ``total``. ``first`` and ``enable`` travel with the operands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import Component, In, Out

Update = Callable[[Module, Value, Value, Value, Value], Value]
"""``(module, activation, weight, first, total)`` -> the next total: puts multiplier and adder into the module."""


class Mac(Component):  # type: ignore[misc]
    """Operand registers, flags and accumulator around the multiplier and adder that ``update`` makes.

    Args:
        activation_bits: width of the first operand.
        weight_bits: width of the second.
        total_bits: width of the accumulator.
        update: makes the next total.
    """

    def __init__(self, activation_bits: int, weight_bits: int, total_bits: int, update: Update) -> None:
        self._update = update
        super().__init__(
            {
                "activation": In(activation_bits),
                "weight": In(weight_bits),
                "first": In(1),
                "enable": In(1),
                "activation_out": Out(activation_bits),
                "weight_out": Out(weight_bits),
                "total": Out(total_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        registers = {
            name: Signal(len(port), name=f"{name}_q")
            for name, port in (
                ("activation", self.activation),
                ("weight", self.weight),
                ("first", self.first),
                ("enable", self.enable),
            )
        }
        activation, weight, first, enable = registers.values()
        module.d.sync += [
            activation.eq(self.activation),
            weight.eq(self.weight),
            first.eq(self.first),
            enable.eq(self.enable),
        ]
        module.d.comb += [self.activation_out.eq(activation), self.weight_out.eq(weight)]
        result = self._update(module, activation, weight, first, self.total)
        with module.If(enable):
            module.d.sync += self.total.eq(result)
        return module


def kept(total: Value, first: Value) -> Value:
    """Return the old total as an addend: 0 where a new sum starts."""
    return total & (~first).replicate(len(total))
