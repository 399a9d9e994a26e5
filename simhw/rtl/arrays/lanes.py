"""Lanes: the ports through which operands enter an array, row by row from the left, column by column from above."""

from __future__ import annotations

import numpy as np

from simhw.circuits import Codes, Port
from simhw.rtl.arrays.base import Integers
from simhw.rtl.arrays.element import Element
from simhw.rtl.arrays.registers import move_chain


def lanes(element: Element, rows: int, columns: int) -> list[tuple[Port, int]]:
    """Return each port of the PE (or of the head) with each row or column through which it enters."""
    left = [(port, row) for port in element.activation_ports for row in range(rows)]
    return left + [(port, column) for port in element.entering_ports for column in range(columns)]


def entering(element: Element, rows: int, columns: int) -> list[Port]:
    """Return the array's ports for operands, and those for what is set for all PEs."""
    activations = {port.name for port in element.activation_ports}
    return [
        Port(
            name=f"{port.name}_{index}",
            bits=port.bits,
            meaning=f"{port.meaning}, {'row' if port.name in activations else 'column'} {index}",
        )
        for port, index in lanes(element, rows, columns)
    ] + list(element.setting_ports)


def edge_codes(
    element: Element, given: list[tuple[Port, int]], codes: Codes, after: dict[str, Integers]
) -> dict[tuple[str, int], Integers]:
    """Move the delays of all lanes one on, and return what enters the first PE of each row and column, by port."""
    edge = {
        (port.name, index): move_chain(codes, after, f"{port.name}_{index}", codes[f"{port.name}_{index}"], index)
        for port, index in given
    }
    if element.head is None:
        return edge
    names = [port.name for port in element.head.inputs]
    for column in sorted({index for port, index in given if port.name == names[0]}):
        made = element.head.step({name: edge[name, column] for name in names})
        for port, output in zip(element.weight, element.head.outputs, strict=True):
            edge[port, column] = np.asarray(made[output.name])
    return edge
