"""Operands of dot products that find what an accumulator does wrong, drawn from codes of any format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simhw.formats import ElementFormat, decode, get_element_format
from simhw.testing.boundaries import boundary_codes
from simhw.testing.classes import InputClass

STRESSES = (
    InputClass.CANCELLATION,
    InputClass.SATURATION,
    InputClass.ALIGNMENT,
    InputClass.SPREAD,
)
"""The ways in which :func:`stressed_codes` draws finite operands."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CodeTable:
    """The codes of a format by what they stand for.

    Attributes:
        format: the format.
        finite: codes of numbers, ascending by value.
        values: their values.
        special: codes of infinities and NaN.
    """

    format: ElementFormat
    finite: NDArray[np.uint32]
    values: NDArray[np.float64]
    special: NDArray[np.uint32]
    by_magnitude: NDArray[np.uint32] = field(repr=False)

    def negated(self, codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return codes of the negated values, or of the nearest ones that the format has."""
        wanted = -decode(codes, self.format).astype(np.float64)
        at = np.clip(np.searchsorted(self.values, wanted), 0, len(self.values) - 1)
        return self.finite[at]


@lru_cache(maxsize=64)
def code_table(name: str) -> CodeTable:
    """Return the table of a format: all codes up to 16 bits, boundary codes beyond."""
    fmt = get_element_format(name)
    codes = np.arange(fmt.code_count, dtype=np.uint32) if fmt.bits <= 16 else boundary_codes(fmt)
    values = decode(codes, fmt).astype(np.float64)
    number = np.isfinite(values)
    order = np.argsort(values[number], kind="stable")
    finite, ascending = codes[number][order], values[number][order]
    return CodeTable(
        format=fmt,
        finite=finite,
        values=ascending,
        special=codes[~number],
        by_magnitude=finite[np.argsort(np.abs(ascending), kind="stable")],
    )


def stressed_codes(
    stress: InputClass, k: int, a_format: str, b_format: str, rng: np.random.Generator
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return codes of ``k`` operand pairs that stress an accumulator in one way.

    * CANCELLATION: large products, their negations, and small products that remain, in a random order;
    * SATURATION: products from the largest tenth of both formats, all of one sign but for a few;
    * ALIGNMENT: one or two large products, the others small, so that they lie around the cut;
    * SPREAD: codes drawn uniformly, i.e. with all exponents;
    * SPECIALS: the same with infinities, NaN and zeros of both signs.
    """
    a, b = code_table(a_format), code_table(b_format)
    if stress is InputClass.SATURATION:
        x, y = (_top(table, k, 0.1, rng) for table in (a, b))
        x, y = _same_sign(a, x, b, y)
        flip = rng.random(k) < rng.choice([0.0, 0.1])
        return np.where(flip, a.negated(x), x), y
    if stress is InputClass.CANCELLATION:
        half = k // 3
        x, y = _top(a, half, 0.5, rng), _top(b, half, 0.5, rng)
        rest = k - 2 * half
        x = np.concatenate([x, a.negated(x), _low(a, rest, 0.5, rng)])
        y = np.concatenate([y, y, _low(b, rest, 0.5, rng)])
        order = rng.permutation(k) if rng.random() < 0.7 else np.arange(k)
        return x[order], y[order]
    if stress is InputClass.ALIGNMENT:
        part = rng.choice([0.2, 0.5, 0.8])
        x, y = _low(a, k, part, rng), _low(b, k, part, rng)
        if rng.random() < 0.5:
            x, y = _same_sign(a, x, b, y)
        large = rng.integers(k, size=min(k, int(rng.integers(1, 3))))
        x[large], y[large] = _top(a, len(large), 0.3, rng), _top(b, len(large), 0.3, rng)
        return x, y
    x, y = rng.choice(a.finite, k), rng.choice(b.finite, k)
    if stress is InputClass.SPECIALS:
        for codes, table in ((x, a), (y, b)):
            pool = np.concatenate([table.special, table.by_magnitude[:2]])
            places = rng.random(k) < 1.5 / k
            codes[places] = rng.choice(pool, int(places.sum()))
    return x, y


def stresses_of(a_format: str, b_format: str) -> tuple[InputClass, ...]:
    """Return the ways to draw operands of two formats: SPECIALS only where one of them has infinity or NaN."""
    special = len(code_table(a_format).special) + len(code_table(b_format).special) > 0
    return (*STRESSES, InputClass.SPECIALS) if special else STRESSES


def single_products(a_format: str, b_format: str, most: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Yield every pair of finite codes if there are at most ``most``, else as many pairs drawn at random."""
    a, b = code_table(a_format).finite, code_table(b_format).finite
    if len(a) * len(b) <= most:
        yield from ((int(x), int(y)) for x in a for y in b)
        return
    pairs = zip(rng.choice(a, most).tolist(), rng.choice(b, most).tolist(), strict=True)
    yield from pairs


def _top(table: CodeTable, count: int, part: float, rng: np.random.Generator) -> NDArray[np.uint32]:
    """Draw from the codes with the largest magnitudes."""
    size = max(1, int(len(table.by_magnitude) * part))
    return rng.choice(table.by_magnitude[-size:], count)


def _low(table: CodeTable, count: int, part: float, rng: np.random.Generator) -> NDArray[np.uint32]:
    """Draw from the codes with the smallest magnitudes."""
    size = max(2, int(len(table.by_magnitude) * part))
    return rng.choice(table.by_magnitude[:size], count)


def _same_sign(
    a: CodeTable, x: NDArray[np.uint32], b: CodeTable, y: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the operands with signs changed so that no product is negative, where the formats have the signs."""
    negative = decode(x, a.format).astype(np.float64) * decode(y, b.format).astype(np.float64) < 0
    return np.where(negative, a.negated(x), x), y
