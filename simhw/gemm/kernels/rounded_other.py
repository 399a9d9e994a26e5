"""Chains of fused multiply-adds in a register with any other rounding: one rounding per product, k in order.

Operands are ``a`` (m, k) and a panel of b (k, PANEL); ``sums`` (m, PANEL) holds the registers. Products are exact in
the loop's floats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.register import (
    add_directed,
    add_to_odd,
    round_nearest_limited,
    round_other,
    unpack,
)
from simhw.kernel import kernel

PANEL = 128


@kernel
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


@kernel
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


@kernel
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
