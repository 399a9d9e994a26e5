"""The frame of every multiply-accumulate PE: operand registers, flags, accumulator.

One clock after operands arrive, they stand in registers, which are also the way to the neighbour in an array; one
clock later their product is in ``total``. ``first`` and ``enable`` travel with the operands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import Component, In, Out

Update = Callable[[Module, Value, Value, Value, Value], Value]
"""``(module, activation, weight, first, total)`` -> the next total: puts multiplier and adder into the module."""

FrameUpdate = Callable[[Module, Mapping[str, Value], Value, Value], Value]
"""``(module, operands by name, first, total)`` -> the next total, for PEs with other operands than two."""


class Frame(Component):  # type: ignore[misc]
    """Operand registers, flags and accumulator around the arithmetic that ``update`` makes.

    Args:
        operands: width of each operand by name.
        forwarded: operands whose registers leave the PE as ``NAME_out``.
        total_bits: width of the accumulator.
        update: makes the next total.
    """

    def __init__(
        self, operands: Mapping[str, int], forwarded: tuple[str, ...], total_bits: int, update: FrameUpdate
    ) -> None:
        self.operands = operands
        self._forwarded = forwarded
        self.update = update
        super().__init__(
            {
                **{name: In(bits) for name, bits in operands.items()},
                "first": In(1),
                "enable": In(1),
                **{f"{name}_out": Out(operands[name]) for name in forwarded},
                "total": Out(total_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        registers = registered(module, self, {**self.operands, "first": 1, "enable": 1})
        for name in self._forwarded:
            module.d.comb += getattr(self, f"{name}_out").eq(registers[name])
        operands = {name: registers[name] for name in self.operands}
        result = self.update(module, operands, registers["first"], self.total)
        with module.If(registers["enable"]):
            module.d.sync += self.total.eq(result)
        return module


def registered(module: Module, component: Component, widths: Mapping[str, int], **instead: Value) -> dict[str, Signal]:
    """Return a register ``NAME_q`` behind each of these inputs of ``component``, by the name of the input.

    Args:
        module: takes the registers.
        component: has the inputs.
        widths: of the registers, by the name of the input.
        instead: what a register takes instead of the input of its name.
    """
    registers = {name: Signal(bits, name=f"{name}_q") for name, bits in widths.items()}
    sources = {name: getattr(component, name) for name in widths} | instead
    module.d.sync += [register.eq(sources[name]) for name, register in registers.items()]
    return registers


def arithmetic(frame: Frame) -> tuple[Mapping[str, int], FrameUpdate]:
    """Return operands and update of a frame that is not built itself: arrays put them between other registers."""
    frame._MustUse__silence = True  # Amaranth warns of components that nothing elaborates
    return frame.operands, frame.update


def kept(total: Value, first: Value) -> Value:
    """Return the old total as an addend: 0 where a new sum starts."""
    return total & (~first).replicate(len(total))
