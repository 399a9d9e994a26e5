"""Proofs that a circuit computes its definition for all inputs and all states, not only for those that were tried.

The claim is about one clock, per register and output: the gates' next value equals that of ``Circuit.step``, whatever
inputs and registers hold. Where all that a value depends on has few bits, every combination is simulated, which is a
proof too. Elsewhere the definition is run on symbols and a solver looks for a difference between it and the gates;
what it cannot decide at once is split by the values of operand bits into cases.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from simhw.circuits import Circuit
from simhw.errors import InputError
from simhw.rtl.float_spec import float_claim, in_floats
from simhw.rtl.gate_formula import gate_formula
from simhw.rtl.netlist import RESET, Netlist, dependences, netlist
from simhw.rtl.simulation import simulate
from simhw.rtl.smt import Answer, Script, Solver, installed_solvers, solve
from simhw.rtl.stimuli import EXHAUSTIVE_BITS, OperandGroup, all_operands
from simhw.rtl.symbolic import Symbol

FIRST_TRY_S = 3.0
"""Seconds after which a case is split; parts of it get twice as many, and so on."""


class Verdict(Enum):
    """What is known of a claim."""

    PROVEN = "proven"
    """It holds for all inputs and states."""
    COUNTEREXAMPLE = "counterexample"
    """It does not hold, and here is where."""
    UNDECIDED = "not decided"
    """Neither was found within the limit: the circuit is tested, not proven."""


@dataclass(frozen=True, kw_only=True)
class ResultProof:
    """The claim for one register or output.

    Attributes:
        result: its name.
        verdict: what is known.
        method: how.
        counterexample: inputs and registers at which it differs, ``expected`` and ``got``.
    """

    result: str
    verdict: Verdict
    method: str
    counterexample: Mapping[str, int] | None = field(default=None, hash=False)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The claims for a circuit.

    Attributes:
        circuit: name.
        results: one per register and output.
        seconds: that it took.
    """

    circuit: str
    results: tuple[ResultProof, ...]
    seconds: float = field(compare=False)

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        found = {proof.verdict for proof in self.results}
        return next(v for v in (Verdict.COUNTEREXAMPLE, Verdict.UNDECIDED, Verdict.PROVEN) if v in found or not found)

    def __str__(self) -> str:
        lines = [f"{self.circuit}: {self.verdict.value}, {self.seconds:.1f} s"]
        for proof in self.results:
            lines.append(f"  {proof.result}: {proof.verdict.value} ({proof.method})")
            if proof.counterexample is not None:
                codes = ", ".join(f"{name} = {code:#x}" for name, code in proof.counterexample.items())
                lines.append(f"    {codes}")
        if self.verdict is Verdict.UNDECIDED:
            lines.append("  what is not decided is tested only, see 'simhw rtl check'")
        return "\n".join(lines)


def prove_circuit(
    circuit: Circuit, *, gates: Netlist | None = None, limit_s: float = 60.0, solver: Solver | None = None
) -> Proof:
    """Prove or refute that a circuit's gates compute its definition.

    Args:
        circuit: with a definition made of integer operations; others are not decided.
        gates: its netlist, or another that claims to be; made from the circuit if None.
        limit_s: seconds for each register and output.
        solver: which one; the preferred one if None.

    Raises:
        InputError: a solver is needed and not installed, or Yosys fails.
    """
    start = time.monotonic()
    found = netlist(circuit) if gates is None else gates
    ports = {port.name: port for port in (*circuit.inputs, *circuit.state)}
    defined = definition_sources(circuit)
    results = []
    for result, connected in sorted(dependences(found).items()):
        sources = connected | defined.get(result, frozenset())
        group = OperandGroup(results=(result,), ports=tuple(ports[name] for name in ports if name in sources))
        if group.bits <= EXHAUSTIVE_BITS:
            results.append(_try_all(circuit, found, group))
        else:
            results.append(_ask_solver(circuit, found, result, limit_s, solver))
    return Proof(circuit=circuit.name, results=tuple(results), seconds=time.monotonic() - start)


def same_function(one: Netlist, other: Netlist, *, limit_s: float = 60.0) -> Verdict:
    """Return whether two netlists with the same ports compute the same, reset included."""
    script = Script()
    sources = {name: script.declare(name, len(nets)) for name, nets in (*one.inputs.items(), *one.state.items())}
    first, second = (gate_formula(script, gates, sources) for gates in (one, other))
    script.claim(f"(or false {' '.join(f'(distinct {first[name]} {second[name]})' for name in first)})")
    return _verdict(solve(script, limit_s=limit_s).answer)


def _try_all(circuit: Circuit, gates: Netlist, group: OperandGroup) -> ResultProof:
    """Simulate all combinations of what gates and definition depend on."""
    (result,) = group.results
    method = f"all {1 << group.bits:,} combinations of {group.bits} bits that it depends on"
    for batch in all_operands(circuit, group, {}, np.random.default_rng(0)):
        expected, got = circuit.step(batch)[result], simulate(gates, batch)[result]
        wrong = np.flatnonzero(expected != got)
        if len(wrong):
            at = int(wrong[0])
            given = {name: int(codes[at]) for name, codes in batch.items()}
            return ResultProof(
                result=result,
                verdict=Verdict.COUNTEREXAMPLE,
                method=method,
                counterexample={**given, "expected": int(expected[at]), "got": int(got[at])},
            )
    return ResultProof(result=result, verdict=Verdict.PROVEN, method=method)


