"""Seeded faults: a circuit with one gate, or one operator of its description, exchanged.

A comparison that never fails shows nothing. Each fault makes a circuit that is wrong in one place; the comparison must
find it. A fault that no vector shows sits in a redundant gate, one whose change leaves the function as it is:
``simhw.rtl.prove`` tells the two apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from simhw.circuits import Circuit
from simhw.rtl.check import check_circuit
from simhw.rtl.netlist import RESET, Gate, Netlist
from simhw.rtl.simulation import simulate
from simhw.rtl.stimuli import random_vectors

_BECOMES = {
    Gate.AND: Gate.OR,
    Gate.NAND: Gate.NOR,
    Gate.OR: Gate.AND,
    Gate.NOR: Gate.NAND,
    Gate.XOR: Gate.OR,
    Gate.XNOR: Gate.NOR,
    Gate.ANDNOT: Gate.AND,
    Gate.ORNOT: Gate.OR,
    Gate.NOT: Gate.AND,
    Gate.MUX: Gate.MUX,
}
"""What a gate is exchanged for: its likely confusion. An inverter becomes a wire, a multiplexer changes its inputs."""

_OPERATORS = {
    "$add": "$sub",
    "$sub": "$add",
    "$mul": "$add",
    "$and": "$or",
    "$or": "$and",
    "$xor": "$or",
    "$not": "$pos",
    "$neg": "$pos",
    "$shl": "$shr",
    "$eq": "$ne",
    "$lt": "$le",
    "$ge": "$gt",
}
_CELL = re.compile(r"^  cell (\$\w+) ", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One gate exchanged.

    Attributes:
        gate: index in the netlist.
        was: kind that it had.
        becomes: kind that it has.
        netlist: the netlist with the fault.
    """

    gate: int
    was: Gate
    becomes: Gate
    netlist: Netlist = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class FaultReport:
    """How many faults the comparison found, and which it did not.

    Attributes:
        circuit: name.
        seeded: how many faults were tried.
        missed: those that no vector showed.
    """

    circuit: str
    seeded: int
    missed: tuple[Fault, ...]


def faults(netlist: Netlist, gates: Sequence[int] | None = None) -> Iterator[Fault]:
    """Yield the netlist with one gate exchanged, for each of ``gates`` (all of them if None)."""
    for gate in range(netlist.gates) if gates is None else gates:
        was = Gate(netlist.kinds[gate])
        kinds, operands = netlist.kinds.copy(), netlist.operands
        kinds[gate] = _BECOMES[was]
        if was in (Gate.NOT, Gate.MUX):
            operands = operands.copy()
            a, b, select = operands[gate]
            operands[gate] = (a, a, 0) if was is Gate.NOT else (b, a, select)
        yield Fault(gate=gate, was=was, becomes=_BECOMES[was], netlist=replace(netlist, kinds=kinds, operands=operands))


def seed_faults(circuit: Circuit, netlist: Netlist, gates: Sequence[int] | None = None) -> FaultReport:
    """Try faults one by one: a quick comparison first, the full one for those that it does not show."""
    rng = np.random.default_rng(0)
    batch = random_vectors(circuit, 1 << 12, {}, rng)
    if RESET in netlist.inputs:
        # Reset of a correct netlist clears the state; one vector in eight takes part.
        batch[RESET] = (rng.random(1 << 12) < 1 / 8).astype(np.int64)
    expected = simulate(netlist, batch)
    missed = []
    seeded = 0
    for fault in faults(netlist, gates):
        seeded += 1
        got = simulate(fault.netlist, batch)
        if all((got[name] == codes).all() for name, codes in expected.items()):
            missed.append(fault)
    survivors = [fault for fault in missed if check_circuit(circuit, gates=fault.netlist).equal]
    return FaultReport(circuit=circuit.name, seeded=seeded, missed=tuple(survivors))


def operator_faults(text: str) -> Iterator[tuple[str, str]]:
    """Yield ``(what was changed, RTLIL)`` with one operator of the description ``text`` exchanged."""
    for number, cell in enumerate(_CELL.finditer(text)):
        was = cell.group(1)
        if was in _OPERATORS:
            becomes = _OPERATORS[was]
            yield f"operator {number}: {was} -> {becomes}", text[: cell.start(1)] + becomes + text[cell.end(1) :]
