"""Inputs that sit on and beside every boundary of a format, and a second definition to judge the first one by."""

import bisect
import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from simhw.formats import (
    CodebookFormat,
    ElementFormat,
    FloatFormat,
    IntegerFormat,
    NanCodes,
    Rounding,
    decode_exact,
    format_names,
    get_element_format,
)
from simhw.formats.catalog import ELEMENTS
from simhw.formats.element import power_of_two

ELEMENT_NAMES = [name for name in format_names() if name in ELEMENTS]

BYTE_NAMES = [name for name in ELEMENT_NAMES if ELEMENTS[name].bits <= 8]
COUNTABLE_NAMES = [name for name in ELEMENT_NAMES if ELEMENTS[name].bits <= 16]


def finite_values(fmt: ElementFormat, codes: range) -> dict[Fraction, int]:
    """Values of the codes that are numbers, with the lowest code of each."""
    values: dict[Fraction, int] = {}
    for code in codes:
        value = decode_exact(code, fmt)
        if isinstance(value, Fraction):
            values.setdefault(value, code)
    return values


def next_beyond(fmt: ElementFormat) -> Fraction:
    """The magnitude that would follow the largest value if the exponent had no upper end."""
    if not isinstance(fmt, FloatFormat):
        return fmt.max_value + power_of_two(fmt.lsb_exponent)
    plain = replace(fmt, infinity=False, nan=NanCodes.NONE)
    if fmt.max_code < plain.top_code:
        following = decode_exact(fmt.max_code + 1, plain)
        assert isinstance(following, Fraction)
        return following
    return power_of_two(fmt.max_exponent + 1)


def _codes_to_look_at(fmt: ElementFormat) -> list[range]:
    """All codes up to 8 bits; of wider formats short runs around the ends of each sign and spread in between."""
    count = fmt.code_count
    if count <= 256:
        return [range(count)]
    starts = {0, count // 2 - 8, count // 2, count - 8, *(count * part // 7 + part for part in range(1, 7))}
    if isinstance(fmt, FloatFormat):
        starts |= {fmt.max_code - 4, fmt.first_normal_code - 4}
    return [range(max(start, 0), min(start + 8, count)) for start in sorted(starts)]


@pytest.fixture(scope="session")
def boundary_points() -> Callable[[ElementFormat], np.ndarray]:
    """float64 inputs of a format: its values, the midpoints, their float64 and float32 neighbours, specials."""

    def points(fmt: ElementFormat) -> np.ndarray:
        exact: set[Fraction] = set()
        for run in _codes_to_look_at(fmt):
            values = sorted(finite_values(fmt, run))
            exact.update(values)
            exact.update((low + high) / 2 for low, high in itertools.pairwise(values))
        for end in (fmt.max_value, next_beyond(fmt)):
            exact.update((end, -end, end * 2, -end * 2))
        exact.update(side * (fmt.max_value + next_beyond(fmt)) / 2 for side in (1, -1))
        exact.update(side * power_of_two(fmt.lsb_exponent) / 2 for side in (1, -1))
        found = {float(value) for value in exact}
        with np.errstate(all="ignore"):
            for value in list(found):
                single = np.float32(value)
                found.update(math.nextafter(value, toward) for toward in (math.inf, -math.inf))
                found.update(float(np.nextafter(single, np.float32(toward))) for toward in (np.inf, -np.inf))
        found |= {0.0, 5e-324, -5e-324, 1e-45, 1e-310, 1e300, -1e300, 3.4028234663852886e38, 0.1, -0.1}
        inputs = sorted(value for value in found if math.isfinite(value))
        return np.array([*inputs, -0.0])

    return points


def odd(fmt: ElementFormat, values: list[Fraction], codes: list[int], rank: int) -> bool:
    """Parity of the code; for codebooks, whose codes are in any order, of the place counted from the least value."""
    if isinstance(fmt, CodebookFormat):
        nearest_zero = min(values, key=lambda value: (abs(value), value < 0))
        return (rank - values.index(nearest_zero)) % 2 == 1
    return codes[rank] % 2 == 1


@pytest.fixture(scope="session")
def nearest_by_search() -> Callable[[Fraction, ElementFormat, Rounding], int | None]:
    """Round by looking the neighbours up in the sorted list of all values; None beyond the largest."""
    tables: dict[str, tuple[list[Fraction], list[int]]] = {}

    def search(value: Fraction, fmt: ElementFormat, rounding: Rounding) -> int | None:
        if fmt.name not in tables:
            values = finite_values(fmt, range(fmt.code_count))
            if isinstance(fmt, IntegerFormat) and fmt.symmetric:
                del values[fmt.min_value]  # decoded, but never made
            tables[fmt.name] = (sorted(values), [values[key] for key in sorted(values)])
        values, codes = tables[fmt.name]
        at = bisect.bisect_left(values, value)
        if at < len(values) and values[at] == value:
            return codes[at]
        if at in (0, len(values)):
            return None
        low, high = values[at - 1], values[at]
        inner, outer = (at - 1, at) if abs(low) < abs(high) else (at, at - 1)
        middle = (low + high) / 2
        if rounding is Rounding.NEAREST_EVEN:
            odd_inner = odd(fmt, values, codes, inner)
            chosen = (outer if odd_inner else inner) if value == middle else at - 1 if value < middle else at
        elif rounding is Rounding.NEAREST_AWAY:
            chosen = outer if value == middle else at - 1 if value < middle else at
        else:
            chosen = {
                Rounding.TOWARD_ZERO: inner,
                Rounding.UP: at,
                Rounding.DOWN: at - 1,
                Rounding.TO_ODD: inner if odd(fmt, values, codes, inner) else outer,
            }[rounding]
        return codes[chosen]

    return search


@pytest.fixture(params=ELEMENT_NAMES)
def element(request: pytest.FixtureRequest) -> ElementFormat:
    """Each element format of the catalogue."""
    return get_element_format(request.param)


@pytest.fixture(params=BYTE_NAMES)
def byte_element(request: pytest.FixtureRequest) -> ElementFormat:
    """Each element format of at most 8 bits."""
    return get_element_format(request.param)


@pytest.fixture(params=COUNTABLE_NAMES)
def countable_element(request: pytest.FixtureRequest) -> ElementFormat:
    """Each element format of at most 16 bits."""
    return get_element_format(request.param)
