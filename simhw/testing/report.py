"""What a conformance check returns: how often a candidate agrees, and the smallest case where it does not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from simhw.testing.classes import InputClass

Number = Fraction | float
"""An exact value; ``float`` for infinities, NaN and -0."""

Size = tuple[Any, ...]
"""What orders cases from simple to complicated."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """One operand of a case.

    Attributes:
        name: what it is (``a``, ``b``, ``value``, ``code``).
        values: its values.
        codes: their codes, where it has any.
    """

    name: str
    values: tuple[Number, ...]
    codes: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One case in which the candidate is wrong.

    Attributes:
        classes: what is special about it.
        inputs: the operands.
        expected: what the definition gives.
        got: what the candidate gave.
        expected_code, got_code: their codes, where the result is a code.
        ulps: ``got - expected`` in units of the last place of the result's format; None with infinities and NaN.
    """

    classes: tuple[InputClass, ...]
    inputs: tuple[Input, ...]
    expected: Number
    got: Number
    expected_code: int | None = None
    got_code: int | None = None
    ulps: float | None = None

    @property
    def line(self) -> str:
        """The case in one line."""
        given = ", ".join(_values(operand, 4) for operand in self.inputs)
        return f"{given} -> {show(self.got)}, expected {show(self.expected)}"

    def __str__(self) -> str:
        rows = [(operand.name, _operand(operand)) for operand in self.inputs]
        rows.append(("expected", _result(self.expected, self.expected_code)))
        off = "" if self.ulps is None else f", {self.ulps:+g} ulp"
        rows.append(("got", _result(self.got, self.got_code) + off))
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"  {name:<{width}}  {text}" for name, text in rows)


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many inputs of a class were tried, and how many of them came out wrong."""

    tried: int
    wrong: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """Result of a conformance check. ``print(report)`` shows all of it; ``assert report.agrees, report`` in a test.

    Attributes:
        subject: what was checked, against what.
        coverage: how the inputs were chosen.
        tried: number of inputs.
        wrong: number of inputs on which the candidate disagrees.
        counts: the same by class; classes overlap.
        first: the smallest disagreement, None if there is none.
        examples: the smallest disagreement of each class.
    """

    subject: str
    coverage: str
    tried: int
    wrong: int
    counts: Mapping[InputClass, Count]
    first: Disagreement | None
    examples: Mapping[InputClass, Disagreement] = field(repr=False)

    @property
    def agrees(self) -> bool:
        """Whether no input came out wrong."""
        return self.wrong == 0

    def __str__(self) -> str:
        head = f"{self.subject}: {self.wrong} of {self.tried} inputs disagree ({self.coverage})"
        width = max((len(name) for name in self.counts), default=5)
        lines = [head, f"  {'class':<{width}}  {'tried':>7}  {'wrong':>7}"]
        for name, count in self.counts.items():
            example = f"  {self.examples[name].line}" if name in self.examples else ""
            lines.append(f"  {name:<{width}}  {count.tried:>7}  {count.wrong:>7}{example}".rstrip())
        if self.first is not None:
            lines += [f"smallest disagreement ({', '.join(self.first.classes)}):", str(self.first)]
        return "\n".join(lines)


class Tally:
    """Collects cases while a check runs, and keeps the smallest disagreement of each class."""

    def __init__(self) -> None:
        self._tried: dict[InputClass, int] = {}
        self._wrong: dict[InputClass, int] = {}
        self._best: dict[InputClass, tuple[Size, Disagreement]] = {}
        self._total = 0
        self._total_wrong = 0

    def add(
        self,
        classes: Iterable[InputClass],
        disagreement: Disagreement | None = None,
        size: Size = (),
    ) -> None:
        """Count one case; ``size`` orders disagreements (smaller is simpler)."""
        self._total += 1
        self._total_wrong += disagreement is not None
        for name in classes:
            self._tried[name] = self._tried.get(name, 0) + 1
            if disagreement is not None:
                self._wrong[name] = self._wrong.get(name, 0) + 1
                if name not in self._best or size < self._best[name][0]:
                    self._best[name] = (size, disagreement)

    @property
    def smallest(self) -> Disagreement | None:
        """The smallest disagreement so far."""
        return min(self._best.values(), key=lambda pair: pair[0])[1] if self._best else None

    def report(self, subject: str, coverage: str, first: Disagreement | None = None) -> Report:
        """Return the finished report; ``first`` replaces the smallest disagreement (after shrinking)."""
        return Report(
            subject=subject,
            coverage=coverage,
            tried=self._total,
            wrong=self._total_wrong,
            counts={
                n: Count(tried=self._tried[n], wrong=self._wrong.get(n, 0)) for n in InputClass if n in self._tried
            },
            first=first or self.smallest,
            examples={n: self._best[n][1] for n in InputClass if n in self._best},
        )

    def _count(self, name: InputClass) -> Count:
        return Count(tried=self._tried[name], wrong=self._wrong.get(name, 0))


def show(value: Number) -> str:
    """Return a value in decimal digits that say it exactly, or in hexadecimal where those would be long.

    >>> show(Fraction(17, 16)), show(2.0**-133), show(-0.0)
    ('1.0625', '0x1p-133', '-0.0')
    """
    number = float(value) if _fits(value) else None
    if number is None:
        return str(value)
    text = repr(number)
    if not math.isfinite(number) or len(text) <= 12:
        return text
    digits, _, exponent = number.hex().partition("p")
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}"


def size_of_value(value: Number) -> Size:
    """Return a key that orders values from simple to complicated: finite, few digits, near 1, positive."""
    number = float(value)
    if not math.isfinite(number):
        return (1, 0, 0, number < 0)
    if number == 0:
        return (0, 0, 0, math.copysign(1.0, number) < 0)
    mantissa, exponent = math.frexp(abs(number))
    scaled = int(math.ldexp(mantissa, 53))
    digits = scaled.bit_length() - ((scaled & -scaled).bit_length() - 1)
    return (0, digits, abs(exponent - 1), number < 0)


def same(expected: Number, got: Number, *, sign_of_zero: bool = True) -> bool:
    """Return whether two results are the same: all NaN are, and +0 is not -0 unless ``sign_of_zero`` is False."""
    if _is_nan(expected) or _is_nan(got):
        return _is_nan(expected) and _is_nan(got)
    if expected != got:
        return False
    return not sign_of_zero or expected != 0 or _negative(expected) == _negative(got)


def _is_nan(value: Number) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _negative(value: Number) -> bool:
    return math.copysign(1.0, value) < 0 if isinstance(value, float) else value < 0


def _fits(value: Number) -> bool:
    if isinstance(value, float):
        return True
    try:
        return Fraction(float(value)) == value
    except OverflowError:
        return False


def _values(operand: Input, most: int) -> str:
    texts = [show(value) for value in operand.values[:most]]
    if len(operand.values) > most:
        texts.append(f"... ({len(operand.values)})")
    return texts[0] if len(operand.values) == 1 else f"{operand.name} [{' '.join(texts)}]"


def _operand(operand: Input) -> str:
    values = " ".join(show(value) for value in operand.values)
    if operand.codes is None:
        return values
    return f"{values}  (code{'s' * (len(operand.codes) > 1)} {' '.join(f'{code:#x}' for code in operand.codes)})"


def _result(value: Number, code: int | None) -> str:
    return show(value) if code is None else f"{show(value)}  (code {code:#x})"
