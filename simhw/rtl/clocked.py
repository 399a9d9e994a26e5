"""A netlist clock by clock from reset, in up to 64 independent runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.rtl.clocked_kernel import RUNS, run
from simhw.rtl.netlist import RESET, Netlist

Clocks = NDArray[np.int64]
"""``(clocks, runs)`` codes of one port."""


@dataclass(frozen=True, kw_only=True)
class Loop:
    """An input that carries what an output was in some clock: a memory outside the circuit.

    Attributes:
        input: port that is fed.
        output: port, driven by registers.
        sources: ``(clocks, runs)``: the clock whose output it carries, not a later one; -1 for none.
        nothing: the code that it carries then.
    """

    input: str
    output: str
    sources: Clocks = field(hash=False)
    nothing: int = 0


def run_clocks(
    netlist: Netlist, inputs: Mapping[str, Clocks], outputs: Sequence[str], loops: Sequence[Loop] = ()
) -> dict[str, Clocks]:
    """Return what outputs are in each clock, before its edge, with all registers 0 in the first one.

    Args:
        netlist: of the circuit.
        inputs: ``(clocks, runs)`` codes of every input but those that loops feed and the reset.
        outputs: names of outputs or registers.
        loops: inputs that outputs feed.

    Raises:
        InputError: inputs that are missing, unknown, too many or of different shapes.
    """
    fed = [loop.input for loop in loops]
    wanted = netlist.inputs.keys() - {RESET}
    if {*inputs, *fed} != wanted:
        raise InputError(
            f"{netlist.name} was given {sorted({*inputs, *fed})}, its inputs are {sorted(wanted)}; give all of them"
        )
    shapes = {np.shape(codes) for codes in inputs.values()}
    clocks, runs = shapes.pop()
    if shapes or runs > RUNS:
        raise InputError(
            f"inputs of {netlist.name} have shapes {sorted({(clocks, runs), *shapes})}, must be one shape of "
            f"(clocks, runs) with at most {RUNS} runs; split them"
        )
    names = [*inputs, *fed]
    words = np.zeros((clocks, sum(len(netlist.inputs[name]) for name in names)), np.uint64)
    starts = _starts([netlist.inputs[name] for name in names])
    for name, start in zip(names, starts, strict=True):
        if name in inputs:
            for bit in range(len(netlist.inputs[name])):
                words[:, start + bit] = _sliced(inputs[name] >> bit & 1)
    nets = [netlist.outputs[name] if name in netlist.outputs else netlist.state[name] for name in outputs]
    ends = _starts(nets)
    received = np.zeros((clocks, sum(map(len, nets))), np.uint64)
    table = np.zeros((len(loops), 4), np.int64)
    sources = np.full((len(loops), clocks, RUNS), -1, np.int32)
    for row, loop in enumerate(loops):
        first, taken = starts[names.index(loop.input)], ends[outputs.index(loop.output)]
        table[row] = (first, taken, len(netlist.inputs[loop.input]), loop.nothing)
        sources[row, :, :runs] = loop.sources
    run(
        netlist.kinds,
        netlist.operands,
        netlist.first_gate,
        words,
        _flat(netlist.inputs[name] for name in names),
        _flat(netlist.state.values()),
        _flat(netlist.next_state[name] for name in netlist.state),
        _flat(nets),
        table,
        sources,
        received,
    )
    found = {}
    for name, start, bits in zip(outputs, ends, map(len, nets), strict=True):
        found[name] = np.zeros((clocks, runs), np.int64)
        for bit in range(bits):
            found[name] |= _unsliced(received[:, start + bit], runs) << bit
    return found


def _starts(ports: Sequence[Sequence[int]]) -> list[int]:
    return [sum(map(len, ports[:index])) for index in range(len(ports))]


def _flat(ports: object) -> NDArray[np.int64]:
    return np.array([net for nets in ports for net in nets], np.int64)  # type: ignore[attr-defined]


def _sliced(bits: Clocks) -> NDArray[np.uint64]:
    """Return one word per clock, run r in its bit r."""
    padded = np.zeros((bits.shape[0], RUNS), np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u8")[:, 0]


def _unsliced(words: NDArray[np.uint64], runs: int) -> Clocks:
    octets = np.ascontiguousarray(words).astype("<u8").view(np.uint8).reshape(len(words), 8)
    return np.unpackbits(octets, axis=1, bitorder="little", count=runs).astype(np.int64)
