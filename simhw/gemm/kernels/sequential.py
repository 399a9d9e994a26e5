"""fp32 accumulation in the order of k: one fused multiply-add per product."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic
from numpy.typing import NDArray

DEPTH = 256
"""Steps of k per panel."""
PANEL = 256
"""Columns per pass: the accumulators of four rows stay in the first-level cache."""


@intrinsic
def fma(typing_context: Any, x: Any, y: Any, z: Any) -> Any:  # noqa: ARG001
    """Return ``x * y + z`` with one rounding (the LLVM intrinsic, so a hardware instruction where there is one)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        kind = ir.FloatType() if z == nb.float32 else ir.DoubleType()
        declared = builder.module.declare_intrinsic("llvm.fma", [kind], ir.FunctionType(kind, [kind] * 3))
        return builder.call(declared, arguments)

    return z(z, z, z), generate


@nb.njit(cache=True, nogil=True)
def copy_rows(source: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    """Copy ``source`` to the upper left corner of ``target``.

    (A slice assignment would do, but Numba then compiles seconds of shape checks and their messages.)
    """
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[i, j] = source[i, j]


@nb.njit(cache=True, nogil=True)
def copy_transposed(source: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    """Copy the transpose of ``source`` to the upper left corner of ``target``, tile by tile."""
    rows, columns = source.shape
    for i0 in range(0, rows, 16):
        for j0 in range(0, columns, 16):
            for j in range(j0, min(j0 + 16, columns)):
                for i in range(i0, min(i0 + 16, rows)):
                    target[j, i] = source[i, j]


@nb.njit(cache=True, nogil=True)
def sequential_fma(a: NDArray[np.float32], b: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Add ``a @ b.T`` to ``out`` in place: ``a`` (m, k), ``b`` (n, k), ``out`` (m, n), all C-contiguous.

    Columns are vectorised, k stays sequential. A panel of ``b`` and the sums of four rows are copied into buffers
    of constant row length: only then do the loads have a stride that the vectoriser knows. A panel that stays in
    the second-level cache holds ``DEPTH`` steps of k; the sums wait in ``out`` for the next ones.
    """
    m, depth = a.shape
    n = b.shape[0]
    panel = np.zeros((min(DEPTH, depth), PANEL), np.float32)
    rows = np.zeros((4, min(DEPTH, depth)), np.float32)
    sums = np.zeros((4, PANEL), np.float32)
    for j0 in range(0, n, PANEL):
        width = min(PANEL, n - j0)
        for k0 in range(0, depth, DEPTH):
            steps = min(DEPTH, depth - k0)
            copy_transposed(b[j0 : j0 + width, k0 : k0 + steps], panel)
            for i0 in range(0, m, 4):
                count = min(4, m - i0)
                copy_rows(a[i0 : i0 + count, k0 : k0 + steps], rows)
                copy_rows(out[i0 : i0 + count, j0 : j0 + width], sums)
                _four_rows(rows[:, :steps], panel[:steps], sums)
                copy_rows(sums[:count, :width], out[i0 : i0 + count, j0 : j0 + width])


@nb.njit(cache=True, nogil=True)
def _four_rows(a: NDArray[np.float32], panel: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
    depth = a.shape[1]
    whole = depth - depth % 4
    for k in range(0, whole, 4):
        a00, a01, a02, a03 = a[0, k], a[0, k + 1], a[0, k + 2], a[0, k + 3]
        a10, a11, a12, a13 = a[1, k], a[1, k + 1], a[1, k + 2], a[1, k + 3]
        a20, a21, a22, a23 = a[2, k], a[2, k + 1], a[2, k + 2], a[2, k + 3]
        a30, a31, a32, a33 = a[3, k], a[3, k + 1], a[3, k + 2], a[3, k + 3]
        for j in range(PANEL):
            x0, x1, x2, x3 = panel[k, j], panel[k + 1, j], panel[k + 2, j], panel[k + 3, j]
            sums[0, j] = fma(a03, x3, fma(a02, x2, fma(a01, x1, fma(a00, x0, sums[0, j]))))
            sums[1, j] = fma(a13, x3, fma(a12, x2, fma(a11, x1, fma(a10, x0, sums[1, j]))))
            sums[2, j] = fma(a23, x3, fma(a22, x2, fma(a21, x1, fma(a20, x0, sums[2, j]))))
            sums[3, j] = fma(a33, x3, fma(a32, x2, fma(a31, x1, fma(a30, x0, sums[3, j]))))
    for k in range(whole, depth):
        for r in range(4):
            _add_products(a[r, k], panel[k], sums[r])


@nb.njit(cache=True, nogil=True)
def _add_products(x: float, row: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
    for j in range(PANEL):
        sums[j] = fma(x, row[j], sums[j])
