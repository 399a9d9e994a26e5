"""Vectors for the comparison of a circuit with its definition: all operand pairs, corners, long sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simhw.circuits import Circuit, Port
from simhw.rtl.netlist import RESET, Netlist, dependences

Vectors = dict[str, NDArray[np.int64]]
Corners = Mapping[str, Sequence[int]]
"""Further codes that a port must see, by the port's name without ``_q``."""

_BATCH = 1 << 19
EXHAUSTIVE_BITS = 22
"""All combinations of operands are tried where they have at most so many bits: two operands of 20 and two flags."""


@dataclass(frozen=True, kw_only=True)
class OperandGroup:
    """Inputs and registers that something depends on, few enough for all their codes to be tried together.

    Attributes:
        results: registers and outputs that depend on them, and on nothing else but (an accumulator) on themselves.
        ports: what is tried in all combinations.
    """

    results: tuple[str, ...]
    ports: tuple[Port, ...]

    @property
    def bits(self) -> int:
        """Bits of all ports together."""
        return sum(port.bits for port in self.ports)


def operand_groups(circuit: Circuit, gates: Netlist) -> tuple[OperandGroup, ...]:
    """Return what each register and output depends on, apart from itself and the reset, by the netlist's wires."""
    ports = {port.name: port for port in (*circuit.inputs, *circuit.state)}
    by_ports: dict[frozenset[str], list[str]] = {}
    for result, sources in dependences(gates).items():
        by_ports.setdefault(sources - {result, RESET}, []).append(result)
    # What depends on a part of a group is tried with it.
    largest = [names for names in by_ports if not any(names < other for other in by_ports)]
    return tuple(
        OperandGroup(
            results=tuple(sorted(result for part, found in by_ports.items() if part <= names for result in found)),
            ports=tuple(ports[name] for name in ports if name in names),
        )
        for names in sorted(largest, key=sorted)
    )


def corner_codes(port: Port, corners: Corners) -> NDArray[np.int64]:
    """Return the codes at which carries and signs change: ends of the range, single bits and their complements."""
    top = (1 << port.bits) - 1
    single = [1 << place for place in range(port.bits)]
    runs = [code - 1 for code in single]
    codes = {0, top, *single, *runs, *(top ^ code for code in (*single, *runs)), 0x5555555555555555 & top}
    codes |= {0x2AAAAAAAAAAAAAAA & top, *corners.get(port.name.removesuffix("_q"), ())}
    return np.array(sorted(codes), np.int64)


def all_operands(
    circuit: Circuit, group: OperandGroup, corners: Corners, rng: np.random.Generator
) -> Iterator[Vectors]:
    """Yield every combination of the codes of a group, in batches, each with mixed codes everywhere else."""
    count = 1 << group.bits
    for start in range(0, count, _BATCH):
        index = np.arange(start, min(start + _BATCH, count), dtype=np.int64)
        vectors: Vectors = {}
        for port in group.ports:
            vectors[port.name] = index & ((1 << port.bits) - 1)
            index = index >> port.bits
        for port in (*circuit.inputs, *circuit.state):
            if port.name not in vectors:
                vectors[port.name] = mixed(port, len(index), corners, rng)
        yield vectors


def random_vectors(circuit: Circuit, count: int, corners: Corners, rng: np.random.Generator) -> Vectors:
    """Return vectors of which half the codes are uniform, a quarter near zero, a quarter corners, port by port."""
    return {port.name: mixed(port, count, corners, rng) for port in (*circuit.inputs, *circuit.state)}


def mixed(port: Port, count: int, corners: Corners, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return codes of one port: uniform ones, small ones of either sign, corners."""
    top = (1 << port.bits) - 1
    uniform = rng.integers(0, top, count, dtype=np.int64, endpoint=True)
    if port.bits == 1:
        return uniform
    small = (uniform >> rng.integers(0, port.bits, count)) ^ np.where(rng.integers(0, 2, count) == 1, top, 0)
    special = rng.choice(corner_codes(port, corners), count)
    kind = rng.integers(0, 4, count)
    return np.where(kind < 2, uniform, np.where(kind == 2, small, special))


def sequence(circuit: Circuit, lanes: int, steps: int, corners: Corners, rng: np.random.Generator) -> list[Vectors]:
    """Return inputs for ``lanes`` runs of ``steps`` clocks.

    A quarter of the lanes holds one extreme pair of operands throughout (worst-case sums), a quarter changes between
    extremes (sign changes), the others are mixed. In every fourth lane a new sum never starts after the first.
    """
    kind = np.arange(lanes) % 4
    extremes = {
        port.name: np.array([0, (1 << port.bits) - 1, 1 << (port.bits - 1), (1 << (port.bits - 1)) - 1], np.int64)
        for port in circuit.inputs
    }
    held = {name: rng.choice(codes, lanes) for name, codes in extremes.items()}
    clocks = []
    for clock in range(steps):
        vectors: Vectors = {}
        for port in circuit.inputs:
            if port.name == "first":
                flags = (rng.random(lanes) < 1 / 16) & (np.arange(lanes) // 4 % 4 != 0)
                vectors[port.name] = (flags | (clock == 0)).astype(np.int64)
            elif port.name == "enable":
                vectors[port.name] = (rng.random(lanes) < np.where(np.arange(lanes) // 4 % 2 == 0, 1, 7 / 8)).astype(
                    np.int64
                )
            else:
                changing = rng.choice(extremes[port.name], lanes)
                free = mixed(port, lanes, corners, rng)
                vectors[port.name] = np.where(kind == 0, held[port.name], np.where(kind == 1, changing, free))
        clocks.append(vectors)
    return clocks
