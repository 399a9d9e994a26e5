"""Integer registers that take the sums of chunks, array by array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

Sums = NDArray[np.float64]

FLOOR, TOWARD_ZERO, NEAREST_UP = 0, 1, 2
"""What becomes of low bits that are cut."""


@kernel
def add_wrapping(total: NDArray[np.int64], terms: Sums, bits: int, term_bits: int) -> None:
    """Add ``terms``, each wrapped to ``term_bits``, to registers of ``bits`` bits that wrap."""
    shift, term_shift = np.int64(64 - bits), np.int64(64 - term_bits)
    for i in range(total.shape[0]):
        term = np.int64(terms[i]) << term_shift >> term_shift
        total[i] = (total[i] + term) << shift >> shift


@kernel
def add_clamped(total: NDArray[np.int64], terms: Sums, bits: int) -> None:
    """Add ``terms`` to registers of ``bits`` bits that saturate."""
    high = (np.int64(1) << np.int64(bits - 1)) - 1
    low = -high - 1
    for i in range(total.shape[0]):
        total[i] = min(max(total[i] + np.int64(terms[i]), low), high)


@kernel
def add_cut(total: NDArray[np.int64], terms: Sums, bits: int, cut: int, low: int, high: int, chunk_only: bool) -> None:
    """Add ``terms`` to ``total`` and cut low bits: of each term first (``chunk_only``), or of the sum.

    What is cut is clamped to ``low..high`` before.
    """
    shift = np.int64(bits)
    half = (np.int64(1) << shift) >> np.int64(1) if cut == NEAREST_UP else np.int64(0)
    ones = (np.int64(1) << shift) - 1 if cut == TOWARD_ZERO else np.int64(0)
    for i in range(total.shape[0]):
        term = np.int64(terms[i])
        held = min(max(term if chunk_only else total[i] + term, low), high)
        held += half + (ones & (held >> np.int64(63)))  # toward zero: negative values are moved up first
        kept = held >> shift << shift
        total[i] = total[i] + kept if chunk_only else kept
