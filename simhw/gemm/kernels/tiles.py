"""Sums that stay in vector registers: the loops around one step of an accumulator, the same for all of them.

Operands are packed (see ``packing.py``): ``a`` is (tiles, k, ROWS), ``b`` is (slivers, k, columns). A tile of
``ROWS`` x ``columns`` sums is loaded, takes ``DEPTH`` products in the order of k, and is stored again; so a step costs
its own instructions and hardly a load. Surplus rows and columns of the last tiles repeat the last one or are masked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from simhw.kernel import vector_bytes
from simhw.vectors import Vectors, View, element, long, size_of, vector

ROWS, VECTORS = (12, 2) if vector_bytes() == 64 else (6, 2)
"""Sums per tile: rows, and vectors per row. With AVX-512 24 of 32 registers hold sums, else 12 of 16."""
DEPTH = 512
"""Products per tile and visit: their part of a sliver and of the rows stays in the caches."""
BLOCK = 20
"""Tiles of rows that pass over one sliver after the other: their operands stay in the second-level cache."""

Step = Callable[..., Any]
"""``step(vectors, x, y, sum, *numbers)`` returns the new sum; all are LLVM vectors."""


def columns(itemsize: int) -> int:
    """Return the columns of a tile of elements of so many bytes."""
    return VECTORS * vector_bytes() // itemsize


def multiply_add(step: Step, numbers: int = 0, kind: ir.Type | None = None, *, starts: bool = False) -> Any:
    """Return an intrinsic ``f(a, b, sums, constants)`` that takes every product into ``sums`` (m, n), k in order.

    Elements of ``a`` may be wider than those of ``b`` and ``sums``, to hold one several times: words are spread over a
    vector without a shuffle, bytes are not.

    Args:
        step: what happens with one product.
        numbers: how many of the ``constants`` the step takes, each as a vector.
        kind: type that LLVM shall see in ``b`` and ``sums``; None for their own.
        starts: whether ``constants`` (slivers, columns) are what every row of ``sums`` begins with; else what
            ``sums`` hold is.
    """

    @intrinsic
    def multiply(typing_context: Any, a: Any, b: Any, sums: Any, constants: Any) -> Any:  # noqa: ARG001
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            views = [View(context, builder, *pair) for pair in zip(signature.args, arguments, strict=True)]
            own = [element(array.dtype) for array in signature.args[:3]]
            _blocks(Vectors(builder), views, step, (own[0], kind or own[1], kind or own[2]), numbers, starts)
            return context.get_dummy_value()

        return types.void(a, b, sums, constants), generate

    return multiply


def _blocks(v: Vectors, views: list[View], step: Step, kinds: tuple[ir.Type, ...], numbers: int, starts: bool) -> None:
    builder, (a, b, sums, held) = v.builder, views
    lanes = vector_bytes() // size_of(kinds[2])
    constants = [v.splat(v.load(held.pointer, i * size_of(kinds[2]), kinds[2]), lanes) for i in range(numbers)]
    tiles, depth = a.shape[:2]
    zero = long(0)
    with v.steps(zero, depth, DEPTH) as k, v.steps(zero, tiles, BLOCK) as block:
        last = v.smaller_integer(builder.add(block.index, long(BLOCK)), tiles)
        with v.steps(zero, b.shape[0], 1) as sliver, v.steps(block.index, last, 1) as tile:
            place = (k.index, sliver.index, tile.index)
            _tile(v, (a, b, sums, held if starts else None), step, kinds, constants, place)


def _tile(
    v: Vectors,
    views: tuple[View, View, View, View | None],
    step: Step,
    kinds: tuple[ir.Type, ...],
    constants: list[Any],
    place: tuple[Any, Any, Any],
) -> None:
    """Load one tile's sums, take ``DEPTH`` products, store them."""
    builder, (a, b, sums, start), (x_kind, y_kind, kind) = v.builder, views, kinds
    first, sliver, tile = place
    lanes = vector_bytes() // size_of(kind)
    width = lanes * VECTORS
    depth = a.shape[1]
    x_pointer = _slab(builder, a, tile, depth, first, ROWS * size_of(x_kind))
    y_pointer = _slab(builder, b, sliver, depth, first, width * size_of(y_kind))
    steps = _smaller(builder, builder.sub(depth, first), long(DEPTH))
    rows = row_pointers(builder, sums, builder.mul(tile, long(ROWS)), ROWS, size_of(kind))
    left = builder.mul(sliver, long(width))
    masks = [v.first_lanes(builder.sub(sums.shape[1], left), lanes, i * lanes) for i in range(VECTORS)]
    offsets = [builder.mul(builder.add(left, long(i * lanes)), long(size_of(kind))) for i in range(VECTORS)]
    held = [
        v.load_lanes(row, offset, vector(kind, lanes), mask)
        for row in rows
        for offset, mask in zip(offsets, masks, strict=True)
    ]
    if start is not None:
        begins = builder.icmp_signed("==", first, long(0))
        pointer = builder.gep(start.pointer, [builder.mul(sliver, long(width * size_of(kind)))])
        row = [v.load(pointer, i * vector_bytes(), vector(kind, lanes)) for i in range(VECTORS)]
        held = [builder.select(begins, row[i % VECTORS], value) for i, value in enumerate(held)]
    with v.steps(long(0), steps, 1, held) as loop:
        ys = [
            v.load(
                y_pointer, _bytes(builder, loop.index, width * size_of(y_kind), i * vector_bytes()), _like(y_kind, kind)
            )
            for i in range(VECTORS)
        ]
        new = []
        for r in range(ROWS):
            x = v.load(x_pointer, _bytes(builder, loop.index, ROWS * size_of(x_kind), r * size_of(x_kind)), x_kind)
            spread = builder.bitcast(v.splat(x, vector_bytes() // size_of(x_kind)), _like(y_kind, kind))
            new += [step(v, spread, y, loop.values[r * VECTORS + i], *constants) for i, y in enumerate(ys)]
        loop.values = new
    for r, row in enumerate(rows):
        for i in range(VECTORS):
            v.store_lanes(loop.values[r * VECTORS + i], row, offsets[i], masks[i])


def row_pointers(builder: Any, array: View, first: Any, count: int, itemsize: int) -> list[Any]:
    """Return pointers to ``count`` rows of a matrix from ``first`` on; beyond the last row to the last row."""
    end = builder.sub(array.shape[0], long(1))
    rows = [_smaller(builder, builder.add(first, long(r)), end) for r in range(count)]
    stride = builder.mul(array.shape[1], long(itemsize))
    return [builder.gep(array.pointer, [builder.mul(row, stride)]) for row in rows]


def _slab(builder: Any, array: View, place: Any, depth: Any, first: Any, size: int) -> Any:
    """Return a pointer to step ``first`` of one tile of a packed operand whose steps have ``size`` bytes."""
    return builder.gep(array.pointer, [builder.mul(builder.add(builder.mul(place, depth), first), long(size))])


def _bytes(builder: Any, index: Any, size: int, offset: int) -> Any:
    return builder.add(builder.mul(index, long(size)), long(offset))


def _like(kind: ir.Type, total: ir.Type) -> ir.VectorType:
    """Return the vector type of operands beside a vector of sums."""
    return vector(kind, vector_bytes() // size_of(total))


def _smaller(builder: Any, x: Any, y: Any) -> Any:
    return builder.select(builder.icmp_signed("<", x, y), x, y)
