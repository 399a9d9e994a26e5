"""SMT-LIB scripts over bit vectors and floating-point numbers; solvers that decide them (extra ``simhw[formal]``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib.util import find_spec

from simhw.errors import InputError

_WORD = re.compile(r"[A-Za-z_]\w*")


class Answer(Enum):
    """What a solver says."""

    UNSATISFIABLE = "unsat"
    """No values make all assertions true."""
    SATISFIABLE = "sat"
    """Some values do."""
    UNKNOWN = "unknown"
    """The time limit passed."""


class Solver(Enum):
    """Which solver; either decides the same scripts."""

    BITWUZLA = "bitwuzla"
    """Bit-blasting, the faster one on circuits."""
    Z3 = "z3"
    """The other one, for a second opinion."""


@dataclass(frozen=True, kw_only=True)
class Solution:
    """The answer, with values of the declared constants where it is satisfiable."""

    answer: Answer
    values: Mapping[str, int] = field(hash=False)


class Script:
    """Declarations, definitions and assertions that are being written."""

    def __init__(self) -> None:
        self._lines = ["(set-logic QF_BVFP)"]
        self._terms: dict[str, str] = {}
        self.declared: dict[str, int] = {}

    def declare(self, name: str, bits: int) -> str:
        """Declare a bit vector that may have any value."""
        self._lines.append(f"(declare-const {name} (_ BitVec {bits}))")
        self.declared[name] = bits
        return name

    def define(self, term: str, bits: int) -> str:
        """Name a bit vector; shared parts stay shared."""
        return self._define(term, f"(_ BitVec {bits})")

    def define_as(self, term: str, sort: str) -> str:
        """Name a term of any sort, such as a floating-point number."""
        return self._define(term, sort)

    def define_truth(self, term: str) -> str:
        """Name a truth value."""
        return self._define(term, "Bool")

    def _define(self, term: str, sort: str) -> str:
        name = f"t{len(self._terms)}"
        self._terms[name] = term
        self._lines.append(f"(define-fun {name} () {sort} {term})")
        return name

    def claim(self, term: str) -> None:
        """Assert a truth value."""
        self._lines.append(f"(assert {term})")

    def sources(self, term: str) -> frozenset[str]:
        """Return the declared constants that a term is made of."""
        found: set[str] = set()
        waiting, seen = [term], {term}
        while waiting:
            for word in _WORD.findall(waiting.pop()):
                if word in self.declared:
                    found.add(word)
                elif word in self._terms and word not in seen:
                    seen.add(word)
                    waiting.append(self._terms[word])
        return frozenset(found)

    def __str__(self) -> str:
        return "\n".join([*self._lines, ""])


def installed_solvers() -> tuple[Solver, ...]:
    """Return the solvers that can be used, the preferred one first."""
    return tuple(solver for solver in Solver if find_spec(solver.value))


def solve(script: Script, *, limit_s: float, extra: str = "", solver: Solver | None = None) -> Solution:
    """Decide a script.

    Args:
        script: what is asserted.
        limit_s: give up after so many seconds.
        extra: one more assertion, for this call only.
        solver: which one; the preferred one if None.

    Raises:
        InputError: no solver is installed, or not this one.
    """
    found = installed_solvers()
    if not found or (solver and solver not in found):
        wanted = solver.value if solver else "bitwuzla or z3-solver"
        raise InputError(f"proofs need {wanted}, not installed; run: pip install 'simhw[formal]'")
    text = f"{script}{f'(assert {extra})' if extra else ''}\n"
    decide = _bitwuzla if (solver or found[0]) is Solver.BITWUZLA else _z3
    return decide(text, script.declared, limit_s)


def _bitwuzla(text: str, declared: Mapping[str, int], limit_s: float) -> Solution:
    import bitwuzla

    options = bitwuzla.Options()
    options.set(bitwuzla.Option.PRODUCE_MODELS, True)
    options.set(bitwuzla.Option.TIME_LIMIT_PER, max(1, round(limit_s * 1000)))
    parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
    parser.parse(text, True, False)
    found = parser.bitwuzla()
    answer = {"sat": Answer.SATISFIABLE, "unsat": Answer.UNSATISFIABLE}.get(
        str(found.check_sat()).rpartition(".")[2].lower(), Answer.UNKNOWN
    )
    values = {}
    if answer is Answer.SATISFIABLE:
        values = {name: int(found.get_value(parser.parse_term(name)).value(10)) for name in declared}
    return Solution(answer=answer, values=values)


def _z3(text: str, declared: Mapping[str, int], limit_s: float) -> Solution:
    import z3

    solver = z3.SolverFor("QF_BVFP")
    solver.set("timeout", max(1, round(limit_s * 1000)))
    solver.from_string(text)
    result = solver.check()
    answer = {"sat": Answer.SATISFIABLE, "unsat": Answer.UNSATISFIABLE}.get(str(result), Answer.UNKNOWN)
    values = {}
    if answer is Answer.SATISFIABLE:
        model = solver.model()
        values = {
            name: model.eval(z3.BitVec(name, bits), model_completion=True).as_long() for name, bits in declared.items()
        }
    return Solution(answer=answer, values=values)
