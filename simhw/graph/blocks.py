"""Vector operators block by block: blocks fit into a cache, threads share them, and neither changes a bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simhw.gemm.threads import over_rows
from simhw.graph.base import FloatArray

BLOCK = 1 << 15
"""Elements of a block: its temporaries stay in a core's second-level cache."""


def by_blocks(function: Callable[[FloatArray], FloatArray], rows: FloatArray) -> FloatArray:
    """Return ``function(rows)`` in the shape of ``rows``; it maps each row ``rows[i]`` for itself."""
    out = np.empty(rows.shape, np.float32)
    size = max(1, BLOCK * len(rows) // max(1, rows.size))

    def work(_: int, first: int, last: int) -> None:
        for start in range(first, last, size):
            some = slice(start, min(start + size, last))
            out[some] = function(rows[some])

    if rows.size:
        over_rows(work, 1, len(rows), step=size)
    return out


def each(function: Callable[[FloatArray], FloatArray], values: FloatArray) -> FloatArray:
    """Return ``function(values)`` of a function that maps each element for itself."""
    return by_blocks(function, np.ascontiguousarray(values).reshape(-1)).reshape(values.shape)
