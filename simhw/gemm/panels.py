"""Sums of whole matrices by kernels that know one panel of columns: cutting, copying, threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.threads import over_rows

PANEL = 128
"""Columns per panel, as the kernels have it compiled in."""
DEPTH = 256
"""Products per pass: with it, a panel of b stays in the second-level cache."""

Kernel = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], None]
"""Adds ``a`` (rows, k) times ``panel`` (k, PANEL) to ``sums`` (rows, PANEL) in place, in the order of k."""


def over_panels(kernel: Kernel, a: NDArray[Any], b: NDArray[Any], out: NDArray[Any], depth: int = DEPTH) -> None:
    """Add ``a`` (batch, m, k) times ``b`` (batch, n, k) to ``out`` (batch, m, n), at most ``depth`` products per pass.

    All three have the kernel's float type. Passes follow the order of k and continue with the sums of the one before.
    """

    def work(i: int, first: int, last: int) -> None:
        rows = a[i, first:last]
        sums = np.zeros((last - first, PANEL), out.dtype)
        for k in range(0, a.shape[2], depth):
            block = np.ascontiguousarray(rows[:, k : k + depth])
            panel = np.zeros((block.shape[1], PANEL), b.dtype)
            for j in range(0, b.shape[1], PANEL):
                columns = b[i, j : j + PANEL, k : k + depth]
                panel[:, : len(columns)] = columns.T
                target = out[i, first:last, j : j + PANEL]
                sums[:, : len(columns)] = target
                kernel(block, panel, sums)
                target[:] = sums[:, : len(columns)]

    over_rows(work, a.shape[0], a.shape[1])