def _ask_solver(circuit: Circuit, gates: Netlist, result: str, limit_s: float, solver: Solver | None) -> ResultProof:
    try:
        script = claim(circuit, gates, result)
    except (TypeError, InputError) as error:
        return ResultProof(result=result, verdict=Verdict.UNDECIDED, method=f"no specification for solvers: {error}")
    used = solver or next(iter(installed_solvers()), None)
    name = used.value if used else "no solver"
    deadline = time.monotonic() + limit_s
    # Fixed operand bits leave as much to do where the work is in shifters and rounding.
    free = () if in_floats(circuit) else _splitting_bits(circuit, gates, result)
    waiting = [_Case(extra="true", free=free)]
    cases = 0
    while waiting:
        case = waiting.pop()
        left = deadline - time.monotonic()
        if left <= 0:
            return ResultProof(
                result=result, verdict=Verdict.UNDECIDED, method=f"{name}, {limit_s:g} s, {cases} cases proven"
            )
        patience = min(left, FIRST_TRY_S * 2**case.depth) if case.free else left
        solution = solve(script, limit_s=patience, extra=case.extra, solver=solver)
        if solution.answer is Answer.SATISFIABLE:
            return ResultProof(
                result=result,
                verdict=Verdict.COUNTEREXAMPLE,
                method=name,
                counterexample=_confirmed(circuit, gates, result, solution.values),
            )
        if solution.answer is Answer.UNSATISFIABLE:
            cases += 1
        else:
            waiting += case.split()
    method = name if cases == 1 else f"{name}, {cases} cases"
    return ResultProof(result=result, verdict=Verdict.PROVEN, method=method)


def claim(circuit: Circuit, gates: Netlist, result: str) -> Script:
    """Return a script that can be satisfied exactly where gates and definition differ in ``result``.

    Definitions of integer circuits are run on symbols; floating-point circuits have a specification of their own, in
    the solvers' theory of floating point.

    Raises:
        TypeError: the definition uses operations that symbols do not know, and has no other specification.
        InputError: likewise.
    """
    try:
        script, expected = definition(circuit)
    except TypeError:
        return _float_claim(circuit, gates, result)
    bits = len({**gates.next_state, **gates.outputs}[result])
    sources = {port.name: port.name for port in (*circuit.inputs, *circuit.state)}
    got = gate_formula(script, gates, {**sources, RESET: "#b0"})[result]
    script.claim(f"(distinct {expected[result].resized(bits)} {got})")
    return script


def _float_claim(circuit: Circuit, gates: Netlist, result: str) -> Script:
    script = Script()
    sources = {port.name: script.declare(port.name, port.bits) for port in (*circuit.inputs, *circuit.state)}
    got = gate_formula(script, gates, {**sources, RESET: "#b0"})[result]
    claimed = float_claim(script, circuit, result, got)
    if claimed is None:
        raise TypeError(f"the definition of {result} leaves the integers")
    script.claim(f"(not {claimed})")
    return script


def definition(circuit: Circuit) -> tuple[Script, dict[str, Symbol]]:
    """Run a circuit's definition on symbols; inputs and registers are declared by name.

    Raises:
        TypeError: the definition uses operations that symbols do not know.
    """
    if in_floats(circuit):
        raise TypeError("the definition leaves the integers")
    script = Script()
    symbols = {}
    for port in (*circuit.inputs, *circuit.state):
        code = script.define(f"((_ zero_extend 1) {script.declare(port.name, port.bits)})", port.bits + 1)
        symbols[port.name] = Symbol(script, code, 0, (1 << port.bits) - 1)
    expected = circuit.step(symbols)  # type: ignore[arg-type]
    if not all(isinstance(value, Symbol) for value in expected.values()):
        raise TypeError("the definition leaves the integers")
    return script, expected  # type: ignore[return-value]


def definition_sources(circuit: Circuit) -> dict[str, frozenset[str]]:
    """Return what the definition of each register and output is made of; nothing where symbols cannot follow it."""
    try:
        script, expected = definition(circuit)
    except TypeError:
        return {}
    return {name: script.sources(value.term) for name, value in expected.items()}


@dataclass(frozen=True, kw_only=True)
class _Case:
    """Operand bits that are fixed, and those that may be fixed next."""

    extra: str
    free: tuple[tuple[str, int], ...]
    depth: int = 0

    def split(self) -> list[_Case]:
        chosen, rest = self.free[:2], self.free[2:]
        cases = [self.extra]
        for name, bit in chosen:
            fixed = f"(= ((_ extract {bit} {bit}) {name})"
            cases = [f"(and {case} {fixed} #b{value}))" for case in cases for value in (0, 1)]
        return [_Case(extra=case, free=rest, depth=self.depth + 1) for case in cases] if chosen else [self]


def _splitting_bits(circuit: Circuit, gates: Netlist, result: str) -> tuple[tuple[str, int], ...]:
    """Return bits of what ``result`` depends on, flags first, then narrow operands, never the accumulator itself."""
    sources = dependences(gates)[result] - {result}
    ports = [port for port in (*circuit.inputs, *circuit.state) if port.name in sources]
    ordered = sorted(ports, key=lambda port: (port.bits, port.name != "weight_q"))
    return tuple((port.name, bit) for port in ordered for bit in reversed(range(port.bits)))


def _confirmed(circuit: Circuit, gates: Netlist, result: str, values: Mapping[str, int]) -> dict[str, int]:
    """Run a counterexample through definition and simulator: it must be one there, too."""
    batch = {name: np.array([value], np.int64) for name, value in values.items()}
    expected, got = int(circuit.step(batch)[result][0]), int(simulate(gates, batch)[result][0])
    assert expected != got, f"the solver's counterexample {values} is none: formula and simulator disagree"
    return {**values, "expected": expected, "got": got}


def _verdict(answer: Answer) -> Verdict:
    return {Answer.UNSATISFIABLE: Verdict.PROVEN, Answer.SATISFIABLE: Verdict.COUNTEREXAMPLE}.get(
        answer, Verdict.UNDECIDED
    )
