"""Reciprocal in float32 by a table and Newton's iteration; ``reciprocal_newton_256`` has a table of 256 entries.

``x = m 2**e`` with m from 1 up to 2, ``r = T[floor((m - 1) N)]``, the reciprocal of the interval's middle, then
``r = r (2 - m r)`` as often as the square of the error asks for 24 bits; the result is ``r 2**-e``, rounded once.
"""

from __future__ import annotations

from math import frexp
from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit
from simhw.sfu.exponential import fast_scaled, scaled
from simhw.sfu.table import ENTRIES, check_entries

TWO = np.float32(2)


def steps(entries: int) -> int:
    """Return the iterations after a table: the error is ``1 / (2 N)`` at first, and its square after each.

    >>> steps(64), steps(4096)
    (2, 1)
    """
    error, count = 1 / (2 * entries), 0
    while error > 2.0**-24:
        error, count = error**2, count + 1
    return count


def parts(x: np.float32) -> tuple[np.float32, int]:
    """Return ``(m, e)`` with ``|x| = m 2**e`` and m from 1 up to 2, for a finite x other than 0."""
    fraction, exponent = frexp(abs(float(x)))
    return np.float32(2 * fraction), exponent - 1


def value(x: np.float32, table: FloatArray) -> np.float32:
    """Return the reciprocal of one value."""
    if x != x or x == 0 or abs(x) == np.inf:
        with np.errstate(divide="ignore"):
            return np.float32(1) / x
    m, e = parts(x)
    r = np.float32(table[int((m - np.float32(1)) * np.float32(len(table)))])
    for _ in range(steps(len(table))):
        r = r * (TWO - m * r)
    r = scaled(r, -e)
    return -r if x < 0 else r


@kernel
def fast_parts(x: Any) -> tuple[Any, Any]:
    """Return ``parts(x)``, e as int32: fields of the number, a subnormal one after scaling by 2**24."""
    magnitude, offset = abs(x), np.int32(127)
    if magnitude < np.float32(1.1754943508222875e-38):
        magnitude, offset = magnitude * np.float32(16777216), np.int32(151)
    bits = np.float32(magnitude).view(np.int32)
    m = np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    return m, np.int32((bits >> np.int32(23)) - offset)


@kernel
def _reciprocal(x: FloatArray, out: FloatArray, table: FloatArray, iterations: int) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            v = x[row, i]
            if np.isnan(v) or v == 0 or np.isinf(v):
                out[row, i] = np.divide(np.float32(1), v)
                continue
            m, e = fast_parts(v)
            r = table[np.int64((m - np.float32(1)) * np.float32(table.size))]
            for _ in range(iterations):
                r = r * (np.float32(2) - m * r)
            r = fast_scaled(r, -e)
            out[row, i] = -r if v < 0 else r


def sized(entries: int) -> SpecialFunctionUnit:
    """Return the unit with another number of entries.

    Raises:
        InputError: the number is no power of two, or out of range.
    """
    check_entries("reciprocal_newton", entries)
    table = (1 / (1 + (np.arange(entries) + 0.5) / entries)).astype(np.float32)
    count = steps(entries)

    def compute(rows: FloatArray) -> FloatArray:
        out = np.empty_like(rows)
        _reciprocal(rows, out, table, count)
        return out

    return SpecialFunctionUnit(
        name="reciprocal_newton" + ("" if entries == ENTRIES else f"_{entries}"),
        description=f"reciprocal in float32 by a table of {entries} entries and {count} of Newton's iterations",
        source="Newton's iteration for a reciprocal, common practice; table size, float32 and no fused multiply-add "
        "are choices",
        function="reciprocal",
        extent=Extent.ELEMENT,
        definition=lambda row: [value(x, table) for x in row],
        kernel=compute,
        signals=(
            Signal(name="index", bits=(entries - 1).bit_length(), worst_case=f"{entries - 1}, a fraction just below 2"),
            Signal(name="estimate", bits=32, worst_case="float32, 0.5 to 1"),
            Signal(name="exponent", bits=9, worst_case="149, of the least subnormal number"),
        ),
        # A difference and two products each; two powers of two.
        work=VectorWork(adds=count, multiplies=2 * count + 2),
    )


UNIT = sized(ENTRIES)
