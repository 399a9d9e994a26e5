"""A PE as an array sees it: what passes to the right, what comes from above, what is set for all PEs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simhw.circuits import Circuit, Port
from simhw.errors import InputError
from simhw.rtl.arrays.feeds import Feed, Plain

FLAGS = ("first", "enable")


@dataclass(frozen=True, kw_only=True)
class Element:
    """What stands in every place of an array.

    Attributes:
        name: of the PE; with a head, of head and PE together.
        pe: the circuit; every port of ``activation`` and ``weight`` has a register ``NAME_q`` and passes on as
            ``NAME_out``.
        activation: ports that pass to the right.
        weight: ports that come from above and pass down.
        settings: codes of the ports that all PEs share and that do not change while a GEMM runs.
        head: combinational circuit at the head of each column, whose outputs are the ``weight`` ports; None: they enter
            the array themselves.
        feed: how a GEMM becomes codes of the ports.
        formats: of a GEMM's activations and weights.

    Raises:
        InputError: a port of the PE is none of these, or does not pass on.
    """

    name: str
    pe: Circuit
    activation: tuple[str, ...] = ("activation",)
    weight: tuple[str, ...] = ("weight",)
    settings: Mapping[str, int] = field(default_factory=dict, hash=False)
    head: Circuit | None = None
    feed: Feed = field(default_factory=Plain)
    formats: tuple[str, str]

    def __post_init__(self) -> None:
        given = {*self.activation, *self.weight, *self.settings, *FLAGS}
        outputs = {port.name for port in self.pe.outputs}
        missing = [name for name in (*self.activation, *self.weight) if f"{name}_out" not in outputs]
        inputs = [port.name for port in self.pe.inputs]
        if set(inputs) != given or missing or "total" not in outputs:
            taken = ", ".join(inputs[:4]) + (" ..." if len(inputs) > 4 else "")
            raise InputError(
                f"{self.pe.name} takes {taken}; PEs of an array take operands that they hand on, first and enable, and "
                "have a total; choose such a PE, as int8_mac or mixpe_w4a8"
            )

    @property
    def activation_ports(self) -> tuple[Port, ...]:
        """Ports of the PE that pass to the right."""
        return tuple(_port(self.pe, name) for name in self.activation)

    @property
    def weight_ports(self) -> tuple[Port, ...]:
        """Ports of the PE that come from above."""
        return tuple(_port(self.pe, name) for name in self.weight)

    @property
    def setting_ports(self) -> tuple[Port, ...]:
        """Ports that all PEs share."""
        return tuple(_port(self.pe, name) for name in self.settings)

    @property
    def entering_ports(self) -> tuple[Port, ...]:
        """Ports that enter the array from above."""
        return self.weight_ports if self.head is None else self.head.inputs


def _port(circuit: Circuit, name: str) -> Port:
    return next(port for port in circuit.inputs if port.name == name)
