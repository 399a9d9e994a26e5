"""One standard cell as synthesis, timing and energy need it.

Units: areas um2, capacitances fF, times ps, energies fJ, leakage nW. Energies of one cell that a file splits over
supply and ground pins (``related_pg_pin``) are parts of one sum.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from simhw.rtl.boolean import Truth, truth_table
from simhw.rtl.liberty_table import Table, TableReader
from simhw.rtl.liberty_text import Group

_LITERAL = re.compile(r"\(?(?P<inverted>!?)\(?(?P<name>\w+)\)*$")


@dataclass(frozen=True, kw_only=True)
class Arc:
    """Delay from an input pin to the output.

    Attributes:
        pin: the input.
        when: condition on the other inputs, None where there is none.
        sense: ``positive_unate``, ``negative_unate`` or ``non_unate``.
        delay: of a falling (0) and a rising (1) output; None where the arc has no such edge.
        slew: of the output, likewise.
    """

    pin: str
    when: str | None
    sense: str
    delay: tuple[Table | None, Table | None]
    slew: tuple[Table | None, Table | None]


@dataclass(frozen=True, kw_only=True)
class Power:
    """Energy inside the cell for one edge, beyond that of the net it drives.

    Attributes:
        pin: the input that causes the edge of an output; of an input's own energy, that input.
        when: condition, None for what holds where no other applies.
        supply: supply or ground pin whose part of the energy this is.
        energy: of a falling (0) and a rising (1) edge.
    """

    pin: str
    when: str | None
    supply: str
    energy: tuple[Table | None, Table | None]


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One pin; its tables are read when they are first asked for.

    Attributes:
        name: of the pin.
        capacitance_ff: that an input loads its net with.
        function: of an output, over the inputs or the state.
        group: its text, parsed.
        reader: of the tables in it.
    """

    name: str
    capacitance_ff: float
    function: str
    group: Group = field(repr=False)
    reader: TableReader = field(repr=False)

    @cached_property
    def arcs(self) -> tuple[Arc, ...]:
        """Delays of an output, those of asynchronous inputs left out."""
        return tuple(
            Arc(
                pin=raw.attributes.get("related_pin", ""),
                when=raw.attributes.get("when"),
                sense=raw.attributes.get("timing_sense", "non_unate"),
                delay=self._edges(raw, "cell_fall", "cell_rise", self.reader.units.time_ps),
                slew=self._edges(raw, "fall_transition", "rise_transition", self.reader.units.time_ps),
            )
            for raw in self.group.of("timing")
            if raw.attributes.get("timing_type", "combinational") in ("combinational", "rising_edge", "falling_edge")
        )

    @cached_property
    def setup(self) -> tuple[Table | None, Table | None]:
        """Time before the clock edge that a falling (0) and a rising (1) input of a flip-flop needs."""
        for raw in self.group.of("timing"):
            if raw.attributes.get("timing_type", "").startswith("setup"):
                return self._edges(raw, "fall_constraint", "rise_constraint", self.reader.units.time_ps)
        return None, None

    @cached_property
    def power(self) -> tuple[Power, ...]:
        """Internal energies, one for each cause, condition and supply pin."""
        return tuple(
            Power(
                pin=raw.attributes.get("related_pin", self.name),
                when=raw.attributes.get("when"),
                supply=raw.attributes.get("related_pg_pin", ""),
                energy=self._edges(raw, "fall_power", "rise_power", self.reader.units.energy_fj),
            )
            for raw in self.group.of("internal_power")
        )

    def _edges(self, group: Group, fall: str, rise: str, unit: float) -> tuple[Table | None, Table | None]:
        """Return the tables of a falling and a rising edge; a table ``power`` holds for both."""
        found = {raw.kind: self.reader.read(raw, unit) for raw in group.of(fall, rise, "power")}
        both = found.get("power")
        return found.get(fall, both), found.get(rise, both)


