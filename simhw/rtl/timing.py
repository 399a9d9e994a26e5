"""Static timing of a mapped netlist: loads, slews, delays, and the shortest clock period.

Non-linear delay tables, worst slew at every net, no wires. A path begins at the clock of a register or at an input
(which the neighbour's register drives, so it has the delay of one) and ends at the setup of a register.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simhw.rtl.cell_tables import CellTables, pack_tables
from simhw.rtl.liberty import Library
from simhw.rtl.mapped import MappedNetlist
from simhw.rtl.timing_kernels import arc_values, carry_times, look_up

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
_FAN_OUT = 4


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Times of one netlist.

    Attributes:
        tables: of its cells.
        kinds: ``[gate]`` number of the gate's type.
        pins: ``[gate, pin]`` nets, 0 beyond a gate's inputs.
        outputs: ``[gate]`` net.
        instance_at: ``[gate]`` where its pins and states begin in ``delay_ps``.
        register_kinds: ``[flip-flop]`` number of its type.
        register_data, register_outputs: ``[flip-flop]`` nets.
        load_ff: ``[net]`` capacitance of the pins on it.
        slew_ps: ``[net, edge]`` the worst.
        delay_ps: of each gate, pin and state after the pin changed.
        register_delay_ps: ``[flip-flop, edge]`` clock to output.
        clock_slew_ps: of the clock and the inputs: what the smallest buffer makes of its like and four loads.
        period_ps: shortest clock period.
        critical: the nets of the path that sets it, from its end.
    """

    tables: CellTables = field(repr=False)
    kinds: Integers = field(repr=False)
    pins: Integers = field(repr=False)
    outputs: Integers = field(repr=False)
    instance_at: Integers = field(repr=False)
    register_kinds: Integers = field(repr=False)
    register_data: Integers = field(repr=False)
    register_outputs: Integers = field(repr=False)
    load_ff: Floats = field(repr=False)
    slew_ps: Floats = field(repr=False)
    delay_ps: Floats = field(repr=False)
    register_delay_ps: Floats = field(repr=False)
    clock_slew_ps: float
    period_ps: float
    critical: tuple[int, ...]

    def look_up(self, table: int, slew: float, load: float) -> float:
        """Return the value of one table."""
        return float(look_up(self.tables.shapes, self.tables.numbers, table, slew, load))


def time_netlist(netlist: MappedNetlist, library: Library) -> Timing:
    """Return the times of ``netlist`` in ``library``."""
    tables = pack_tables(netlist, library)
    kinds = np.array([tables.gate_types.index(gate.cell) for gate in netlist.gates], np.int64)
    pins = np.zeros((len(kinds), max([1, *(len(gate.inputs) for gate in netlist.gates)])), np.int64)
    for i, gate in enumerate(netlist.gates):
        pins[i, : len(gate.inputs)] = gate.inputs
    outputs = np.array([gate.output for gate in netlist.gates], np.int64)
    register_kinds = np.array([tables.flip_flop_types.index(f.cell) for f in netlist.flip_flops], np.int64)
    data_at = tables.flip_flops.data[register_kinds] if len(register_kinds) else np.zeros(0, np.int64)
    register_data = np.array([f.inputs[at] for f, at in zip(netlist.flip_flops, data_at, strict=True)], np.int64)
    register_outputs = np.array([f.output for f in netlist.flip_flops], np.int64)
    loads = _loads(netlist, library)
    clock_slew = nominal_slew(library)
    shapes, numbers, gates, flops = tables.shapes, tables.numbers, tables.gates, tables.flip_flops

    arrival, slews = np.full((netlist.nets, 2), -1.0), np.zeros((netlist.nets, 2))
    source = np.full((netlist.nets, 2), -1, np.int64)
    register_delay = np.zeros((len(register_kinds), 2))
    for i, (kind, net) in enumerate(zip(register_kinds, register_outputs, strict=True)):
        for edge in (0, 1):
            register_delay[i, edge] = look_up(shapes, numbers, flops.delay[kind, edge], clock_slew, loads[net])
            slews[net, edge] = look_up(shapes, numbers, flops.slew[kind, edge], clock_slew, loads[net])
        arrival[net] = register_delay[i]
    for net in [net for bits in netlist.inputs.values() for net in bits]:
        arrival[net] = register_delay.max() if len(register_delay) else 0.0
        slews[net] = clock_slew
    carry_times(
        kinds, pins, outputs, gates.inputs, gates.truth_at, gates.truth, gates.arc_at, gates.delay, gates.slew,
        shapes, numbers, loads, arrival, slews, source,
    )  # fmt: skip
    slews[:2] = clock_slew
    states = gates.inputs[kinds] * 2 ** gates.inputs[kinds] if len(kinds) else np.zeros(0, np.int64)
    instance_at = np.cumsum(np.concatenate([[0], states]))[:-1]
    delay = np.zeros(int(states.sum()))
    arc_values(
        kinds, pins, outputs, gates.inputs, gates.arc_at, gates.delay, shapes, numbers, loads, slews, instance_at, delay
    )
    ends = [
        (
            arrival[net, edge]
            + max(0.0, look_up(shapes, numbers, flops.setup[kind, edge], slews[net, edge], clock_slew)),
            2 * int(net) + edge,
        )
        for kind, net in zip(register_kinds, register_data, strict=True)
        for edge in (0, 1)
        if net > 1 and arrival[net, edge] >= 0
    ]
    period, end = max(ends, default=(0.0, 0))
    return Timing(
        tables=tables,
        kinds=kinds,
        pins=pins,
        outputs=outputs,
        instance_at=instance_at,
        register_kinds=register_kinds,
        register_data=register_data,
        register_outputs=register_outputs,
        load_ff=loads,
        slew_ps=slews,
        delay_ps=delay,
        register_delay_ps=register_delay,
        clock_slew_ps=clock_slew,
        period_ps=float(period),
        critical=_path(source, end),
    )


def nominal_slew(library: Library) -> float:
    """Return the slew of the library's smallest buffer that is driven by its like and drives four of them."""
    buffers = [library.cell(cell.name) for cell in library.gates([False, True])]
    timed = [cell for cell in buffers if any(arc.slew[1] for arc in cell.outputs[0].arcs)]
    if not timed:
        return 0.0
    load = _FAN_OUT * timed[0].inputs[0].capacitance_ff
    table = next(arc.slew[1] for arc in timed[0].outputs[0].arcs if arc.slew[1])
    slew = float(table.slews[0])
    for _ in range(20):
        slew = float(table.at(slew, load))
    return slew


def _loads(netlist: MappedNetlist, library: Library) -> Floats:
    """Return the capacitance of the pins on each net; outputs leave for a neighbour whose inputs count there."""
    loads = np.zeros(netlist.nets)
    for instance in (*netlist.gates, *netlist.flip_flops):
        for pin, net in zip(library.cell(instance.cell).inputs, instance.inputs, strict=True):
            if net > 1:
                loads[net] += pin.capacitance_ff
    return loads


def _path(source: Integers, end: int) -> tuple[int, ...]:
    path = []
    while end >= 0:
        path.append(end >> 1)
        end = int(source[end >> 1, end & 1])
    return tuple(path)
