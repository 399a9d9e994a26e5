"""Amaranth: a circuit placed in a module, as an instance by name or elaborated anew.

An instance costs nothing: the array then is wiring, and each PE is described once, in a module of its own. Amaranth's
simulator knows no instances; for it every PE is elaborated in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from simhw.circuits import Circuit, Port


class Placer:
    """Places circuits and registers in a module.

    Args:
        module: takes them.
        inline: elaborate a circuit where it stands, instead of an instance.
    """

    def __init__(self, module: Module, *, inline: bool) -> None:
        self.module = module
        self._inline = inline

    def place(self, circuit: Circuit, name: str, inputs: Mapping[str, Value]) -> dict[str, Any]:
        """Place a circuit and return its outputs."""
        outputs = {port.name: Signal(port.bits, name=f"{name}_{port.name}") for port in circuit.outputs}
        if self._inline or not circuit.state:  # without registers it has no clock to be connected
            component = circuit.build()
            self.module.submodules[name] = component
            self.module.d.comb += [getattr(component, port).eq(value) for port, value in inputs.items()]
            self.module.d.comb += [signal.eq(getattr(component, port)) for port, signal in outputs.items()]
            return outputs
        connections = {f"i_{port}": value for port, value in inputs.items()}
        connections |= {f"o_{port}": signal for port, signal in outputs.items()}
        self.module.submodules[name] = Instance(circuit.name, i_clk=ClockSignal(), i_rst=ResetSignal(), **connections)
        return outputs

    def register(self, name: str, source: Value, *, enable: Value | None = None) -> Any:
        """Return a register that takes ``source`` at every clock, or only where enabled."""
        signal = Signal(len(source), name=name)
        if enable is None:
            self.module.d.sync += signal.eq(source)
        else:
            with self.module.If(enable):
                self.module.d.sync += signal.eq(source)
        return signal

    def delay(self, name: str, source: Value, clocks: int) -> Any:
        """Return ``source``, so many clocks later, through registers ``NAME_delay_1`` and on."""
        for clock in range(1, clocks + 1):
            source = self.register(f"{name}_delay_{clock}", source)
        return source

    def wire(self, name: str, value: Value) -> Any:
        """Return an expression with a name: Amaranth writes an unnamed one out again at every use."""
        signal = Signal(len(value), name=name)
        self.module.d.comb += signal.eq(value)
        return signal


class Wired(Component):  # type: ignore[misc]
    """A component whose ports are those of a record, and whose inside a function fills.

    Args:
        inputs: ports.
        outputs: ports.
        fill: puts into the module what stands between the ports.
        inline: elaborate the parts in their places, instead of instances of them.
    """

    def __init__(
        self,
        inputs: tuple[Port, ...],
        outputs: tuple[Port, ...],
        fill: Callable[[Placer, Any], None],
        *,
        inline: bool = False,
    ) -> None:
        self._fill = fill
        self._inline = inline
        super().__init__(
            {**{port.name: In(port.bits) for port in inputs}, **{port.name: Out(port.bits) for port in outputs}}
        )

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        self._fill(Placer(module, inline=self._inline), self)
        return module


def either(values: list[Value]) -> Value:
    """Return the OR of words of which at most one is not zero."""
    found = values[0]
    for value in values[1:]:
        found = found | value
    return found


def gated(value: Value, gate: Value) -> Value:
    """Return a word, or zeros."""
    return value & gate.replicate(len(value))
