"""Amaranth side of ``simhw.circuits.fp32_adder``."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

from simhw.circuits.float_add import add_to_fp32
from simhw.circuits.floating import fp32_term


class Fp32Adder(Component):  # type: ignore[misc]
    """``sum = total + term``."""

    def __init__(self) -> None:
        super().__init__({"total": In(32), "term": In(32), "sum": Out(32)})

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        module.d.comb += self.sum.eq(add_to_fp32(module, self.total, fp32_term(module, self.term, "term")))
        return module
