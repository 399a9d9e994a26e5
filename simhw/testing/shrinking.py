"""From a dot product that comes out wrong to a small one that still does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from simhw.formats import decode
from simhw.testing.operands import code_table
from simhw.testing.report import Size, size_of_value

MOST_CALLS = 400
"""Calls of the candidate that shrinking may take."""


@dataclass(frozen=True, kw_only=True)
class DotCase:
    """One dot product.

    Attributes:
        a, b: codes, equally many.
        c: addend.
        a_format, b_format: what they are codes of.
    """

    a: tuple[int, ...]
    b: tuple[int, ...]
    c: float
    a_format: str
    b_format: str

    @property
    def size(self) -> Size:
        """Orders cases from simple to complicated: few products, no addend, simple values."""
        simple = [size_of_value(v) for v in (*self.a_values, *self.b_values, self.c)]
        return (len(self.a), self.c != 0, *(sum(part[i] for part in simple) for i in range(4)))

    @property
    def a_values(self) -> tuple[float, ...]:
        """Values of a."""
        return _values(self.a, self.a_format)

    @property
    def b_values(self) -> tuple[float, ...]:
        """Values of b."""
        return _values(self.b, self.b_format)


def _values(codes: tuple[int, ...], name: str) -> tuple[float, ...]:
    return tuple(decode(list(codes), name).astype(float).tolist())


def shrink(case: DotCase, fails: Callable[[DotCase], bool]) -> DotCase:
    """Return a smaller case that still fails: fewer products, then a simpler addend, then simpler codes."""
    calls = 0
    changed = True
    while changed:
        changed = False
        for smaller in _smaller(case):
            if calls >= MOST_CALLS:
                return case
            if smaller.size >= case.size:
                continue
            calls += 1
            if fails(smaller):
                case, changed = smaller, True
                break
    return case


def _smaller(case: DotCase) -> Iterator[DotCase]:
    k = len(case.a)
    piece = k // 2
    while piece >= 1:
        for start in range(0, k, piece):
            keep = [i for i in range(k) if not start <= i < start + piece]
            if keep:
                yield replace(case, a=tuple(case.a[i] for i in keep), b=tuple(case.b[i] for i in keep))
        piece //= 2
    if case.c != 0:
        yield replace(case, c=0.0)
        yield replace(case, c=1.0)
    for place in range(k):
        for code in _simpler_codes(case.a_format, case.a_values[place]):
            yield replace(case, a=(*case.a[:place], code, *case.a[place + 1 :]))
        for code in _simpler_codes(case.b_format, case.b_values[place]):
            yield replace(case, b=(*case.b[:place], code, *case.b[place + 1 :]))


def _simpler_codes(name: str, value: float) -> list[int]:
    """Return the codes of zero and one, of the powers of two around a value, and of the smallest positive value."""
    table = code_table(name)
    wanted = [0.0, 1.0, float(table.values[table.values > 0][0])]
    if value and math.isfinite(value):
        power = math.copysign(2.0 ** (math.frexp(abs(value))[1] - 1), value)
        wanted += [power, 2 * power, abs(power), 2 * abs(power)]
    places = np.minimum(np.searchsorted(table.values, wanted), len(table.values) - 1)
    return list(dict.fromkeys(table.finite[places].tolist()))
