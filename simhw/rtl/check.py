"""Does a circuit compute what its definition says? Gates against ``Circuit.step``, code by code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simhw.circuits import Circuit
from simhw.rtl.float_stimuli import float_format, float_vectors
from simhw.rtl.netlist import RESET, Netlist, netlist
from simhw.rtl.simulation import simulate
from simhw.rtl.stimuli import (
    EXHAUSTIVE_BITS,
    Corners,
    OperandGroup,
    Vectors,
    all_operands,
    operand_groups,
    random_vectors,
    sequence,
)


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """The smallest vector, in the first batch that has one, at which gates and definition part.

    Attributes:
        port: register or output that differs.
        given: code of every input and register.
        expected: what the definition says.
        got: what the gates say.
        where: which part of the check found it.
        differing: how many vectors of that part differ.
    """

    port: str
    given: Mapping[str, int] = field(hash=False)
    expected: int
    got: int
    where: str
    differing: int

    def __str__(self) -> str:
        codes = ", ".join(f"{name} = {code:#x}" for name, code in self.given.items())
        return (
            f"{self.port}: expected {self.expected:#x}, got {self.got:#x} at {codes} "
            f"({self.where}; {self.differing} vectors differ)"
        )


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What was compared, and what came out.

    Attributes:
        circuit: name.
        gates: of the netlist.
        exhaustive: registers and outputs for which all combinations of what they depend on were tried (an
            accumulator depends on its operands and flags, and with each combination on some of its own states).
        sampled: registers and outputs that saw random and corner operands only, because there are too many.
        single_steps: vectors compared one step from an arbitrary state.
        sequence_steps: clock cycles compared in runs from reset, over all runs.
        disagreement: the first, or None.
    """

    circuit: str
    gates: int
    exhaustive: tuple[str, ...]
    sampled: tuple[str, ...]
    single_steps: int
    sequence_steps: int
    disagreement: Disagreement | None

    @property
    def equal(self) -> bool:
        """Nothing differed."""
        return self.disagreement is None

    def __str__(self) -> str:
        tried = []
        for how, names in (("all", self.exhaustive), ("random and corner", self.sampled)):
            computed = [name for name in names if not name.endswith(("_q", "_out"))]
            tried += [f"{how} operands of {', '.join(computed)}"] if computed else []
        done = (
            f"{self.circuit}: {self.gates} gates, {'; '.join(tried) or 'all operands'}; "
            f"{self.single_steps:,} single steps, {self.sequence_steps:,} clocks in sequences: "
        )
        return done + ("equal to the definition" if self.disagreement is None else f"DIFFERS, {self.disagreement}")


def check_circuit(
    circuit: Circuit,
    *,
    gates: Netlist | None = None,
    rounds: int = 2,
    vectors: int = 1 << 16,
    lanes: int = 256,
    steps: int = 64,
    corners: Corners | None = None,
    seed: int = 0,
) -> CheckReport:
    """Compare a circuit's gates with its definition.

    Args:
        circuit: what is compared.
        gates: its netlist, or another that claims to be (a faulty one); made from the circuit if None.
        rounds: how often all operands are tried, each time with other states.
        vectors: random and corner vectors, besides; the only ones where operands have too many bits.
        lanes: runs from reset, side by side.
        steps: clocks of each run.
        corners: further codes that a port must see.
        seed: of everything random; the same seed gives the same vectors.

    Raises:
        InputError: Yosys fails, or the circuit's registers are not those that it declares.
    """
    found = netlist(circuit) if gates is None else gates
    rng = np.random.default_rng(seed)
    groups = operand_groups(circuit, found)
    small = tuple(group for group in groups if group.bits <= EXHAUSTIVE_BITS)
    exhaustive = {result for group in small for result in group.results}
    single = 0
    disagreement = None
    for where, batch in _batches(circuit, small, rounds, vectors, corners or {}, rng):
        single += len(next(iter(batch.values())))
        disagreement = _first_difference(batch, circuit.step(batch), simulate(found, batch), where)
        if disagreement:
            break
    if disagreement is None and RESET in found.inputs:
        disagreement = _reset(random_vectors(circuit, 1024, corners or {}, rng), found)
    clocks = 0
    if disagreement is None and circuit.state:
        clocks, disagreement = _run(circuit, found, sequence(circuit, lanes, steps, corners or {}, rng))
    return CheckReport(
        circuit=circuit.name,
        gates=found.gates,
        exhaustive=tuple(sorted(exhaustive)),
        sampled=tuple(sorted({result for group in groups for result in group.results} - exhaustive)),
        single_steps=single,
        sequence_steps=clocks,
        disagreement=disagreement,
    )


