"""What a mapped netlist does on a stream of operands: transitions of every net, and the energy they take.

Energy of one cycle: C V^2 / 2 for every transition of every net (capacitance of the pins on it, no wires), the energy
inside the cells for every change of a pin (liberty's ``internal_power``, condition by condition), and for every
flip-flop both edges of its clock pin. Leakage is power, not counted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.rtl.activity_kernels import CELLS, CELLS_ZERO_DELAY, CLOCK, simulate
from simhw.rtl.liberty import Library
from simhw.rtl.mapped import MappedNetlist
from simhw.rtl.timing import Timing, time_netlist
from simhw.rtl.timing_kernels import arc_values

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

WARM_UP = 4
"""Cycles until the registers hold operands; they are simulated and not counted."""


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Mean energy of one clock cycle, by part, in femtojoules.

    Attributes:
        nets_fj: charging of the pins on the nets.
        cells_fj: inside gates and flip-flops.
        clock_fj: clock pins of the flip-flops: their capacitance and what their edges take inside.
    """

    nets_fj: float
    cells_fj: float
    clock_fj: float

    @property
    def total_fj(self) -> float:
        """Sum of the parts."""
        return self.nets_fj + self.cells_fj + self.clock_fj


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What happened on a stream of operands.

    Attributes:
        cycles: that were counted.
        transitions: ``[net]`` with the delays of the gates.
        zero_delay_transitions: ``[net]`` were the gates without delay.
        energy: with the delays.
        zero_delay_energy: without.
        results: value of each output at the end of each cycle, the uncounted ones too.
    """

    cycles: int
    transitions: Integers = field(repr=False)
    zero_delay_transitions: Integers = field(repr=False)
    energy: Energy
    zero_delay_energy: Energy
    results: Mapping[str, Integers] = field(repr=False)


def measure_activity(
    netlist: MappedNetlist, library: Library, codes: Mapping[str, Integers], timing: Timing | None = None
) -> Activity:
    """Simulate ``netlist`` with one row of ``codes`` (bit patterns by input) in each clock cycle.

    Args:
        netlist: of cells of ``library``.
        library: with timing and power.
        codes: as many values for every input but a reset, which stays 0.
        timing: of the netlist, where it is known.

    Raises:
        InputError: an input has no codes, they do not fit its width, or there are too few cycles.
    """
    timing = timing or time_netlist(netlist, library)
    stimulus, input_nets = _stimulus(netlist, codes)
    tables, gates, flops = timing.tables, timing.tables.gates, timing.tables.flip_flops
    energy = np.zeros(len(timing.delay_ps))
    arc_values(
        timing.kinds, timing.pins, timing.outputs, gates.inputs, gates.arc_at, gates.energy, tables.shapes,
        tables.numbers, timing.load_ff, timing.slew_ps, timing.instance_at, energy,
    )  # fmt: skip
    register_kinds = timing.register_kinds
    output_energy, clock_energy, data_energy = _register_energies(timing)
    watched = np.array([net for bits in netlist.outputs.values() for net in bits], np.int64)
    transitions, zero_delay, sums, seen = simulate(
        stimulus, WARM_UP, input_nets, timing.kinds, timing.pins, timing.outputs, gates.inputs, gates.truth_at,
        gates.truth, timing.instance_at, timing.delay_ps, energy, *_fan_out(netlist, timing), timing.register_data,
        timing.register_outputs, flops.inverted[register_kinds], timing.register_delay_ps, output_energy, clock_energy,
        data_energy, netlist.nets, watched,
    )  # fmt: skip
    cycles = len(stimulus) - WARM_UP
    square = library.voltage_v**2
    clock = float(flops.clock_ff[register_kinds].sum()) * square + float(sums[CLOCK]) / cycles

    def energy_of(counts: Integers, cells: float) -> Energy:
        nets = float((timing.load_ff * counts).sum()) * square / 2
        return Energy(nets_fj=nets / cycles, cells_fj=cells / cycles, clock_fj=clock)

    return Activity(
        cycles=cycles,
        transitions=transitions,
        zero_delay_transitions=zero_delay,
        energy=energy_of(transitions, float(sums[CELLS])),
        zero_delay_energy=energy_of(zero_delay, float(sums[CELLS_ZERO_DELAY])),
        results=_codes(netlist.outputs, seen),
    )


def _stimulus(netlist: MappedNetlist, codes: Mapping[str, Integers]) -> tuple[NDArray[np.uint8], Integers]:
    """Return the bits of each input in each cycle, and their nets."""
    missing = sorted(set(netlist.inputs) - set(codes) - {"rst"})
    unknown = sorted(set(codes) - set(netlist.inputs))
    if missing or unknown:
        what = f"no codes for {missing[0]!r}" if missing else f"codes for {unknown[0]!r}, which is no input"
        raise InputError(
            f"{netlist.name} was given {what}; its inputs are {', '.join(netlist.inputs)}: give all of them"
        )
    lengths = {len(values) for values in codes.values()}
    if len(lengths) != 1 or min(lengths) <= WARM_UP:
        raise InputError(
            f"{netlist.name} was given {sorted(lengths)} operands, must be as many for every input and more than "
            f"{WARM_UP}; give longer arrays"
        )
    columns, nets = [], []
    for name, values in codes.items():
        bits = netlist.inputs[name]
        array = np.asarray(values, np.int64)
        if array.min() < 0 or array.max() >> len(bits):
            raise InputError(
                f"codes of {name} are within {array.min()}..{array.max()}, must be bit patterns of {len(bits)} bits "
                f"(0..{2 ** len(bits) - 1}); mask them"
            )
        columns += [array >> place & 1 for place in range(len(bits))]
        nets += list(bits)
    return np.stack(columns, axis=1).astype(np.uint8), np.array(nets, np.int64)


def _fan_out(netlist: MappedNetlist, timing: Timing) -> tuple[Integers, Integers, Integers]:
    """Return for each net what it feeds: where its list begins, then gates (and registers behind them) and pins."""
    fed = [(net, place, pin) for place, gate in enumerate(netlist.gates) for pin, net in enumerate(gate.inputs)]
    fed += [(int(net), len(netlist.gates) + place, 0) for place, net in enumerate(timing.register_data)]
    fed = sorted(entry for entry in fed if entry[0] > 1)
    array = np.array(fed, np.int64).reshape(-1, 3)
    begin = np.searchsorted(array[:, 0], np.arange(netlist.nets + 1))
    return begin.astype(np.int64), np.ascontiguousarray(array[:, 1]), np.ascontiguousarray(array[:, 2])


def _register_energies(timing: Timing) -> tuple[Floats, Floats, Floats]:
    """Return energies of each flip-flop: ``[output edge]``, ``[clock edge, data, output]``, ``[data edge, output]``.

    Data edges fall into either half of the clock: the mean of both counts.
    """
    flops, slew, count = timing.tables.flip_flops, timing.clock_slew_ps, len(timing.register_kinds)
    output, clock, data = np.zeros((count, 2)), np.zeros((count, 2, 2, 2)), np.zeros((count, 2, 2))
    for i, kind in enumerate(timing.register_kinds):
        load = timing.load_ff[timing.register_outputs[i]]
        for edge in (0, 1):
            output[i, edge] = timing.look_up(flops.output[kind, edge], slew, load)
            data_slew = timing.slew_ps[timing.register_data[i], edge]
            for a in (0, 1):
                for b in (0, 1):
                    clock[i, edge, a, b] = timing.look_up(flops.clock[kind, edge, a, b], slew, load)
                    data[i, edge, b] += timing.look_up(flops.edge[kind, edge, a, b], data_slew, load) / 2
    return output, clock, data


def _codes(ports: Mapping[str, tuple[int, ...]], seen: NDArray[np.uint8]) -> dict[str, Integers]:
    codes, place = {}, 0
    for name, bits in ports.items():
        columns = seen[:, place : place + len(bits)].astype(np.int64)
        codes[name] = (columns << np.arange(len(bits))).sum(axis=1)
        place += len(bits)
    return codes
