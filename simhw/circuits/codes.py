"""Bit patterns as numbers and back, in NumPy: what the definitions of circuits are written in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def to_signed(codes: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Return the two's-complement integers of ``codes``: the top bit is shifted to the sign of int64 and back."""
    return codes << (64 - bits) >> (64 - bits)


def to_code(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Return the low ``bits`` of integers: what a register of that width keeps of them."""
    return values & ((1 << bits) - 1)