@dataclass(frozen=True, kw_only=True)
class FlipFlop:
    """State of a plain edge-triggered cell: one data input, one output.

    Attributes:
        clock: the clock pin.
        data: the data pin.
        inverted: whether the output is the inverse of what the data input was.
    """

    clock: str
    data: str
    inverted: bool


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One standard cell.

    Attributes:
        name: of the cell.
        area_um2: footprint.
        leakage_nw: without a condition, or the mean over the conditions.
        inputs: pins, in the order that numbers the states of truth tables.
        outputs: pins.
        flip_flop: of an edge-triggered cell with one data input and one output, which the library does not forbid.
        gate: whether it is a combinational cell with one output, which the library does not forbid.
        forbidden: ``dont_use`` in the library, a clock gate, or an output that can be switched off.
    """

    name: str
    area_um2: float
    leakage_nw: float
    inputs: tuple[Pin, ...]
    outputs: tuple[Pin, ...]
    flip_flop: FlipFlop | None
    gate: bool
    forbidden: bool

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(pin.name for pin in self.inputs)

    def input(self, name: str) -> Pin:
        """Return the input called ``name``."""
        return next(pin for pin in self.inputs if pin.name == name)

    @cached_property
    def truth(self) -> Truth:
        """Values of the one output of a combinational cell."""
        return truth_table(self.outputs[0].function, self.input_names)


def read_cell(name: str, group: Group, reader: TableReader) -> Cell:
    """Return the cell that ``group`` describes."""
    pins: dict[str, list[Pin]] = {"input": [], "output": []}
    for raw in group.of("pin"):
        direction = raw.attributes.get("direction", "")
        if direction in pins:
            pins[direction].append(_pin(raw, reader))
    sequential = any(group.of("ff", "latch", "statetable", "ff_bank", "latch_bank"))
    forbidden = (
        group.attributes.get("dont_use") == "true"
        or "clock_gating_integrated_cell" in group.attributes
        or any("three_state" in raw.attributes for raw in group.of("pin"))
    )
    one_output = len(pins["output"]) == 1 and bool(pins["output"][0].function)
    return Cell(
        name=name,
        area_um2=float(group.attributes.get("area", 0)),
        leakage_nw=_leakage(group) * reader.units.power_nw,
        inputs=tuple(pins["input"]),
        outputs=tuple(pins["output"]),
        flip_flop=_flip_flop(group, pins["output"]) if one_output and not forbidden else None,
        gate=one_output and not sequential and not forbidden,
        forbidden=forbidden,
    )


def _flip_flop(group: Group, outputs: Sequence[Pin]) -> FlipFlop | None:
    """Return the state of the cell where its next state is one input as it is, or inverted."""
    for state in group.of("ff"):
        data, clock = _LITERAL.match(state.attributes.get("next_state", "")), state.attributes.get("clocked_on", "")
        function = _LITERAL.match(outputs[0].function)
        names = [part.strip() for part in state.arguments.split(",")]
        if data and function and function["name"] in names and clock.isidentifier():
            inversions = (data["inverted"], function["inverted"], function["name"] == names[-1])
            return FlipFlop(clock=clock, data=data["name"], inverted=sum(map(bool, inversions)) % 2 == 1)
    return None


def _leakage(group: Group) -> float:
    """Return the leakage without condition; supply and ground parts of one condition are added."""
    if "cell_leakage_power" in group.attributes:
        return float(group.attributes["cell_leakage_power"])
    sums: dict[str | None, float] = {}
    for raw in group.of("leakage_power"):
        when = raw.attributes.get("when")
        sums[when] = sums.get(when, 0.0) + float(raw.attributes.get("value", 0))
    if None in sums:
        return sums[None]
    return sum(sums.values()) / len(sums) if sums else 0.0


def _pin(group: Group, reader: TableReader) -> Pin:
    return Pin(
        name=group.arguments,
        capacitance_ff=float(group.attributes.get("capacitance", 0)) * reader.units.load_ff,
        function=group.attributes.get("function", ""),
        group=group,
        reader=reader,
    )
