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
"""Products per call: with it, the part of a panel that a call reads stays in the second-level cache."""
ROWS = 128
"""Rows per call: with it, their results stay there as well. A multiple of ROW_STEP."""
ROW_STEP = 4
"""Kernels get a multiple of this many rows, the last ones zero."""

Kernel = Callable[..., object]
"""Called with ``a`` (rows, k), ``panel`` (k, PANEL) and an array (rows, PANEL) per result; adds to the first."""


def over_panels(
    kernel: Kernel,
    a: NDArray[Any],
    b: NDArray[Any],
    *results: NDArray[Any],
    prepare: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
) -> None:
    """Add ``a`` (batch, m, k) times ``b`` (batch, n, k) to ``results[0]`` (batch, m, n), ``DEPTH`` products per call.

    All have the kernel's float type. Calls follow the order of k and continue with the results of the one before;
    further results belong to the same outputs as the first. ``prepare`` turns ``(rows, k)`` of ``a``, as one call gets
    them, into an array with one row for each, the kernel's last argument.
    """
    from simhw.gemm.kernels.packing import copy_transposed

    passes = [slice(k, min(k + DEPTH, a.shape[2])) for k in range(0, a.shape[2], DEPTH)]

    def work(i: int, first: int, last: int) -> None:
        count = last - first
        filled = -(-count // ROW_STEP) * ROW_STEP
        blocks = [np.zeros((filled, ks.stop - ks.start), a.dtype) for ks in passes]
        for block, ks in zip(blocks, passes, strict=True):
            block[:count] = a[i, first:last, ks]
        prepared = [None if prepare is None else prepare(block) for block in blocks]
        panel = np.zeros((a.shape[2], PANEL), b.dtype)
        buffers = [np.zeros((min(ROWS, filled), PANEL), result.dtype) for result in results]
        for j in range(0, b.shape[1], PANEL):
            columns = b[i, j : j + PANEL]
            copy_transposed(columns, panel)
            panel[:, len(columns) :] = 0
            for r in range(0, filled, ROWS):
                rows = slice(r, min(r + ROWS, filled))
                targets = [result[i, first + r : min(first + r + ROWS, last), j : j + PANEL] for result in results]
                held = [buffer[: rows.stop - r] for buffer in buffers]
                for buffer, target in zip(held, targets, strict=True):
                    buffer[: len(target), : len(columns)] = target
                for block, ks, extra in zip(blocks, passes, prepared, strict=True):
                    kernel(block[rows], panel[ks], *held, *(() if extra is None else (extra[rows],)))
                for buffer, target in zip(held, targets, strict=True):
                    target[:] = buffer[: len(target), : len(columns)]

    over_rows(work, a.shape[0], a.shape[1])
