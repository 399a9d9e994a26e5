"""A function by a table of equal intervals over -8..8, a line in each, and a line beyond either end, in float32.

``p = (x + 8) * (n / 16)``, ``i = floor(p)``, ``f = p - i``, ``y = t[i] + f * (t[i + 1] - t[i])``. Entries are the
function's values rounded to float32; n is a power of two, so that the interval is read off the bits of ``x + 8``.
The table with linear interpolation is common practice, its range and size are choices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork
from simhw.errors import InputError
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit

END = 8
ENTRIES = 64
MOST_ENTRIES = 1 << 16

Ends = tuple[tuple[float, float], tuple[float, float]]
"""``(slope, offset)`` of the line below -8, and of that above 8."""


def table_unit(
    function: str, curve: Callable[[NDArray[np.float64]], NDArray[np.float64]], ends: Ends, entries: int
) -> SpecialFunctionUnit:
    """Return the unit of a table with ``entries`` intervals.

    Raises:
        InputError: the number is no power of two, or out of range.
    """
    check_entries(f"{function}_table", entries)
    table = curve(np.linspace(-END, END, entries + 1)).astype(np.float32)
    lines = np.array(ends, np.float32)

    def definition(row: Sequence[np.float32]) -> list[np.float32]:
        return [_value(x, table, lines) for x in row]

    def compute(rows: FloatArray) -> FloatArray:
        out = np.empty_like(rows)
        _interpolate(rows, out, table, lines, np.float32(END), np.float32(entries / (2 * END)))
        return out

    return SpecialFunctionUnit(
        name=f"{function}_table" + ("" if entries == ENTRIES else f"_{entries}"),
        description=f"{function} by a table of {entries} intervals over -8..8 with linear interpolation",
        source="a table with linear interpolation, common practice; range, size and float32 are choices",
        function=function,
        extent=Extent.ELEMENT,
        definition=definition,
        kernel=compute,
        signals=(
            Signal(name="index", bits=max(1, (entries - 1).bit_length()), worst_case=f"{entries - 1} below 8"),
            Signal(name="entry", bits=32, worst_case="float32"),
            Signal(name="fraction", bits=32, worst_case="float32, 0 up to 1"),
        ),
        # x + 8, fraction, difference (or stored beside the entry), sum; the scaling and the product.
        work=VectorWork(adds=4, multiplies=2),
    )


def check_entries(name: str, entries: int) -> None:
    """Raise InputError for a number of intervals that is no power of two, or out of range."""
    if not 2 <= entries <= MOST_ENTRIES or entries & (entries - 1):
        raise InputError(f"{name} was given {entries} intervals, must be a power of two, 2..{MOST_ENTRIES}; choose one")


def _value(x: np.float32, table: FloatArray, lines: FloatArray) -> np.float32:
    if x != x:
        return x
    if abs(x) >= END:
        slope, offset = lines[int(x > 0)]
        return np.float32(offset if slope == 0 else slope * x + offset)
    position = (x + np.float32(END)) * np.float32((len(table) - 1) / (2 * END))
    index = min(int(position), len(table) - 2)
    fraction = position - np.float32(index)
    below, above = np.float32(table[index]), np.float32(table[index + 1])
    return below + fraction * (above - below)


@kernel
def _interpolate(x: FloatArray, out: FloatArray, table: FloatArray, lines: FloatArray, end: Any, density: Any) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            value = x[row, i]
            if not (abs(value) < end):
                side = np.int64(value > 0)
                slope, offset = lines[side, 0], lines[side, 1]
                tail = offset if slope == 0 else slope * value + offset
                out[row, i] = value if np.isnan(value) else tail
            else:
                position = (value + end) * density
                index = min(np.int64(position), np.int64(table.size - 2))
                fraction = position - np.float32(index)
                out[row, i] = table[index] + fraction * (table[index + 1] - table[index])
