"""Operands as kernels take them: k filled with zeros to whole blocks, the second operand with columns last."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def fill_k(values: NDArray[Any], block: int) -> NDArray[Any]:
    """Return ``(batch, rows, k)`` values with k filled with zeros to a multiple of ``block``."""
    short = -values.shape[2] % block
    return np.pad(values, ((0, 0), (0, 0), (0, short))) if short else values


def as_float64(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return values in fp64; a signalling NaN becomes a quiet one without a warning."""
    with np.errstate(invalid="ignore"):
        return np.ascontiguousarray(values, np.float64)


def columns_last(values: NDArray[Any]) -> NDArray[Any]:
    """Return ``(batch, n, k)`` values as a contiguous ``(batch, k, n)`` array."""
    return np.ascontiguousarray(values.swapaxes(1, 2))


def results(a: NDArray[Any], b: NDArray[Any], c: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return the array ``(batch, m, n)`` that a kernel adds to: a copy of the addend, or zeros."""
    if c is not None:
        return c.astype(np.float32)
    return np.zeros((a.shape[0], a.shape[1], b.shape[1]), np.float32)
