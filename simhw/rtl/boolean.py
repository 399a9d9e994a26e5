"""Boolean expressions of liberty files, as truth tables over named inputs."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError

_TOKEN = re.compile(r"\s*(?:([A-Za-z_]\w*(?:\[\d+\])?)|([01])|(.))")

Truth = NDArray[np.bool_]
"""One value for each state of the inputs; input i is bit i of the state's number."""


def truth_table(expression: str, inputs: Sequence[str]) -> Truth:
    """Return the value of ``expression`` in each of the ``2 ** len(inputs)`` states.

    Operators, from the tightest: ``!a`` and ``a'``; ``a & b``, ``a * b`` and ``a b``; ``a ^ b``; ``a | b`` and
    ``a + b``.

    Raises:
        InputError: the expression is not complete, or names something that is no input.

    >>> truth_table("!(A * B)", ["A", "B"]).tolist()
    [True, True, True, False]
    """
    return _Parser(expression, inputs).parse()


class _Parser:
    """Recursive descent; every value is a whole truth table."""

    def __init__(self, expression: str, inputs: Sequence[str]) -> None:
        self.expression = expression
        states = np.arange(2 ** len(inputs))
        self.tables = {name: (states >> place & 1).astype(bool) for place, name in enumerate(inputs)}
        self.constants = {"0": np.zeros(len(states), bool), "1": np.ones(len(states), bool)}
        self.tokens = [name or digit or sign for name, digit, sign in _TOKEN.findall(expression.strip())]
        self.place = 0

    def parse(self) -> Truth:
        value = self._or()
        if self.place < len(self.tokens):
            raise self._error(f"{self.tokens[self.place]!r} is left over")
        return value

    def _error(self, what: str) -> InputError:
        return InputError(
            f"the expression {self.expression!r} cannot be read ({what}), allowed are ! ' & * | + ^ ( ) 0 1 and the "
            f"inputs {', '.join(self.tables) or '(none)'}; correct the liberty file"
        )

    def _peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def _or(self) -> Truth:
        value = self._xor()
        while self._peek() in ("|", "+"):
            self.place += 1
            value = value | self._xor()
        return value

    def _xor(self) -> Truth:
        value = self._and()
        while self._peek() == "^":
            self.place += 1
            value = value ^ self._and()
        return value

    def _and(self) -> Truth:
        value = self._not()
        while True:
            token = self._peek()
            if token in ("&", "*"):
                self.place += 1
            elif not (token in ("!", "(", "0", "1") or token in self.tables):
                return value
            value = value & self._not()

    def _not(self) -> Truth:
        if self._peek() == "!":
            self.place += 1
            return ~self._not()
        value = self._atom()
        while self._peek() == "'":
            self.place += 1
            value = ~value
        return value

    def _atom(self) -> Truth:
        token = self._peek()
        self.place += 1
        if token == "(":
            value = self._or()
            if self._peek() != ")":
                raise self._error("a closing parenthesis is missing")
            self.place += 1
            return value
        if token in self.tables:
            return self.tables[token]
        if token in self.constants:
            return self.constants[token]
        raise self._error(f"{token!r} is not known" if token else "it ends too early")
