"""The tables of the cells of one netlist, packed for kernels.

A gate's table for a pin is chosen by the state of its inputs after the pin has changed: that state says whether the
output follows, in which direction, and which condition (``when``) of the liberty file holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.rtl.boolean import truth_table
from simhw.rtl.liberty import Library
from simhw.rtl.liberty_cell import Arc, Cell, Pin, Power
from simhw.rtl.liberty_table import Table
from simhw.rtl.mapped import Instance, MappedNetlist

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
NONE = -1
"""In place of a table that a cell does not have."""


@dataclass(frozen=True, kw_only=True)
class GateTables:
    """Tables of the combinational cells; ``[type]`` numbers the types of the netlist.

    Attributes:
        inputs: ``[type]`` number of inputs.
        truth_at: ``[type]`` where its truth table begins in ``truth``.
        truth: output for each state, one type behind the other.
        arc_at: ``[type]`` where its pins begin in ``delay``, ``slew`` and ``energy``; each pin has one place per state.
        delay: table of the delay where the output follows the pin, else ``NONE``.
        slew: table of the output's slew, likewise.
        energy: table of the energy inside the cell, whether or not the output follows.
    """

    inputs: Integers
    truth_at: Integers
    truth: NDArray[np.uint8] = field(repr=False)
    arc_at: Integers
    delay: Integers = field(repr=False)
    slew: Integers = field(repr=False)
    energy: Integers = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class FlipFlopTables:
    """Tables of the flip-flops; ``[type]`` numbers the types of the netlist.

    Attributes:
        data: ``[type]`` place of the data pin among the inputs.
        inverted: ``[type]`` whether the output is the inverse of the data.
        delay: ``[type, edge]`` from the clock to an output that falls (0) or rises (1).
        slew: ``[type, edge]`` of the output.
        setup: ``[type, edge]`` of the data before the clock.
        output: ``[type, edge]`` energy of an output edge.
        clock: ``[type, edge, data, output]`` energy of an edge of the clock pin.
        edge: ``[type, edge, clock, output]`` energy of an edge of the data pin.
        clock_ff: ``[type]`` capacitance of the clock pin.
    """

    data: Integers
    inverted: Integers
    delay: Integers = field(repr=False)
    slew: Integers = field(repr=False)
    setup: Integers = field(repr=False)
    output: Integers = field(repr=False)
    clock: Integers = field(repr=False)
    edge: Integers = field(repr=False)
    clock_ff: Floats = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class CellTables:
    """Everything that the kernels look up.

    Attributes:
        gates: of the combinational cells.
        flip_flops: of the registers.
        gate_types, flip_flop_types: names, in the order of their numbers.
        shapes: ``[table]`` begin and length of its slews, begin and length of its loads, begin of its values.
        numbers: slews, loads and values of all tables.
    """

    gates: GateTables
    flip_flops: FlipFlopTables
    gate_types: tuple[str, ...]
    flip_flop_types: tuple[str, ...]
    shapes: Integers = field(repr=False)
    numbers: Floats = field(repr=False)


class _Pack:
    """Collects tables; equal ones (by identity) once."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, int, int, int, int]] = []
        self.numbers: list[Floats] = []
        self.length = 0
        self.known: dict[tuple[int, ...], tuple[int, tuple[Table, ...]]] = {}

    def add(self, tables: Iterable[Table | None]) -> int:
        """Return the number of the sum of ``tables``."""
        parts = tuple(table for table in tables if table is not None)
        if not parts:
            return NONE
        key = tuple(id(table) for table in parts)
        if key not in self.known:
            total = parts[0]
            for part in parts[1:]:
                total = total.plus(part)
            begins = [self._append(array) for array in (total.slews, total.loads, total.values.ravel())]
            self.shapes.append((begins[0], len(total.slews), begins[1], len(total.loads), begins[2]))
            self.known[key] = len(self.shapes) - 1, parts
        return self.known[key][0]

    def _append(self, array: Floats) -> int:
        self.numbers.append(array)
        self.length += len(array)
        return self.length - len(array)


def pack_tables(netlist: MappedNetlist, library: Library) -> CellTables:
    """Return the tables of the cells that ``netlist`` uses."""
    pack = _Pack()
    gate_types = tuple(sorted({gate.cell for gate in netlist.gates}))
    flip_flop_types = tuple(sorted({register.cell for register in netlist.flip_flops}))
    gates = _gates([library.cell(name) for name in gate_types], pack)
    first = {register.cell: register for register in reversed(netlist.flip_flops)}
    registers = [(library.cell(name), first[name]) for name in flip_flop_types]
    for register in netlist.flip_flops:
        _check_register(netlist, library.cell(register.cell), register)
    return CellTables(
        gates=gates,
        flip_flops=_flip_flops(registers, pack),
        gate_types=gate_types,
        flip_flop_types=flip_flop_types,
        shapes=np.array(pack.shapes, np.int64).reshape(-1, 5),
        numbers=np.concatenate(pack.numbers) if pack.numbers else np.zeros(0),
    )