def _batches(
    circuit: Circuit,
    groups: tuple[OperandGroup, ...],
    rounds: int,
    vectors: int,
    corners: Corners,
    rng: np.random.Generator,
) -> Iterator[tuple[str, Vectors]]:
    yield "random and corner vectors", random_vectors(circuit, vectors, corners, rng)
    if any(float_format(port) for port in circuit.inputs):
        yield "floating-point codes by class, adverse sums", float_vectors(circuit, vectors, rng)
    for group in groups:
        # A lone port is copied or decoded, states play no part; where all codes are few, they meet more states.
        repeats = 1 if len(group.ports) == 1 else rounds if group.bits > 12 else 8 * rounds
        for number in range(repeats):
            for batch in all_operands(circuit, group, corners, rng):
                yield f"all operands of {', '.join(group.results)}, round {number + 1}", batch


def _reset(batch: Vectors, gates: Netlist) -> Disagreement | None:
    """Reset clears every register, whatever it holds."""
    given = {**batch, RESET: np.ones(len(next(iter(batch.values()))), np.int64)}
    got = {name: codes for name, codes in simulate(gates, given).items() if name in gates.state}
    return _first_difference(given, {name: np.zeros_like(codes) for name, codes in got.items()}, got, "reset")


def _run(circuit: Circuit, gates: Netlist, clocks: list[Vectors]) -> tuple[int, Disagreement | None]:
    """Let gates and definition run side by side from reset, each from its own state."""
    lanes = len(next(iter(clocks[0].values())))
    defined = {port.name: np.zeros(lanes, np.int64) for port in circuit.state}
    held = dict(defined)
    for clock, inputs in enumerate(clocks):
        expected, got = circuit.step({**inputs, **defined}), simulate(gates, {**inputs, **held})
        difference = _first_difference({**inputs, **defined}, expected, got, f"clock {clock} of a run from reset")
        if difference:
            return (clock + 1) * lanes, difference
        defined = {port.name: expected[port.name] for port in circuit.state}
        held = {port.name: got[port.name] for port in circuit.state}
    return len(clocks) * lanes, None


def _first_difference(
    given: Vectors,
    expected: Mapping[str, NDArray[np.int64]],
    got: Mapping[str, NDArray[np.int64]],
    where: str,
) -> Disagreement | None:
    assert expected.keys() == got.keys(), f"step gives {sorted(expected)}, the netlist {sorted(got)}"
    differs = {name: expected[name] != got[name] for name in expected}
    anywhere = np.logical_or.reduce(list(differs.values()))
    if not anywhere.any():
        return None
    places = np.flatnonzero(anywhere)
    # Smallest: the fewest bits set, a vector that a reader can follow by hand.
    weights = sum(np.bitwise_count(codes[places]).astype(np.int64) for codes in given.values())
    found = int(places[np.argmin(weights)])
    port = next(name for name, differing in differs.items() if differing[found])
    return Disagreement(
        port=port,
        given={name: int(codes[found]) for name, codes in given.items()},
        expected=int(expected[port][found]),
        got=int(got[port][found]),
        where=where,
        differing=int(anywhere.sum()),
    )
