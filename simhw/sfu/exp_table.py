"""exp in float32 by a table of ``2**f`` with linear interpolation; ``exp_table_256`` has 256 intervals.

``t = x log2(e)``, ``n = floor(t)``, ``p = (t - n) N``, ``i = floor(p)``,
``y = (T[i] + (p - i) (T[i + 1] - T[i])) 2**n``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit
from simhw.sfu.exponential import CONSTANTS, LIMIT, fast_scaled, scaled
from simhw.sfu.table import ENTRIES, check_entries


def value(x: np.float32, table: FloatArray) -> np.float32:
    """Return ``exp(x)`` by a table of ``2**f`` at both ends of every interval."""
    if x != x:
        return x
    t = max(-LIMIT, min(LIMIT, x)) * CONSTANTS[0]
    n = np.floor(t)
    position = (t - n) * np.float32(len(table) - 1)
    index = min(int(position), len(table) - 2)
    below, above = np.float32(table[index]), np.float32(table[index + 1])
    return scaled(below + (position - np.float32(index)) * (above - below), int(n))


@kernel
def _exp(x: FloatArray, out: FloatArray, table: FloatArray, log2e: Any, limit: Any) -> None:
    entries = np.float32(table.size - 1)
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            if np.isnan(x[row, i]):
                out[row, i] = x[row, i]
                continue
            t = max(-limit, min(limit, x[row, i])) * log2e
            n = np.floor(t)
            position = (t - n) * entries
            index = min(np.int64(position), np.int64(table.size - 2))
            line = table[index] + (position - np.float32(index)) * (table[index + 1] - table[index])
            out[row, i] = fast_scaled(line, np.int32(n))


def sized(entries: int) -> SpecialFunctionUnit:
    """Return the unit with another number of intervals.

    Raises:
        InputError: the number is no power of two, or out of range.
    """
    check_entries("exp_table", entries)
    table = np.exp2(np.linspace(0, 1, entries + 1)).astype(np.float32)

    def definition(row: Sequence[np.float32]) -> list[np.float32]:
        return [value(x, table) for x in row]

    def compute(rows: FloatArray) -> FloatArray:
        out = np.empty_like(rows)
        _exp(rows, out, table, CONSTANTS[0], LIMIT)
        return out

    return SpecialFunctionUnit(
        name="exp_table" + ("" if entries == ENTRIES else f"_{entries}"),
        description=f"exp by a table of {entries} intervals of 2^f with linear interpolation",
        source="a table of the fraction's power of two with linear interpolation, common practice; size and float32 "
        "are choices",
        function="exp",
        extent=Extent.ELEMENT,
        definition=definition,
        kernel=compute,
        signals=(
            Signal(name="index", bits=(entries - 1).bit_length(), worst_case=f"{entries - 1}, a fraction just below 1"),
            Signal(name="entry", bits=32, worst_case="float32, 1 to 2"),
            Signal(name="exponent", bits=9, worst_case="held within -200 and 200"),
        ),
        # Floor, t - n, fraction, difference (or stored beside the entry), sum; log2(e), N, the product, 2 powers.
        work=VectorWork(adds=5, multiplies=5),
    )


UNIT = sized(ENTRIES)
