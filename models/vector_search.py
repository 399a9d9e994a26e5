"""Search for the nearest vectors with int8 codes: exact integer dot products of the emulator's GEMM."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.formats import encode
from simhw.gemm.matmul import matmul

DATAPATH = "w8a8_int8"
"""int8 x int8 with an exact sum, as vector units for dot products have it."""
LARGEST = 127
"""Of a symmetric int8 code."""


def int8_codes(vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return int8 codes of ``(count, width)`` finite vectors, all with one scale, so that codes rank as vectors do."""
    largest = np.float32(np.abs(vectors).max(initial=0))
    return np.asarray(encode(vectors * (np.float32(LARGEST) / largest if largest else np.float32(1)), "int8"))


def int8_scores(queries: NDArray[np.float32], corpus: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return ``(queries, corpus)`` integer dot products of the codes of two sets of vectors of one width.

    A vector that holds NaN or infinity scores minus infinity with every other.
    """
    (rows, rows_sound), (columns, columns_sound) = _sound_codes(queries), _sound_codes(corpus)
    products = np.asarray(matmul(rows, columns.T, DATAPATH), np.float64)
    return np.where(rows_sound & columns_sound.T, products, -np.inf)


def _sound_codes(vectors: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the codes, zeros for vectors that are not finite, and ``(count, 1)`` which are."""
    sound = np.isfinite(vectors).all(axis=1, keepdims=True)
    return int8_codes(np.where(sound, vectors, np.float32(0))), np.asarray(sound)


def nearest(scores: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return ``(queries, count)`` positions of the highest scores, highest first; of equal ones the first wins.

    A position is -1 where the score is minus infinity: nothing was found.
    """
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    found = np.take_along_axis(scores, order, axis=1) > -np.inf
    return np.where(found, order, -1)


def recall(found: NDArray[np.int64], wanted: NDArray[np.int64]) -> float:
    """Return the fraction of ``(queries, any)`` wanted positions that are among the ``(queries, count)`` found ones."""
    return float((wanted[:, :, None] == found[:, None, :]).any(axis=2).mean())
