"""Sums of whole matrices by kernels that keep tiles of them in registers: packing, threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.scratch import Scratch
from simhw.gemm.threads import over_rows

Kernel = Callable[..., object]
"""Called with packed ``a``, packed ``b``, sums (m, n) and numbers; adds to the sums (see ``kernels/tiles.py``)."""


def over_tiles(
    kernel: Kernel, a: NDArray[Any], b: NDArray[Any], sums: NDArray[Any], numbers: NDArray[Any] | None = None
) -> None:
    """Take the products of ``a`` (batch, m, k) and ``b`` (batch, n, k) into ``sums`` (batch, m, n), k in order.

    Elements of ``b`` and of the sums have one size. ``numbers`` are the kernel's constants, of the sums' type.
    """
    constants = np.zeros(0, sums.dtype) if numbers is None else numbers
    with Scratch() as take:
        over_packed_tiles(kernel, a, [slivers(matrix, take) for matrix in b], sums, [constants] * len(b))


def over_packed_tiles(
    kernel: Kernel,
    a: NDArray[Any],
    b: Sequence[NDArray[Any]],
    sums: NDArray[Any],
    constants: Sequence[NDArray[Any]],
) -> None:
    """Do the same with ``b`` packed (see :func:`slivers`), and constants for each matrix of the batch."""
    from simhw.gemm.kernels.tiles import ROWS

    def work(i: int, first: int, last: int) -> None:
        with Scratch() as take:
            kernel(packed(a[i, first:last], ROWS, take), b[i], sums[i, first:last], constants[i])

    over_rows(work, a.shape[0], a.shape[1], step=ROWS)


def slivers(matrix: NDArray[Any], take: Scratch, itemsize: int | None = None) -> NDArray[Any]:
    """Return ``(n, k)`` packed as wide as a tile of sums of so many bytes, None for those of the matrix."""
    from simhw.gemm.kernels.tiles import columns

    return packed(matrix, columns(itemsize or matrix.dtype.itemsize), take, shared=True)


def over_scaled_tiles(
    kernel: Kernel,
    operands: tuple[NDArray[Any], NDArray[Any]],
    scales: tuple[NDArray[np.float32], NDArray[np.float32]],
    start: Callable[[NDArray[Any], int, int], NDArray[Any]],
    size: int,
    unit: float,
) -> NDArray[np.float32]:
    """Return the fp32 sums over groups of ``size`` steps of k of scaled exact sums (see ``kernels/blocks.py``).

    Operands are (batch, m, k) and (batch, n, k), scales have groups instead of k. ``start`` returns what the sums of
    groups begin with, from the second operand packed, the number of groups and their size.
    """
    from simhw.gemm.kernels.blocks import ROWS

    (a, b), (a_scale, b_scale) = operands, scales
    groups = b_scale.shape[2]
    out = np.empty((a.shape[0], a.shape[1], b.shape[1]), np.float32)
    panels: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []

    def work(i: int, first: int, last: int) -> None:
        rows = slice(first, last)
        values, right, begin = panels[i]
        with Scratch() as take:
            left = packed(a_scale[i, rows], ROWS, take)
            kernel(packed(a[i, rows], ROWS, take), values, left, right, begin, size, np.float32(unit), out[i, rows])

    with Scratch() as take:
        for values, factors in zip(b, b_scale, strict=True):
            panel = slivers(values, take)
            panels.append((panel, slivers(factors, take, values.dtype.itemsize), start(panel, groups, size)))
        over_rows(work, a.shape[0], a.shape[1], step=ROWS)
    return out


def packed(matrix: NDArray[Any], width: int, take: Scratch, *, shared: bool = False) -> NDArray[Any]:
    """Return ``(rows, k)`` as ``(tiles, k, width)``, the last row repeated to fill the last tile.

    ``shared``: by all threads; not from one of them.
    """
    from simhw.gemm.kernels.packing import pack

    rows, depth = matrix.shape
    pattern = np.dtype(f"u{matrix.dtype.itemsize}")
    source = np.ascontiguousarray(matrix).view(pattern)
    out = take((-(-rows // width), depth, width), pattern)
    if not shared:
        pack(source, out)
    else:
        over_rows(
            lambda _, first, last: pack(source[first:last], out[first // width : -(-last // width)]), 1, rows, width
        )
    return out.view(matrix.dtype)
