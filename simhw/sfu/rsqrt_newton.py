"""Reciprocal root in float32 by a table and Newton's iteration; ``rsqrt_newton_256`` has a table of 256 entries.

``x = m 4**k`` with m from 1 up to 4, half of the table for either octave of m, an entry the reciprocal root of its
interval's middle, then ``r = r (1.5 - (0.5 m) (r r))`` as often as 24 bits ask for; the result is ``r 2**-k``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit
from simhw.sfu.exponential import fast_scaled, scaled
from simhw.sfu.reciprocal_newton import fast_parts, parts
from simhw.sfu.table import ENTRIES, check_entries

HALF, ONE_AND_HALF = np.float32(0.5), np.float32(1.5)


def steps(entries: int) -> int:
    """Return the iterations after a table: the error is ``1 / (2 N)`` at first, ``1.5`` times its square after each.

    >>> steps(64), steps(4096)
    (2, 1)
    """
    error, count = 1 / (2 * entries), 0
    while error > 2.0**-24:
        error, count = 1.5 * error**2, count + 1
    return count


def value(x: np.float32, table: FloatArray) -> np.float32:
    """Return the reciprocal root of one value; of a negative one it is NaN."""
    if x != x or x <= 0 or x == np.inf:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.float32(np.float32(1) / np.sqrt(x))
    m, e = parts(x)
    half = len(table) // 2
    index = int((m - np.float32(1)) * np.float32(half)) + half * (e % 2)
    halved = HALF * (m + m if e % 2 else m)
    r = np.float32(table[index])
    for _ in range(steps(len(table))):
        r = r * (ONE_AND_HALF - halved * (r * r))
    return scaled(r, -(e // 2))


@kernel
def fast_value(v: Any, table: FloatArray, iterations: int) -> Any:
    """Return ``value(v, table)``."""
    if np.isnan(v) or v <= 0 or np.isinf(v):
        return np.divide(np.float32(1), np.sqrt(v))
    half = table.size // 2
    m, e = fast_parts(v)
    odd = np.int64(e) & 1
    r = table[np.int64((m - np.float32(1)) * np.float32(half)) + half * odd]
    halved = np.float32(0.5) * (m + m if odd else m)
    for _ in range(iterations):
        r = r * (np.float32(1.5) - halved * (r * r))
    return fast_scaled(r, -np.int32(e >> np.int32(1)))


@kernel
def _rsqrt(x: FloatArray, out: FloatArray, table: FloatArray, iterations: int) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            out[row, i] = fast_value(x[row, i], table, iterations)


def roots(name: str, entries: int) -> FloatArray:
    """Return the table of a unit: the reciprocal roots of the middles of its intervals.

    Raises:
        InputError: the number of entries is no power of two, or out of range.
    """
    check_entries(name, entries)
    middles = 1 + (np.arange(entries // 2) + 0.5) / (entries // 2)
    return np.asarray(1 / np.sqrt(np.concatenate([middles, 2 * middles])), np.float32)


def sized(entries: int) -> SpecialFunctionUnit:
    """Return the unit with another number of entries.

    Raises:
        InputError: the number is no power of two, or out of range.
    """
    table, count = roots("rsqrt_newton", entries), steps(entries)

    def compute(rows: FloatArray) -> FloatArray:
        out = np.empty_like(rows)
        _rsqrt(rows, out, table, count)
        return out

    return SpecialFunctionUnit(
        name="rsqrt_newton" + ("" if entries == ENTRIES else f"_{entries}"),
        description=f"reciprocal root in float32 by a table of {entries} entries and {count} of Newton's iterations",
        source="Newton's iteration for a reciprocal root, common practice; table size, float32 and no fused "
        "multiply-add are choices",
        function="rsqrt",
        extent=Extent.ELEMENT,
        definition=lambda row: [value(x, table) for x in row],
        kernel=compute,
        signals=(
            Signal(name="index", bits=(entries - 1).bit_length(), worst_case=f"{entries - 1}, just below a power of 4"),
            Signal(name="estimate", bits=32, worst_case="float32, 0.5 to 1"),
            Signal(name="exponent", bits=8, worst_case="75, of the least subnormal number"),
        ),
        # A difference and three products each; half of m, two powers of two.
        work=VectorWork(adds=count, multiplies=3 * count + 3),
    )


UNIT = sized(ENTRIES)
