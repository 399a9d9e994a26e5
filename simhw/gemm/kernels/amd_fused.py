"""Exact sums of up to four products and the running sum, rounded once to fp32, columns in parallel."""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

PANEL = 128


@kernel
def fused_sums(a: NDArray[np.float64], b: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    """Add blocks of four products to ``out`` (m, n), which holds c on entry; operands are (m, k) and (k, n).

    k is a multiple of four; products must be exact in float64, infinities and NaN follow IEEE 754.
    """
    m, depth = a.shape
    n = b.shape[1]
    panel = np.zeros((depth, PANEL), np.float64)
    carried = np.zeros(PANEL, np.float64)
    work = np.zeros((3, PANEL), np.float64)
    for j0 in range(0, n, PANEL):
        width = min(PANEL, n - j0)
        for k in range(depth):
            for j in range(width):
                panel[k, j] = b[k, j0 + j]
        for i in range(m):
            for j in range(width):
                carried[j] = out[i, j0 + j]
            for k in range(0, depth, 4):
                add_four(a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3], panel[k : k + 4], carried, work)
            for j in range(width):
                out[i, j0 + j] = np.float32(carried[j])


@kernel
def add_four(
    a0: float,
    a1: float,
    a2: float,
    a3: float,
    b: NDArray[np.float64],
    carried: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    """Set ``carried`` to the fp32 nearest to itself plus four products.

    The five terms become an expansion of numbers that do not overlap (Shewchuk, Adaptive Precision Floating-Point
    Arithmetic, 1997, GROW-EXPANSION), from the smallest to the largest; the largest is then rounded to odd, which makes
    the rounding to fp32 that follows a correct one (Boldo and Melquiond, 2008: 53 >= 24 + 2 bits).
    ``work`` (3, columns) is overwritten.
    """
    result, rest, plain = work[0], work[1], work[2]
    bits = result.view(np.int64)
    for j in range(PANEL):
        p0, p1, p2, p3, c = a0 * b[0, j], a1 * b[1, j], a2 * b[2, j], a3 * b[3, j], carried[j]
        plain[j] = (p0 + p1) + (p2 + p3) + c
        s1, e0 = _two_sum(p0, p1)
        q, e0 = _two_sum(p2, e0)
        s2, e1 = _two_sum(q, s1)
        q, e0 = _two_sum(p3, e0)
        q, e1 = _two_sum(q, e1)
        s3, e2 = _two_sum(q, s2)
        q, e0 = _two_sum(c, e0)
        q, e1 = _two_sum(q, e1)
        q, e2 = _two_sum(q, e2)
        e4, e3 = _two_sum(q, s3)
        # From the smallest to the largest: what is left of each sum is below the next one's last place.
        q, r0 = _two_sum(e1, e0)
        q, r1 = _two_sum(e2, q)
        q, r2 = _two_sum(e3, q)
        q, r3 = _two_sum(e4, q)
        result[j] = q
        rest[j] = ((r0 + r1) + r2) + r3
    for j in range(PANEL):
        step = np.int64(1) if (rest[j] > 0.0) == (result[j] > 0.0) else np.int64(-1)
        even = (bits[j] & np.int64(1)) == np.int64(0)
        bits[j] += step if (rest[j] != 0.0) & even else np.int64(0)
    for j in range(PANEL):
        exact = np.float64(np.float32(result[j]))
        carried[j] = exact if abs(plain[j]) < np.inf else plain[j]


@nb.njit(cache=True, nogil=True, inline="always")
def _two_sum(x: float, y: float) -> tuple[float, float]:
    total = x + y
    virtual = total - x
    return total, (x - (total - virtual)) + (y - virtual)
