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
ROW_STEP = 4
"""Kernels get a multiple of this many rows, the last ones zero."""

Kernel = Callable[..., object]
"""Called with ``a`` (rows, k), ``panel`` (k, PANEL) and an array (rows, PANEL) per result; adds to the first."""


def over_panels(kernel: Kernel, a: NDArray[Any], b: NDArray[Any], *results: NDArray[Any], depth: int = DEPTH) -> None:
    """Add ``a`` (batch, m, k) times ``b`` (batch, n, k) to ``results[0]`` (batch, m, n), ``depth`` products per pass.

    All have the kernel's float type. Passes follow the order of k and continue with the results of the one before;
    further results belong to the same outputs as the first.
    """

    def work(i: int, first: int, last: int) -> None:
        count = last - first
        filled = -(-count // ROW_STEP) * ROW_STEP
        buffers = [np.zeros((filled, PANEL), result.dtype) for result in results]
        for k in range(0, a.shape[2], depth):
            block = np.zeros((filled, min(depth, a.shape[2] - k)), a.dtype)
            block[:count] = a[i, first:last, k : k + depth]
            panel = np.zeros((block.shape[1], PANEL), b.dtype)
            for j in range(0, b.shape[1], PANEL):
                columns = b[i, j : j + PANEL, k : k + depth]
                panel[:, : len(columns)] = columns.T
                panel[:, len(columns) :] = 0
                targets = [result[i, first:last, j : j + PANEL] for result in results]
                for buffer, target in zip(buffers, targets, strict=True):
                    buffer[:count, : len(columns)] = target
                kernel(block, panel, *buffers)
                for buffer, target in zip(buffers, targets, strict=True):
                    target[:] = buffer[:count, : len(columns)]

    over_rows(work, a.shape[0], a.shape[1])
