"""Strategies for codes of a format, and for values on and beside its boundaries."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simhw.formats import ElementFormat, decode, get_element_format
from simhw.formats.names import AnyFormat
from simhw.testing.boundaries import boundary_codes


def codes(fmt: str | AnyFormat, *, specials: bool = True) -> st.SearchStrategy[int]:
    """Return codes of an element format: those beside which something changes, and any.

    Args:
        fmt: name or record.
        specials: False leaves out the codes of NaN and infinity.

    Shrinks to code 0 and to small codes.
    """
    record = get_element_format(fmt)
    landmarks = st.sampled_from(_landmarks(record, specials))
    every = st.integers(0, record.code_count - 1)
    if not specials:
        every = every.filter(lambda code: math.isfinite(float(decode([code], record)[0])))
    return st.one_of(every, landmarks)


def code_arrays(
    fmt: str | AnyFormat, shape: int | tuple[int, ...] | st.SearchStrategy[tuple[int, ...]], *, specials: bool = True
) -> st.SearchStrategy[Any]:
    """Return arrays of codes in the format's code dtype; ``shape`` as in :func:`hypothesis.extra.numpy.arrays`."""
    record = get_element_format(fmt)
    return hnp.arrays(record.code_dtype, shape, elements=codes(record, specials=specials))


def values(fmt: str | AnyFormat, *, dtype: Any = np.float32) -> st.SearchStrategy[float]:
    """Return inputs for a cast to ``fmt``: on and beside every boundary, and between.

    The format's values, ties, the neighbours of both in float32 and in ``dtype``, subnormals, the ends of the range,
    both zeros, infinities, and NaN where the format has it. All of them are exact in ``dtype`` (float64 or float32).
    Shrinks to the format's values, then to small ones.

    >>> from hypothesis import find
    >>> find(values("e2m1"), lambda value: value > 3.25)
    4.0
    """
    record = get_element_format(fmt)
    magnitudes = _magnitudes(record)
    return _near_points((*magnitudes, math.inf, *([math.nan] if record.has_nan else [])), np.dtype(dtype))


@st.composite
def _near_points(draw: st.DrawFn, magnitudes: tuple[float, ...], kind: np.dtype) -> float:
    """Return a value of the format, the middle between two, another point between, or a neighbour of these.

    All cases take the same draws, in the order in which they should become simple: a shorter one, such as a special
    value from a list, would count as simpler than any value beside it.
    """
    nudge = draw(st.sampled_from([0, 1, -1]))
    in_float32 = draw(st.booleans())
    sixteenths = draw(st.sampled_from([0, 8, *range(1, 8), *range(9, 16)]))
    sign = draw(st.sampled_from([1.0, -1.0]))
    place = draw(st.integers(0, len(magnitudes) - 1))
    point = magnitudes[place]
    if sixteenths and place + 1 < len(magnitudes) and math.isfinite(magnitudes[place + 1]):
        point += (magnitudes[place + 1] - point) * sixteenths / 16
    with np.errstate(over="ignore", under="ignore"):
        value = (np.dtype(np.float32) if in_float32 else kind).type(point)
        if nudge:
            value = np.nextafter(value, value.dtype.type(nudge * math.inf))
        return sign * float(kind.type(value))


@lru_cache(maxsize=128)
def _landmarks(fmt: ElementFormat, specials: bool) -> list[int]:
    found = boundary_codes(fmt)
    if not specials:
        found = found[np.isfinite(decode(found, fmt))]
    return [int(code) for code in found]


@lru_cache(maxsize=128)
def _magnitudes(fmt: ElementFormat) -> tuple[float, ...]:
    """Return the distinct magnitudes at the format's boundaries, ascending, and some beyond its range."""
    found = np.abs(decode(boundary_codes(fmt), fmt).astype(np.float64))
    found = np.unique(found[np.isfinite(found)])
    largest = float(found[-1])
    beyond = {2 * largest, 4 * largest, 2.0**100, float(np.finfo(np.float32).max)}
    if len(found) > 1:
        beyond.add(2 * largest - float(found[-2]))
    return tuple(sorted({0.0, *found.tolist(), *(value for value in beyond if largest < value < math.inf)}))
