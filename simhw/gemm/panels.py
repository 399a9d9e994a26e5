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


def over_panels(
    kernel: Kernel,
    a: NDArray[Any],
    b: NDArray[Any],
    *results: NDArray[Any],
    prepare: Callable[[NDArray[Any]], object] | None = None,
) -> None:
    """Add ``a`` (batch, m, k) times ``b`` (batch, n, k) to ``results[0]`` (batch, m, n), ``DEPTH`` products per pass.

    All have the kernel's float type. Passes follow the order of k and continue with the results of the one before;
    further results belong to the same outputs as the first. ``prepare`` makes a last argument of each block of ``a``,
    once for all panels.
    """
    from simhw.gemm.kernels.sequential import copy_transposed

    def work(i: int, first: int, last: int) -> None:
        count = last - first
        filled = -(-count // ROW_STEP) * ROW_STEP
        buffers = [np.zeros((filled, PANEL), result.dtype) for result in results]
        for k in range(0, a.shape[2], DEPTH):
            block = np.zeros((filled, min(DEPTH, a.shape[2] - k)), a.dtype)
            block[:count] = a[i, first:last, k : k + DEPTH]
            panel = np.zeros((block.shape[1], PANEL), b.dtype)
            prepared = () if prepare is None else (prepare(block),)
            for j in range(0, b.shape[1], PANEL):
                columns = b[i, j : j + PANEL, k : k + DEPTH]
                copy_transposed(columns, panel)
                panel[:, len(columns) :] = 0
                targets = [result[i, first:last, j : j + PANEL] for result in results]
                for buffer, target in zip(buffers, targets, strict=True):
                    buffer[:count, : len(columns)] = target
                kernel(block, panel, *buffers, *prepared)
                for buffer, target in zip(buffers, targets, strict=True):
                    target[:] = buffer[:count, : len(columns)]

    over_rows(work, a.shape[0], a.shape[1])
