"""Tensor-core accumulation of exactly summed, scaled groups (MXFP4 and NVFP4 with k = 64), columns in parallel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.aligned_general import PANEL, ZERO, align_carried, round_totals
from simhw.kernel import kernel


@kernel
def scaled_groups(
    a: NDArray[np.float32],
    a_significand: NDArray[np.float64],
    a_exponent: NDArray[np.int16],
    a_nonzero: NDArray[np.uint32],
    b: NDArray[np.float32],
    b_significand: NDArray[np.float64],
    b_exponent: NDArray[np.int16],
    b_nonzero: NDArray[np.uint32],
    out: NDArray[np.float32],
    group: int,
    groups_per_block: int,
    fraction_bits: int,
    zero_exponent: int,
    significand: int,
    minimum: int,
    largest: float,
    beyond: float,
    toward_zero: bool,
) -> None:
    """Chain blocks into ``out`` (m, n), which holds c on entry.

    Elements are (m, k) and (k, n) in a float type in which a group's sum is exact, k a multiple of a block. Of each
    group, (m, groups) and (groups, n): significand and exponent of its scale, and a bit per element that is set
    where the element and its scale are not zero. ``significand`` to ``toward_zero``: as in ``aligned_general``.
    """
    m = a.shape[0]
    depth, n = b.shape
    groups = depth // group
    values = np.zeros((depth, PANEL), a.dtype)
    significands = np.zeros((groups, PANEL), np.float64)
    exponents = np.zeros((groups, PANEL), np.int16)
    nonzero = np.zeros((groups, PANEL), np.uint32)
    sums = np.zeros((groups_per_block, PANEL), a.dtype)
    places = np.zeros((groups_per_block, PANEL), np.int16)
    carried = np.zeros(PANEL, np.float64)
    top = np.zeros(PANEL, np.int16)
    scale = np.zeros(PANEL, np.float64)
    totals = np.zeros(PANEL, np.float64)
    work = np.zeros((3, PANEL), np.float64)
    for j0 in range(0, n, PANEL):
        width = min(PANEL, n - j0)
        for k in range(depth):
            for j in range(width):
                values[k, j] = b[k, j0 + j]
        for g in range(groups):
            for j in range(width):
                significands[g, j] = b_significand[g, j0 + j]
                exponents[g, j] = b_exponent[g, j0 + j]
                nonzero[g, j] = b_nonzero[g, j0 + j]
        for i in range(m):
            for j in range(PANEL):
                carried[j] = 0.0
            for j in range(width):
                carried[j] = out[i, j0 + j]
            for first in range(0, groups, groups_per_block):
                for j in range(PANEL):
                    top[j] = np.int16(ZERO)
                for g in range(groups_per_block):
                    at = first + g
                    add_group(a[i, at * group : (at + 1) * group], values[at * group : (at + 1) * group], sums[g])
                    _place(
                        a_exponent[i, at],
                        a_nonzero[i, at],
                        exponents[at],
                        nonzero[at],
                        np.int16(zero_exponent),
                        places[g],
                        top,
                    )
                align_carried(carried, top, scale, totals, zero_exponent, minimum, fraction_bits)
                for g in range(groups_per_block):
                    at = first + g
                    _add_term(
                        sums[g], a_significand[i, at], significands[at], places[g], top, fraction_bits, scale, totals
                    )
                round_totals(
                    totals, top, carried, work, fraction_bits, significand, minimum, largest, beyond, toward_zero
                )
            for j in range(width):
                out[i, j0 + j] = np.float32(carried[j])


@kernel
def add_group(a: NDArray[np.float32], b: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
    """Set ``sums`` to the products' sums: exact, so that their order is free."""
    depth = b.shape[0]
    whole = depth - depth % 8
    for j in range(PANEL):
        sums[j] = 0
    for k in range(0, whole, 8):
        a0, a1, a2, a3, a4, a5, a6, a7 = a[k], a[k + 1], a[k + 2], a[k + 3], a[k + 4], a[k + 5], a[k + 6], a[k + 7]
        for j in range(PANEL):
            low = (a0 * b[k, j] + a1 * b[k + 1, j]) + (a2 * b[k + 2, j] + a3 * b[k + 3, j])
            high = (a4 * b[k + 4, j] + a5 * b[k + 5, j]) + (a6 * b[k + 6, j] + a7 * b[k + 7, j])
            sums[j] += low + high
    for k in range(whole, depth):
        x = a[k]
        for j in range(PANEL):
            sums[j] += x * b[k, j]


@kernel
def _place(
    a_exponent: int,
    a_nonzero: int,
    b_exponent: NDArray[np.int16],
    b_nonzero: NDArray[np.uint32],
    zero_exponent: int,
    place: NDArray[np.int16],
    top: NDArray[np.int16],
) -> None:
    """Set the exponents of a group's terms, and let them take part in the largest of the block."""
    for j in range(PANEL):
        any_product = np.uint32(a_nonzero & b_nonzero[j])
        exponent = np.int16(a_exponent + b_exponent[j])
        place[j] = exponent if any_product != np.uint32(0) else zero_exponent
    for j in range(PANEL):
        top[j] = max(top[j], place[j])


@kernel
def _add_term(
    sums: NDArray[np.float32],
    a_significand: float,
    b_significand: NDArray[np.float64],
    place: NDArray[np.int16],
    top: NDArray[np.int16],
    fraction_bits: int,
    factor: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> None:
    bits = factor.view(np.int64)
    for j in range(PANEL):
        bits[j] = (np.int64(1023 + fraction_bits) + np.int64(place[j]) - np.int64(top[j])) << np.int64(52)
    for j in range(PANEL):
        scaled = np.float64(sums[j]) * (a_significand * b_significand[j])
        totals[j] += np.trunc(scaled * factor[j])
