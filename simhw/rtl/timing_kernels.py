"""Loops over the gates of a mapped netlist: tables looked up, slews and arrival times carried along."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@kernel
def place(numbers: Floats, begin: int, length: int, x: float) -> tuple[int, float]:
    """Return the interval of an axis to take for ``x``, and how far along it ``x`` lies (also beyond its ends)."""
    if length == 1:
        return 0, 0.0
    i = 0
    while i < length - 2 and x >= numbers[begin + i + 1]:
        i += 1
    left, right = numbers[begin + i], numbers[begin + i + 1]
    return i, (x - left) / (right - left)


@kernel
def look_up(shapes: Integers, numbers: Floats, table: int, slew: float, load: float) -> float:
    """Return the value of a table, bilinear between its points; 0 where there is none."""
    if table < 0:
        return 0.0
    row, along_row = place(numbers, shapes[table, 0], shapes[table, 1], slew)
    column, along_column = place(numbers, shapes[table, 2], shapes[table, 3], load)
    columns = shapes[table, 3]
    below, right = row + (shapes[table, 1] > 1), column + (columns > 1)
    values = shapes[table, 4]
    low = numbers[values + row * columns + column] * (1 - along_column)
    low += numbers[values + row * columns + right] * along_column
    high = numbers[values + below * columns + column] * (1 - along_column)
    high += numbers[values + below * columns + right] * along_column
    return low * (1 - along_row) + high * along_row


@kernel
def carry_times(
    kinds: Integers,
    pins: Integers,
    outputs: Integers,
    inputs: Integers,
    truth_at: Integers,
    truth: NDArray[np.uint8],
    arc_at: Integers,
    delay: Integers,
    slew: Integers,
    shapes: Integers,
    numbers: Floats,
    loads: Floats,
    arrival: Floats,
    slews: Floats,
    source: Integers,
) -> None:
    """Carry worst arrival times and slews ``[net, edge]`` through gates in order.

    ``source[net, edge]`` becomes the net and edge (as ``2 * net + edge``) that the latest arrival came from.
    """
    for gate in range(len(kinds)):
        kind, output = kinds[gate], outputs[gate]
        states = 1 << inputs[kind]
        for pin in range(inputs[kind]):
            net = pins[gate, pin]
            if net < 2:
                continue
            for state in range(states):
                arc = arc_at[kind] + pin * states + state
                if delay[arc] < 0:
                    continue
                before, after = state >> pin & 1, truth[truth_at[kind] + state]
                if arrival[net, before] < 0:
                    continue
                time = arrival[net, before] + look_up(shapes, numbers, delay[arc], slews[net, before], loads[output])
                if time > arrival[output, after]:
                    arrival[output, after] = time
                    source[output, after] = 2 * net + before
                edge = look_up(shapes, numbers, slew[arc], slews[net, before], loads[output])
                slews[output, after] = max(slews[output, after], edge)


@kernel
def arc_values(
    kinds: Integers,
    pins: Integers,
    outputs: Integers,
    inputs: Integers,
    arc_at: Integers,
    tables: Integers,
    shapes: Integers,
    numbers: Floats,
    loads: Floats,
    slews: Floats,
    instance_at: Integers,
    values: Floats,
) -> None:
    """Fill ``values`` with what ``tables`` give for each gate, pin and state, one gate behind the other."""
    for gate in range(len(kinds)):
        kind = kinds[gate]
        states = 1 << inputs[kind]
        for pin in range(inputs[kind]):
            net = pins[gate, pin]
            for state in range(states):
                table = tables[arc_at[kind] + pin * states + state]
                values[instance_at[gate] + pin * states + state] = look_up(
                    shapes, numbers, table, slews[net, state >> pin & 1], loads[outputs[gate]]
                )
