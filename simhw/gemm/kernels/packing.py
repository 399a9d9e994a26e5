"""Operands as the tiles take them: a few rows beside each other, k by k.

``pack`` turns (rows, k) into (ceil(rows / width), k, width); surplus rows of the last tile repeat the last row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from simhw.kernel import kernel
from simhw.vectors import Vectors, View, element, long, size_of, vector


def _transpose(size: int) -> Any:
    """Return an intrinsic that transposes squares of a power of two."""

    @intrinsic
    def transpose(typing_context: Any, source: Any, rows: Any, k: Any, target: Any, tile: Any, at: Any) -> Any:  # noqa: ARG001
        """Set ``target[tile, k + i, at + j]`` to ``source[rows[j], k + i]`` for i and j below ``size``."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            given, order, out = (View(context, builder, signature.args[i], arguments[i]) for i in (0, 1, 3))
            v, kind = Vectors(builder), element(signature.args[0].dtype)
            held = []
            for j in range(size):
                row = v.load(order.pointer, 8 * j, long(0).type)
                start = builder.add(builder.mul(row, given.shape[1]), arguments[2])
                held.append(v.load(given.pointer, builder.mul(start, long(size_of(kind))), vector(kind, size)))
            start = builder.add(builder.mul(arguments[4], out.shape[1]), arguments[2])
            for i, row in enumerate(_butterflies(v, held)):
                place = builder.add(builder.mul(builder.add(start, long(i)), out.shape[2]), arguments[5])
                v.store(row, out.pointer, builder.mul(place, long(size_of(kind))))
            return context.get_dummy_value()

        return types.void(source, rows, k, target, tile, at), generate

    return transpose


def _butterflies(v: Vectors, rows: list[Any]) -> list[Any]:
    """Return the transpose of as many vectors as each has elements."""
    size, step = len(rows), 1
    while step < size:  # element i of vector j changes places with element j of vector i
        low = [i if not i & step else i - step + size for i in range(size)]
        high = [i + step if not i & step else i + size for i in range(size)]
        for j in range(size):
            if not j & step:
                first, second = rows[j], rows[j + step]
                rows[j], rows[j + step] = v.shuffle(first, second, low), v.shuffle(first, second, high)
        step *= 2
    return rows


_eight, _two = _transpose(8), _transpose(2)


@intrinsic
def _interleave(typing_context: Any, source: Any, rows: Any, k: Any, target: Any, tile: Any) -> Any:  # noqa: ARG001
    """Set ``target[tile, k + i, j]`` to ``source[rows[j], k + i]`` for i below 8, for tiles of two rows."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        given, order, out = (View(context, builder, signature.args[i], arguments[i]) for i in (0, 1, 3))
        v, kind = Vectors(builder), element(signature.args[0].dtype)
        held = []
        for j in range(2):
            row = v.load(order.pointer, 8 * j, long(0).type)
            start = builder.add(builder.mul(row, given.shape[1]), arguments[2])
            held.append(v.load(given.pointer, builder.mul(start, long(size_of(kind))), vector(kind, 8)))
        pairs = v.shuffle(*held, [i // 2 + 8 * (i % 2) for i in range(16)])
        place = builder.add(builder.mul(arguments[4], out.shape[1]), arguments[2])
        v.store(pairs, out.pointer, builder.mul(place, long(2 * size_of(kind))))
        return context.get_dummy_value()

    return types.void(source, rows, k, target, tile), generate


@kernel
def pack(source: NDArray[np.uint32], target: NDArray[np.uint32]) -> None:
    """Pack ``source`` (rows, k), C-contiguous, into ``target`` (tiles, k, width); see the module."""
    count, depth = source.shape
    tiles, _, width = target.shape
    rows = np.zeros(8, np.int64)
    for tile in range(tiles):
        at = 0
        while at < width:
            size = 8 if width - at >= 8 else 2 if width - at >= 2 else 1
            for j in range(size):
                rows[j] = min(tile * width + at + j, count - 1)
            whole = 0
            if size == 8:
                whole = depth - depth % 8
                for k in range(0, whole, 8):
                    _eight(source, rows, k, target, tile, at)
            elif width == 2:
                whole = depth - depth % 8
                for k in range(0, whole, 8):
                    _interleave(source, rows, k, target, tile)
            elif size == 2:
                whole = depth - depth % 2
                for k in range(0, whole, 2):
                    _two(source, rows, k, target, tile, at)
            for j in range(size):
                for k in range(whole, depth):
                    target[tile, k, at + j] = source[rows[j], k]
            at += size


@kernel
def copy_transposed(source: NDArray[Any], target: NDArray[Any]) -> None:
    """Copy the transpose of ``source`` to the upper left corner of ``target``, tile by tile."""
    rows, columns = source.shape
    for i0 in range(0, rows, 16):
        for j0 in range(0, columns, 16):
            for j in range(j0, min(j0 + 16, columns)):
                for i in range(i0, min(i0 + 16, rows)):
                    target[j, i] = source[i, j]
