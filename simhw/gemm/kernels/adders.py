"""Rounded products and rounded sums, array by array: what trees, pairwise sums and promotion are made of.

``multiply_*`` sets ``out`` (m, n) to the products of a column (m,) and a row (n,), rounded to the register; products
are exact in the floats or rounded by the processor itself. ``add_*`` sets ``out`` to ``left + right``, all flat.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.bits import set_rounding_mode, to_half
from simhw.gemm.kernels.register import add_directed as add_directed_step
from simhw.gemm.kernels.register import (
    add_to_odd,
    round_directed,
    round_nearest,
    round_nearest_limited,
    round_other,
    unpack,
)
from simhw.kernel import kernel

Column = NDArray[np.float32]
Row = NDArray[np.float32]
Matrix = NDArray[np.float32]
Flat = NDArray[np.float32]
Numbers = NDArray[np.float32]
NEAREST_MODE = 1


@kernel
def multiply_native(column: Column, row: Row, out: Matrix, rounding_mode: int) -> None:
    """Round as the processor does in one of its modes."""
    set_rounding_mode(rounding_mode)
    for i in range(out.shape[0]):
        x = column[i]
        for j in range(out.shape[1]):
            out[i, j] = x * row[j]
    set_rounding_mode(NEAREST_MODE)


@kernel
def multiply_half(column: Column, row: Row, out: Matrix) -> None:
    """Round to fp16."""
    for i in range(out.shape[0]):
        x = column[i]
        for j in range(out.shape[1]):
            out[i, j] = to_half(x * row[j])


@kernel
def multiply_nearest(column: Column, row: Row, out: Matrix, numbers: Numbers) -> None:
    """Round to nearest even."""
    register = unpack(numbers)
    for i in range(out.shape[0]):
        x = column[i]
        for j in range(out.shape[1]):
            out[i, j] = round_nearest_limited(x * row[j], register)


@kernel
def multiply_directed(column: Column, row: Row, out: Matrix, numbers: Numbers) -> None:
    """Round toward zero, up or down."""
    register = unpack(numbers)
    for i in range(out.shape[0]):
        x = column[i]
        for j in range(out.shape[1]):
            out[i, j] = round_directed(x * row[j], register)


@kernel
def multiply_other(column: Column, row: Row, out: Matrix, numbers: Numbers, odd: bool) -> None:
    """Round to odd or to nearest away."""
    register = unpack(numbers)
    for i in range(out.shape[0]):
        x = column[i]
        for j in range(out.shape[1]):
            out[i, j] = round_other(x * row[j], register, odd)


@kernel
def add_native(left: Flat, right: Flat, out: Flat, rounding_mode: int) -> None:
    """Round as the processor does in one of its modes."""
    set_rounding_mode(rounding_mode)
    for i in range(out.shape[0]):
        out[i] = left[i] + right[i]
    set_rounding_mode(NEAREST_MODE)


@kernel
def add_half(left: Flat, right: Flat, out: Flat) -> None:
    """Round to fp16."""
    for i in range(out.shape[0]):
        out[i] = to_half(left[i] + right[i])


@kernel
def add_nearest(left: Flat, right: Flat, out: Flat, numbers: Numbers) -> None:
    """Round to nearest even, where the float's own rounding before does no harm."""
    register = unpack(numbers)
    for i in range(out.shape[0]):
        out[i] = round_nearest(left[i] + right[i], register)


@kernel
def add_nearest_odd(left: Flat, right: Flat, out: Flat, numbers: Numbers) -> None:
    """Round to odd, then to nearest even."""
    register = unpack(numbers)
    for i in range(out.shape[0]):
        out[i] = round_nearest_limited(add_to_odd(left[i], right[i]), register)


@kernel
def add_directed(left: Flat, right: Flat, out: Flat, numbers: Numbers) -> None:
    """Round toward zero, up or down."""
    register = unpack(numbers)
    for i in range(out.shape[0]):
        out[i] = add_directed_step(left[i], right[i], register)


@kernel
def add_other(left: Flat, right: Flat, out: Flat, numbers: Numbers, odd: bool) -> None:
    """Round to odd or to nearest away."""
    register = unpack(numbers)
    for i in range(out.shape[0]):
        out[i] = round_other(add_to_odd(left[i], right[i]), register, odd)


@kernel
def tree_native(
    a: Matrix, panel: Matrix, joins: NDArray[np.int64], complete: NDArray[np.bool_], sums: Matrix, rounding_mode: int
) -> None:
    """Add trees of products of ``a`` (m, k) and ``panel`` (k, n) to ``sums`` (m, n), rounding as the processor does.

    ``joins[k]`` pairs of partial sums are joined after product k; where it is ``complete``, the tree joins ``sums``.
    """
    n = panel.shape[1]
    partial = np.zeros((66, n), panel.dtype)
    set_rounding_mode(rounding_mode)
    for i in range(a.shape[0]):
        depth = 0
        for k in range(a.shape[1]):
            x = a[i, k]
            for j in range(n):
                partial[depth, j] = x * panel[k, j]
            for _ in range(joins[k]):
                depth -= 1
                for j in range(n):
                    partial[depth, j] = partial[depth, j] + partial[depth + 1, j]
            depth += 1
            if complete[k]:
                depth -= 1
                for j in range(n):
                    sums[i, j] = sums[i, j] + partial[depth, j]
    set_rounding_mode(NEAREST_MODE)
