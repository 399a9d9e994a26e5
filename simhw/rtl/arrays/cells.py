"""Amaranth: a PE's arithmetic between other registers than its own frame, as arrays need it."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from simhw.circuits.float_add import add_to_fp32
from simhw.circuits.floating import fp32_term
from simhw.circuits.mac import Frame, arithmetic, registered
from simhw.rtl.arrays.stationary_cell import waiting


class RunningSums(Component):  # type: ignore[misc]
    """A dequantizer whose running sums lie in a ring, one for each row that it serves.

    Args:
        frame: the dequantizer.
        total_bits: width of a running sum.
        rows: how many there are.
    """

    def __init__(self, frame: Frame, total_bits: int, rows: int) -> None:
        self._operands, self._update = arithmetic(frame)
        self._rows = rows
        super().__init__(
            {
                **{name: In(bits) for name, bits in self._operands.items()},
                "first": In(1),
                "enable": In(1),
                "total": Out(total_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        operands = registered(module, self, {**self._operands, "first": 1, "enable": 1})
        first, enable = operands.pop("first"), operands.pop("enable")
        older = [Signal(len(self.total), name=f"total_{age}") for age in range(1, self._rows)]
        ring = [self.total, *older]
        result = self._update(module, operands, first, ring[-1])
        with module.If(enable):
            module.d.sync += [self.total.eq(result), *(old.eq(new) for new, old in zip(ring, older, strict=False))]
        return module


class CarriedSum(Component):  # type: ignore[misc]
    """A dequantizer whose running sums lie in a memory outside: ``carried`` comes from there, ``total`` goes there.

    Args:
        frame: the dequantizer.
        total_bits: width of a running sum.
    """

    def __init__(self, frame: Frame, total_bits: int) -> None:
        self._operands, self._update = arithmetic(frame)
        super().__init__(
            {
                **{name: In(bits) for name, bits in self._operands.items()},
                "first": In(1),
                "carried": In(total_bits),
                "total": Out(total_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        operands = registered(module, self, {**self._operands, "first": 1})
        first = operands.pop("first")
        module.d.sync += self.total.eq(self._update(module, operands, first, self.carried))
        return module


class IntegerJoin(Component):  # type: ignore[misc]
    """The sum of a chain joins the one that was carried; ``flags`` bits above the sum are gathered.

    Args:
        bits: width of both.
        flags: how many of them are flags.
    """

    def __init__(self, bits: int, flags: int) -> None:
        self._sum_bits = bits - flags
        super().__init__({"chain": In(bits), "carried": In(bits), "total": Out(bits)})

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        low, high = slice(0, self._sum_bits), slice(self._sum_bits, None)
        added = (self.chain[low] + self.carried[low])[: self._sum_bits]
        module.d.sync += self.total.eq(Cat(added, self.chain[high] | self.carried[high]))
        return module


class FloatJoin(Component):  # type: ignore[misc]
    """The fp32 sum of a chain joins the one that was carried, rounded once."""

    def __init__(self) -> None:
        super().__init__({"chain": In(32), "carried": In(32), "total": Out(32)})

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        module.d.sync += self.total.eq(add_to_fp32(module, self.carried, fp32_term(module, self.chain, "chain")))
        return module


class StationaryCell(Component):  # type: ignore[misc]
    """A PE that keeps its weight and adds its product to the sum from above.

    Args:
        frame: the PE.
        activation: operands that pass to the right.
        weight: operands that stay.
        settings: operands that do not change while a GEMM runs, and need no register.
        total_bits: width of a sum.
    """

    def __init__(
        self,
        frame: Frame,
        activation: tuple[str, ...],
        weight: tuple[str, ...],
        settings: tuple[str, ...],
        total_bits: int,
    ) -> None:
        self._operands, self._update = arithmetic(frame)
        self._activation, self._weight, self._settings = activation, weight, settings
        moving = (*activation, *weight)
        super().__init__(
            {
                **{name: In(self._operands[name]) for name in (*moving, *settings)},
                "load": In(1),
                "swap": In(1),
                "above": In(total_bits),
                **{f"{name}_out": Out(self._operands[name]) for name in moving},
                "total": Out(total_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        operands: dict[str, Any] = {name: getattr(self, name) for name in self._settings}
        for name in self._activation:
            operands[name] = Signal(self._operands[name], name=f"{name}_q")
            module.d.sync += operands[name].eq(getattr(self, name))
            module.d.comb += getattr(self, f"{name}_out").eq(operands[name])
        for name in self._weight:
            waits = Signal(self._operands[name], name=waiting(name))
            operands[name] = Signal(self._operands[name], name=f"{name}_q")
            with module.If(self.load):
                module.d.sync += waits.eq(getattr(self, name))
            with module.If(self.swap):
                module.d.sync += operands[name].eq(waits)
            module.d.comb += getattr(self, f"{name}_out").eq(waits)
        module.d.sync += self.total.eq(self._update(module, operands, Const(0, 1), self.above))
        return module