def _gates(cells: Sequence[Cell], pack: _Pack) -> GateTables:
    delay, slew, energy = [], [], []
    for cell in cells:
        (output,) = cell.outputs
        names = cell.input_names
        for place, pin in enumerate(cell.inputs):
            holds = _conditions([*names, output.name], {output.name: cell.truth}, names)
            for state in range(2 ** len(names)):
                edge, before = int(cell.truth[state]), int(cell.truth[state ^ 1 << place])
                if edge == before:
                    delay.append(NONE)
                    slew.append(NONE)
                    energy.append(pack.add(_energies(pin.power, pin.name, state >> place & 1, state, holds)))
                    continue
                arc = _arc(output.arcs, pin.name, edge == state >> place & 1, edge, state, holds)
                delay.append(pack.add([arc.delay[edge]] if arc else []))
                slew.append(pack.add([arc.slew[edge]] if arc else []))
                energy.append(pack.add(_energies(output.power, pin.name, edge, state, holds)))
    inputs = np.array([len(cell.inputs) for cell in cells], np.int64)
    return GateTables(
        inputs=inputs,
        truth_at=np.cumsum([0, *(2**inputs)])[:-1],
        truth=np.concatenate([cell.truth for cell in cells]).astype(np.uint8) if cells else np.zeros(0, np.uint8),
        arc_at=np.cumsum([0, *(inputs * 2**inputs)])[:-1],
        delay=np.array(delay, np.int64),
        slew=np.array(slew, np.int64),
        energy=np.array(energy, np.int64),
    )


Holds = Callable[[str, int], bool]
"""``(condition, state)`` -> whether it holds."""


def _conditions(names: Sequence[str], derived: dict[str, NDArray[np.bool_]], inputs: Sequence[str]) -> Holds:
    """Return how conditions over inputs and output are decided in a state of the inputs."""
    known: dict[str, NDArray[np.bool_]] = {}

    def holds(condition: str, state: int) -> bool:
        if condition not in known:
            known[condition] = truth_table(condition, names)
        number = state
        for place, name in enumerate(names[len(inputs) :], start=len(inputs)):
            number |= int(derived[name][state]) << place
        return bool(known[condition][number])

    return holds


def _arc(arcs: Sequence[Arc], pin: str, same: bool, edge: int, state: int, holds: Holds) -> Arc | None:
    """Return the arc of ``pin`` whose condition holds, else one without condition, else any of that direction."""
    unate = "negative_unate" if same else "positive_unate"
    found = [arc for arc in arcs if arc.pin == pin and arc.sense != unate and arc.delay[edge] is not None]
    exact = [arc for arc in found if arc.when is not None and holds(arc.when, state)]
    general = [arc for arc in found if arc.when is None]
    return next(iter([*exact, *general, *found]), None)


def _energies(powers: Sequence[Power], pin: str, edge: int, state: int, holds: Holds) -> list[Table | None]:
    """Return one table for each supply pin: of the condition that holds, else the one without condition."""
    found: list[Table | None] = []
    for supply in dict.fromkeys(power.supply for power in powers):
        own = [power for power in powers if power.supply == supply and power.pin == pin]
        exact = [power for power in own if power.when is not None and holds(power.when, state)]
        general = [power for power in own if power.when is None]
        found += [power.energy[edge] for power in [*exact, *general][:1]]
    return found


def _check_register(netlist: MappedNetlist, cell: Cell, register: Instance) -> None:
    assert cell.flip_flop is not None
    used = (cell.flip_flop.clock, cell.flip_flop.data)
    for pin, net in zip(cell.input_names, register.inputs, strict=True):
        if pin not in used and net > 1:
            raise InputError(
                f"a flip-flop {cell.name} of {netlist.name} uses its pin {pin}, which must be constant: timing and "
                "energy know clock and data alone; exclude the cell with --dont-use"
            )


def _flip_flops(registers: Sequence[tuple[Cell, Instance]], pack: _Pack) -> FlipFlopTables:
    count = len(registers)
    edges = {name: np.full((count, 2), NONE, np.int64) for name in ("delay", "slew", "setup", "output")}
    clock, edge = np.full((count, 2, 2, 2), NONE, np.int64), np.full((count, 2, 2, 2), NONE, np.int64)
    for i, (cell, register) in enumerate(registers):
        assert cell.flip_flop is not None
        output, clock_name, data_name = cell.outputs[0], cell.flip_flop.clock, cell.flip_flop.data
        names = [*cell.input_names, output.name]
        constant = sum((net & 1) << place for place, net in enumerate(register.inputs) if net <= 1)
        places = {name: names.index(name) for name in (clock_name, data_name, output.name)}
        constant &= ~(1 << places[clock_name] | 1 << places[data_name])
        holds = _conditions(names, {}, names)
        arcs = [arc for arc in output.arcs if arc.pin == clock_name]
        for to in (0, 1):
            edges["delay"][i, to] = pack.add(arc.delay[to] for arc in arcs[:1])
            edges["slew"][i, to] = pack.add(arc.slew[to] for arc in arcs[:1])
            edges["setup"][i, to] = pack.add([cell.input(data_name).setup[to]])
            at = constant | to << places[output.name] | 1 << places[clock_name]
            edges["output"][i, to] = pack.add(_energies(output.power, clock_name, to, at, holds))
            for other in (0, 1):
                for out in (0, 1):
                    rest = constant | out << places[output.name]
                    for table, pin, second in ((clock, clock_name, data_name), (edge, data_name, clock_name)):
                        at = rest | to << places[pin] | other << places[second]
                        table[i, to, other, out] = pack.add(_energies(cell.input(pin).power, pin, to, at, holds))
    flops = [cell.flip_flop for cell, _ in registers if cell.flip_flop]
    pins: list[tuple[Cell, Pin]] = [
        (cell, cell.input(flop.clock)) for (cell, _), flop in zip(registers, flops, strict=True)
    ]
    return FlipFlopTables(
        data=np.array([c.input_names.index(f.data) for (c, _), f in zip(registers, flops, strict=True)], np.int64),
        inverted=np.array([flop.inverted for flop in flops], np.int64),
        **edges,
        clock=clock,
        edge=edge,
        clock_ff=np.array([pin.capacitance_ff for _, pin in pins], np.float64),
    )
