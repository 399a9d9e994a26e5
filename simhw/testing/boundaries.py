"""The inputs at which casts go wrong: values of a format, ties, their neighbours, the ends of its range, specials."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import (
    CodebookFormat,
    ElementFormat,
    FloatFormat,
    IntegerFormat,
    decode_exact,
    get_element_format,
    round_to,
)
from simhw.formats.arrays import FloatArray
from simhw.formats.element import power_of_two
from simhw.formats.names import AnyFormat
from simhw.testing.classes import InputClass

ALL_CODES = 1 << 10
"""Formats of up to this many codes are looked at code by code; of wider ones, runs around every power of two."""


def boundary_codes(fmt: str | AnyFormat, *, seed: int = 0) -> NDArray[np.uint32]:
    """Return the codes beside which something changes, ascending; all codes of formats of up to ten bits.

    Of wider formats: the ends, both sides of every power of two, of the first normal and the first special code, and
    one code drawn at random from every binade.
    """
    record = get_element_format(fmt)
    if record.code_count <= ALL_CODES:
        return np.arange(record.code_count, dtype=np.uint32)
    half = record.code_count // 2
    places = {0, half, record.code_count - 1}
    if isinstance(record, FloatFormat):
        step = 1 << record.mantissa_bits
        binades = range(0, record.top_code + 1, step)
        places |= {*binades, record.max_code, record.first_normal_code, record.top_code}
    elif isinstance(record, IntegerFormat):
        step = 0
        places |= {1 << place for place in range(record.bits)}
        places |= {record.code_count - (1 << place) for place in range(record.bits)}
    else:
        step = 0
        places |= set(range(0, record.code_count, max(1, record.code_count // ALL_CODES)))
    rng = np.random.default_rng(seed)
    if step > 1:
        places |= {start + int(rng.integers(step)) for start in binades}
    near = {place + offset for place in places for offset in (-2, -1, 0, 1, 2)}
    if isinstance(record, FloatFormat) and record.signed:
        near |= {place | record.sign_bit for place in near if 0 <= place < record.sign_bit}
    return np.array(sorted(code for code in near if 0 <= code < record.code_count), np.uint32)


def boundary_values(fmt: str | AnyFormat, *, dtype: Any = np.float32, seed: int = 0) -> FloatArray:
    """Return inputs of ``dtype`` that sit on and beside every boundary of a format, each once.

    The format's own values; the midpoints between neighbours; the neighbours of both in float32 and in ``dtype``;
    the ends of the range, the first value beyond it and the tie before that; the smallest value and its half; both
    zeros, tiny and huge numbers of ``dtype``, infinities, NaN. (NaN is left out where the format has none.)

    Args:
        fmt: name or record of an element format; of wide ones, :func:`boundary_codes` are looked at.
        dtype: float64 or float32; or float16 or ml_dtypes' bfloat16, of which every bit pattern is returned.
        seed: of the codes drawn from wide formats.

    Raises:
        InputError: another dtype.

    >>> [float(v) for v in boundary_values("e2m1")[:3]]
    [-inf, -3.4028234663852886e+38, -1.0000000150474662e+30]
    """
    record = get_element_format(fmt)
    kind = np.dtype(dtype)
    if kind.itemsize == 2 and kind.name in ("float16", "bfloat16"):
        every: FloatArray = np.arange(1 << 16, dtype=np.uint16).view(kind)
        return every if record.has_nan else every[~np.isnan(every.astype(np.float32))]
    if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise InputError(f"dtype is {kind}, must be float64, float32, float16 or bfloat16")
    found: set[float] = set()
    for exact in _exact_points(record, seed):
        found |= _beside(exact, kind)
    found |= {5e-324, 1e-310, 1e-45, 1e-30, 0.1, 1e30, 1e300, 3.4028234663852886e38}
    found |= {-value for value in found}
    with np.errstate(over="ignore", under="ignore"):
        finite = np.unique(np.array(sorted(found)).astype(kind))
    finite = finite[np.isfinite(finite) & (finite != 0)]
    specials = [0.0, -0.0, math.inf, *([math.nan] if record.has_nan else [])]
    return np.concatenate([[kind.type(-math.inf)], finite, np.array(specials, kind)])


def classify(values: FloatArray, fmt: ElementFormat) -> list[tuple[InputClass, ...]]:
    """Return the classes of each input."""
    with np.errstate(invalid="ignore"):  # NaN of ml_dtypes
        inputs = values.astype(np.float64)
    finite = np.isfinite(inputs)
    plain = np.where(finite, inputs, 0.0)
    low, high = (round_to(plain, fmt, rounding=way).astype(np.float64) for way in ("down", "up"))
    beyond = finite & ((plain > float(fmt.max_value)) | (plain < float(fmt.min_value)))
    inside = finite & ~beyond & (inputs != 0)
    middle = (low + high) / 2
    exact = inside & (low == plain)
    with np.errstate(over="ignore", invalid="ignore"):
        single = np.spacing(np.abs(plain).astype(np.float32)).astype(np.float64)
    tie = inside & ~exact & (plain == middle)
    near = inside & ~exact & ~tie & (np.abs(plain - middle) <= single)
    small = np.zeros_like(finite)
    if isinstance(fmt, FloatFormat) and fmt.has_zero:
        small = inside & (np.abs(plain) < float(fmt.smallest_normal))
    masks = {
        InputClass.EXACT: exact,
        InputClass.TIE: tie,
        InputClass.NEAR_TIE: near,
        InputClass.SUBNORMAL: small,
        InputClass.OVERFLOW: beyond,
        InputClass.INFINITY: np.isinf(inputs),
        InputClass.NAN: np.isnan(inputs),
        InputClass.SIGNED_ZERO: inputs == 0,
    }
    rows = np.array(list(masks.values())).T
    names = list(masks)
    return [tuple(itertools.compress(names, row)) or (InputClass.ORDINARY,) for row in rows.tolist()]


def _exact_points(fmt: ElementFormat, seed: int) -> set[Fraction]:
    """Return the values of the boundary codes, the midpoints after them, and the ends of the range."""
    codes = boundary_codes(fmt, seed=seed)
    values = sorted({v for c in codes.tolist() if isinstance(v := decode_exact(c, fmt), Fraction)})
    points = set(values)
    points |= {(low + high) / 2 for low, high in itertools.pairwise(values)}
    step = fmt.max_value - second if (second := _second_largest(fmt)) is not None else power_of_two(fmt.lsb_exponent)
    for end, outward in ((fmt.max_value, step), (fmt.min_value, -step)):
        points |= {end, end + outward / 2, end + outward, end + 2 * outward, 2 * end}
    smallest = power_of_two(fmt.lsb_exponent)
    points |= {smallest, smallest / 2, -smallest, -smallest / 2}
    return points


def _second_largest(fmt: ElementFormat) -> Fraction | None:
    """Return the value before the largest one."""
    if isinstance(fmt, CodebookFormat):
        return fmt.ascending[-2][0]
    if isinstance(fmt, FloatFormat):
        below = decode_exact(fmt.max_code - 1, fmt)
        return below if isinstance(below, Fraction) else None
    return fmt.max_value - power_of_two(fmt.lsb_exponent)


def _beside(exact: Fraction, kind: np.dtype) -> set[float]:
    """Return the numbers of ``kind`` at and beside a point, and their float32 neighbours."""
    try:
        value = float(exact)
    except OverflowError:
        return set()
    found = {value}
    with np.errstate(all="ignore"):
        single = np.float32(value)
        found |= {float(np.nextafter(single, np.float32(way))) for way in (-math.inf, math.inf)} | {float(single)}
    if kind == np.dtype(np.float64):
        found |= {math.nextafter(value, way) for way in (-math.inf, math.inf)}
    return {number for number in found if math.isfinite(number)}
