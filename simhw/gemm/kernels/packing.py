"""Operands as the tiles take them: a few rows beside each other, k by k.

``pack`` turns (rows, k) into (ceil(rows / width), k, width); surplus rows of the last tile repeat the last row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from simhw.gemm.kernels.tiles import View, element
from simhw.gemm.kernels.vectors import Vectors, long, size_of, vector
from simhw.kernel import kernel

SQUARE = 8
"""Rows and steps of k that are transposed in registers at once."""


@intrinsic
def _transpose(typing_context: Any, source: Any, rows: Any, k: Any, target: Any, tile: Any, at: Any) -> Any:  # noqa: ARG001
    """Set ``target[tile, k + i, at + j]`` to ``source[rows[j], k + i]`` for i and j below ``SQUARE``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v = Vectors(builder)
        kind = element(signature.args[0].dtype)
        size = size_of(kind)
        given = View(context, builder, signature.args[0], arguments[0])
        order = View(context, builder, signature.args[1], arguments[1])
        out = View(context, builder, signature.args[3], arguments[3])
        held = []
        for j in range(SQUARE):
            row = v.load(order.pointer, 8 * j, long(0).type)
            start = builder.add(builder.mul(row, given.shape[1]), arguments[2])
            held.append(v.load(given.pointer, builder.mul(start, long(size)), vector(kind, SQUARE)))
        step = 1
        while step < SQUARE:  # a butterfly: element i of vector j changes places with element j of vector i
            low = [i if not i & step else i - step + SQUARE for i in range(SQUARE)]
            high = [i + step if not i & step else i + SQUARE for i in range(SQUARE)]
            for j in range(SQUARE):
                if not j & step:
                    first, second = held[j], held[j + step]
                    held[j], held[j + step] = v.shuffle(first, second, low), v.shuffle(first, second, high)
            step *= 2
        start = builder.add(builder.mul(arguments[4], out.shape[1]), arguments[2])
        for i in range(SQUARE):
            place = builder.add(builder.mul(builder.add(start, long(i)), out.shape[2]), arguments[5])
            v.store(held[i], out.pointer, builder.mul(place, long(size)))
        return context.get_dummy_value()

    return types.void(source, rows, k, target, tile, at), generate


@kernel
def pack(source: NDArray[np.uint32], target: NDArray[np.uint32]) -> None:
    """Pack ``source`` (rows, k), C-contiguous, into ``target`` (tiles, k, width); see the module."""
    count, depth = source.shape
    tiles, _, width = target.shape
    whole = depth - depth % SQUARE
    rows = np.zeros(SQUARE, np.int64)
    for tile in range(tiles):
        for at in range(0, width - width % SQUARE, SQUARE):
            for j in range(SQUARE):
                rows[j] = min(tile * width + at + j, count - 1)
            for k in range(0, whole, SQUARE):
                _transpose(source, rows, k, target, tile, at)
            for j in range(SQUARE):
                for k in range(whole, depth):
                    target[tile, k, at + j] = source[rows[j], k]
        for j in range(width - width % SQUARE, width):
            row = min(tile * width + j, count - 1)
            for k in range(depth):
                target[tile, k, j] = source[row, k]


@kernel
def copy_transposed(source: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    """Copy the transpose of ``source`` to the upper left corner of ``target``, tile by tile."""
    rows, columns = source.shape
    for i0 in range(0, rows, 16):
        for j0 in range(0, columns, 16):
            for j in range(j0, min(j0 + 16, columns)):
                for i in range(i0, min(i0 + 16, rows)):
                    target[j, i] = source[i, j]
