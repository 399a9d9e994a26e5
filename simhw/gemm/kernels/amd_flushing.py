"""fp32 products added in pairs, every result below the smallest normal number flushed to zero; columns in parallel."""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

PANEL = 128
SMALLEST_NORMAL = np.float32(2.0**-126)


@kernel
def flushing_sums(a: NDArray[np.float32], b: NDArray[np.float32], out: NDArray[np.float32], block: int) -> None:
    """Add blocks of 2 or 4 products to ``out`` (m, n), which holds c on entry; operands are (m, k) and (k, n).

    k is a multiple of ``block``; operands and c have been flushed already.
    """
    m, depth = a.shape
    n = b.shape[1]
    panel = np.zeros((depth, PANEL), np.float32)
    carried = np.zeros(PANEL, np.float32)
    for j0 in range(0, n, PANEL):
        width = min(PANEL, n - j0)
        for k in range(depth):
            for j in range(width):
                panel[k, j] = b[k, j0 + j]
        for i in range(m):
            for j in range(width):
                carried[j] = out[i, j0 + j]
            for k in range(0, depth, block):
                if block == 4:
                    add_four(a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3], panel[k : k + 4], carried)
                else:
                    add_two(a[i, k], a[i, k + 1], panel[k : k + 2], carried)
            for j in range(width):
                out[i, j0 + j] = carried[j]


@kernel
def add_four(a0: float, a1: float, a2: float, a3: float, b: NDArray[np.float32], carried: NDArray[np.float32]) -> None:
    """Set ``carried`` to ``carried + ((p0 + p1) + (p2 + p3))``."""
    for j in range(PANEL):
        low = _flush(_flush(a0 * b[0, j]) + _flush(a1 * b[1, j]))
        high = _flush(_flush(a2 * b[2, j]) + _flush(a3 * b[3, j]))
        carried[j] = _flush(carried[j] + _flush(low + high))


@kernel
def add_two(a0: float, a1: float, b: NDArray[np.float32], carried: NDArray[np.float32]) -> None:
    """Set ``carried`` to ``carried + (p0 + p1)``."""
    for j in range(PANEL):
        low = _flush(_flush(a0 * b[0, j]) + _flush(a1 * b[1, j]))
        carried[j] = _flush(carried[j] + low)


@nb.njit(cache=True, nogil=True, inline="always")
def _flush(x: float) -> float:
    return x * np.float32(0) if abs(x) < SMALLEST_NORMAL else x
