"""Amaranth: what stands at an array's edges - the skew of all lanes, and the heads of columns."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Value

from simhw.rtl.arrays.element import Element
from simhw.rtl.arrays.placing import Placer

Bundle = dict[str, Any]


def edge_wires(
    placer: Placer, ports: Any, element: Element, rows: int, columns: int
) -> tuple[list[Bundle], list[Bundle]]:
    """Return what enters the first PE of each row, and of each column, by the PE's ports."""

    def lane(name: str, index: int) -> Value:
        return placer.delay(f"{name}_{index}", getattr(ports, f"{name}_{index}"), index)

    activations = [{name: lane(name, row) for name in element.activation} for row in range(rows)]
    entering = [{port.name: lane(port.name, column) for port in element.entering_ports} for column in range(columns)]
    if element.head is None:
        return activations, entering
    weights = []
    for column, given in enumerate(entering):
        made = placer.place(element.head, f"head_{column}", given)
        weights.append(
            {port: made[output.name] for port, output in zip(element.weight, element.head.outputs, strict=True)}
        )
    return activations, weights


def settings(ports: Any, element: Element) -> Bundle:
    """Return the wires of what is set for all PEs."""
    return {name: getattr(ports, name) for name in element.settings}
