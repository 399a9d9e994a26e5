"""Chains of fused multiply-adds in a register: one rounding per product, k in order.

Operands are ``a`` (m, k) and a panel of b (k, PANEL); ``sums`` (m, PANEL) holds the registers. Products are exact in
the loop's floats. Several products per pass keep the registers of the columns in the processor's.
"""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.bits import fused_multiply_add, set_rounding_mode, to_half
from simhw.gemm.kernels.register import (
    add_directed,
    add_to_odd,
    round_nearest,
    round_nearest_bounded,
    round_nearest_limited,
    round_other,
    unpack,
)

PANEL = 128
NEAREST_MODE = 1


@nb.njit(cache=True, nogil=True)
def sum_half(a: NDArray[np.float32], panel: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
    """Additions in fp32, each rounded to fp16 by the processor's own conversion."""
    depth = a.shape[1]
    whole = depth - depth % 8
    for i in range(a.shape[0]):
        for k in range(0, whole, 8):
            a0, a1, a2, a3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            a4, a5, a6, a7 = a[i, k + 4], a[i, k + 5], a[i, k + 6], a[i, k + 7]
            for j in range(PANEL):
                s = sums[i, j]
                s = to_half(fused_multiply_add(a0, panel[k, j], s))
                s = to_half(fused_multiply_add(a1, panel[k + 1, j], s))
                s = to_half(fused_multiply_add(a2, panel[k + 2, j], s))
                s = to_half(fused_multiply_add(a3, panel[k + 3, j], s))
                s = to_half(fused_multiply_add(a4, panel[k + 4, j], s))
                s = to_half(fused_multiply_add(a5, panel[k + 5, j], s))
                s = to_half(fused_multiply_add(a6, panel[k + 6, j], s))
                s = to_half(fused_multiply_add(a7, panel[k + 7, j], s))
                sums[i, j] = s
        for k in range(whole, depth):
            x = a[i, k]
            for j in range(PANEL):
                sums[i, j] = to_half(fused_multiply_add(x, panel[k, j], sums[i, j]))


@nb.njit(cache=True, nogil=True)
def sum_nearest(
    a: NDArray[np.float32], panel: NDArray[np.float32], sums: NDArray[np.float32], numbers: NDArray[np.float32]
) -> None:
    """Any register, to nearest even, where the float's own rounding before does no harm."""
    register = unpack(numbers)
    depth = a.shape[1]
    whole = depth - depth % 4
    for i in range(a.shape[0]):
        for k in range(0, whole, 4):
            a0, a1, a2, a3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            for j in range(PANEL):
                s = sums[i, j]
                s = round_nearest(fused_multiply_add(a0, panel[k, j], s), register)
                s = round_nearest(fused_multiply_add(a1, panel[k + 1, j], s), register)
                s = round_nearest(fused_multiply_add(a2, panel[k + 2, j], s), register)
                s = round_nearest(fused_multiply_add(a3, panel[k + 3, j], s), register)
                sums[i, j] = s
        for k in range(whole, depth):
            x = a[i, k]
            for j in range(PANEL):
                sums[i, j] = round_nearest(fused_multiply_add(x, panel[k, j], sums[i, j]), register)


@nb.njit(cache=True, nogil=True)
def sum_nearest_bounded(
    a: NDArray[np.float32], panel: NDArray[np.float32], sums: NDArray[np.float32], numbers: NDArray[np.float32]
) -> None:
    """The same where no sum overflows."""
    register = unpack(numbers)
    depth = a.shape[1]
    whole = depth - depth % 4
    for i in range(a.shape[0]):
        for k in range(0, whole, 4):
            a0, a1, a2, a3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            for j in range(PANEL):
                s = sums[i, j]
                s = round_nearest_bounded(fused_multiply_add(a0, panel[k, j], s), register)
                s = round_nearest_bounded(fused_multiply_add(a1, panel[k + 1, j], s), register)
                s = round_nearest_bounded(fused_multiply_add(a2, panel[k + 2, j], s), register)
                s = round_nearest_bounded(fused_multiply_add(a3, panel[k + 3, j], s), register)
                sums[i, j] = s
        for k in range(whole, depth):
            x = a[i, k]
            for j in range(PANEL):
                sums[i, j] = round_nearest_bounded(fused_multiply_add(x, panel[k, j], sums[i, j]), register)


@nb.njit(cache=True, nogil=True)
def sum_nearest_odd(
    a: NDArray[np.float32], panel: NDArray[np.float32], sums: NDArray[np.float32], numbers: NDArray[np.float32]
) -> None:
    """The same for any exact products: sums are rounded to odd first. Saturates where the register does."""
    register = unpack(numbers)
    depth = a.shape[1]
    whole = depth - depth % 2
    for i in range(a.shape[0]):
        for k in range(0, whole, 2):
            x, y = a[i, k], a[i, k + 1]
            for j in range(PANEL):
                s = round_nearest_limited(add_to_odd(sums[i, j], x * panel[k, j]), register)
                sums[i, j] = round_nearest_limited(add_to_odd(s, y * panel[k + 1, j]), register)
        for k in range(whole, depth):
            x = a[i, k]
            for j in range(PANEL):
                sums[i, j] = round_nearest_limited(add_to_odd(sums[i, j], x * panel[k, j]), register)


@nb.njit(cache=True, nogil=True)
def sum_directed(
    a: NDArray[np.float32], panel: NDArray[np.float32], sums: NDArray[np.float32], numbers: NDArray[np.float32]
) -> None:
    """Any register, toward zero, up or down."""
    register = unpack(numbers)
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            x = a[i, k]
            for j in range(PANEL):
                sums[i, j] = add_directed(sums[i, j], x * panel[k, j], register)


@nb.njit(cache=True, nogil=True)
def sum_other(
    a: NDArray[np.float32],
    panel: NDArray[np.float32],
    sums: NDArray[np.float32],
    numbers: NDArray[np.float32],
    odd: bool,
) -> None:
    """Any register, to odd, or to nearest with ties away from zero."""
    register = unpack(numbers)
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            x = a[i, k]
            for j in range(PANEL):
                sums[i, j] = round_other(add_to_odd(sums[i, j], x * panel[k, j]), register, odd)


@nb.njit(cache=True, nogil=True)
def sum_native(
    a: NDArray[np.float32], panel: NDArray[np.float32], sums: NDArray[np.float32], rounding_mode: int
) -> None:
    """The processor's own fused multiply-adds in one of its rounding modes."""
    depth = a.shape[1]
    whole = depth - depth % 4
    set_rounding_mode(rounding_mode)
    for i in range(a.shape[0]):
        for k in range(0, whole, 4):
            a0, a1, a2, a3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            for j in range(PANEL):
                s = fused_multiply_add(a0, panel[k, j], sums[i, j])
                s = fused_multiply_add(a1, panel[k + 1, j], s)
                s = fused_multiply_add(a2, panel[k + 2, j], s)
                sums[i, j] = fused_multiply_add(a3, panel[k + 3, j], s)
        for k in range(whole, depth):
            x = a[i, k]
            for j in range(PANEL):
                sums[i, j] = fused_multiply_add(x, panel[k, j], sums[i, j])
    set_rounding_mode(NEAREST_MODE)
