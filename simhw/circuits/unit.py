"""The frame of a special function unit in Amaranth: ``value`` into a register, its function into ``result``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib.wiring import Component, In, Out

from simhw.circuits.mac import registered

Arithmetic = Callable[[Module, Value], Value]
"""``(module, value)`` -> the result: puts what computes it into the module."""


class Unit(Component):  # type: ignore[misc]
    """Registers around the arithmetic that ``arithmetic`` makes.

    Args:
        value_bits: width of the input.
        result_bits: width of the result.
        arithmetic: makes the result of the registered value.
    """

    def __init__(self, value_bits: int, result_bits: int, arithmetic: Arithmetic) -> None:
        self.value_bits = value_bits
        self.arithmetic = arithmetic
        super().__init__({"value": In(value_bits), "result": Out(result_bits)})

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        held = registered(module, self, {"value": self.value_bits})["value"]
        module.d.sync += self.result.eq(self.arithmetic(module, held))
        return module
