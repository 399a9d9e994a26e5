"""Exact sums of groups of k, each scaled and added to the fp32 result at once, all in registers.

Operands are packed (see ``packing.py``, rows by ``ROWS``); so are the scales, (tiles, groups, ROWS) and (slivers,
groups, columns). Groups are added in ascending order, every step is rounded to fp32:
``result + fp32(group sum) * (a_scale * b_scale)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from simhw.gemm.kernels.dots import add_fours
from simhw.gemm.kernels.tiles import BLOCK, VECTORS, row_pointers
from simhw.kernel import kernel, vector_bytes
from simhw.vectors import FLOAT, WORD, Vectors, View, element, long, size_of, vector

ROWS = 6
"""Rows per tile: sums and results take 24 registers of AVX-512's 32."""

Floats = NDArray[np.float32]


def _scaled_sums(step: Callable[..., Any]) -> Any:
    """Return an intrinsic that sets ``out`` (m, n); ``start`` are sums to begin groups with, packed like the scales.

    Integer sums are multiplied by ``unit``, a power of two.
    """

    @intrinsic
    def scaled(
        typing_context: Any,  # noqa: ARG001
        a: Any,
        b: Any,
        a_scale: Any,
        b_scale: Any,
        start: Any,
        size: Any,
        unit: Any,
        out: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            views = {
                name: View(context, builder, signature.args[i], arguments[i])
                for name, i in (("a", 0), ("b", 1), ("a_scale", 2), ("b_scale", 3), ("start", 4), ("out", 7))
            }
            kinds = element(signature.args[0].dtype), element(signature.args[4].dtype)
            _Tiles(Vectors(builder), views, kinds, step, arguments[5], arguments[6]).emit()
            return context.get_dummy_value()

        return types.void(a, b, a_scale, b_scale, start, size, unit, out), generate

    return scaled


class _Tiles:
    def __init__(
        self, v: Vectors, views: dict[str, View], kinds: tuple[ir.Type, ir.Type], step: Any, size: Any, unit: Any
    ) -> None:
        self.v, self.builder, self.step, self.size = v, v.builder, step, size
        self.a, self.b, self.out = views["a"], views["b"], views["out"]
        self.a_scale, self.b_scale, self.start = views["a_scale"], views["b_scale"], views["start"]
        self.operand, self.sum = kinds
        self.lanes = vector_bytes() // size_of(self.sum)
        self.unit = v.splat(unit, self.lanes)
        self.floats = vector(FLOAT, self.lanes)

    def emit(self) -> None:
        v, tiles = self.v, self.a.shape[0]
        with v.steps(long(0), tiles, BLOCK) as block:
            last = v.smaller_integer(v.builder.add(block.index, long(BLOCK)), tiles)
            with v.steps(long(0), self.b.shape[0], 1) as sliver, v.steps(block.index, last, 1) as tile:
                self.tile(tile.index, sliver.index)

    def tile(self, tile: Any, sliver: Any) -> None:
        v, builder = self.v, self.builder
        groups = self.b_scale.shape[1]
        nothing = v.constant(self.floats, -0.0)  # the neutral element, minus zero included
        with v.steps(long(0), groups, 1, [nothing] * (ROWS * VECTORS)) as group:
            sums = self.group(tile, sliver, group.index)
            left = self.row(self.a_scale, tile, group.index)
            right = self.vectors(self.b_scale, sliver, group.index, FLOAT)
            results = []
            for r in range(ROWS):
                scale = v.splat(v.load(left, 4 * r, FLOAT), self.lanes)
                for i in range(VECTORS):
                    at = r * VECTORS + i
                    term = builder.fmul(self.rounded(sums[at]), builder.fmul(scale, right[i]))
                    results.append(builder.fadd(group.values[at], term))
            group.values = results
        left_column = builder.mul(sliver, long(self.lanes * VECTORS))
        rows = row_pointers(builder, self.out, builder.mul(tile, long(ROWS)), ROWS, 4)
        for i in range(VECTORS):
            column = builder.add(left_column, long(i * self.lanes))
            mask = v.first_lanes(builder.sub(self.out.shape[1], column), self.lanes)
            for r in range(ROWS):
                v.store_lanes(group.values[r * VECTORS + i], rows[r], builder.mul(column, long(4)), mask)

    def group(self, tile: Any, sliver: Any, group: Any) -> list[Any]:
        """Return the sums of one group."""
        v, builder = self.v, self.builder
        first = builder.mul(group, self.size)
        last = v.smaller_integer(builder.add(first, self.size), self.a.shape[1])
        begin = self.vectors(self.start, sliver, group, self.sum)
        with v.steps(first, last, 1, begin * ROWS) as k:
            ys = self.vectors(self.b, sliver, k.index, self.operand)
            row = self.row(self.a, tile, k.index)
            new = []
            for r in range(ROWS):
                x = v.splat(v.load(row, r * size_of(self.operand), self.operand), self.lanes)
                new += [self.step(v, x, y, k.values[r * VECTORS + i]) for i, y in enumerate(ys)]
            k.values = new
        return k.values

    def rounded(self, total: Any) -> Any:
        """Return sums in fp32."""
        if size_of(self.sum) == 8:
            return self.builder.fptrunc(total, self.floats)
        if self.sum == WORD:
            return self.builder.fmul(self.builder.sitofp(total, self.floats), self.unit)
        return total

    def row(self, array: View, place: Any, step: Any) -> Any:
        """Return a pointer to one step of one tile of a packed array of the first operand."""
        size = ROWS * size_of(FLOAT if array is self.a_scale else self.operand)
        index = self.builder.add(self.builder.mul(place, array.shape[1]), step)
        return self.builder.gep(array.pointer, [self.builder.mul(index, long(size))])

    def vectors(self, array: View, place: Any, step: Any, kind: ir.Type) -> list[Any]:
        """Load one step of one sliver of a packed array of the second operand."""
        size = self.lanes * size_of(kind)
        index = self.builder.add(self.builder.mul(place, array.shape[1]), step)
        pointer = self.builder.gep(array.pointer, [self.builder.mul(index, long(VECTORS * size))])
        return [self.v.load(pointer, i * size, vector(kind, self.lanes)) for i in range(VECTORS)]


def _fused(v: Any, x: Any, y: Any, s: Any) -> Any:
    return v.fma(x, y, s)


_scaled_floats, _scaled_bytes = _scaled_sums(_fused), _scaled_sums(add_fours)


@kernel
def scaled_blocks(
    a: Floats, b: Floats, a_scale: Floats, b_scale: Floats, start: Floats, size: int, unit: np.float32, out: Floats
) -> None:
    """Set ``out`` to sums of groups of ``size`` in a float type in which each is exact."""
    _scaled_floats(a, b, a_scale, b_scale, start, size, unit, out)


@kernel
def scaled_byte_blocks(
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
    a_scale: Floats,
    b_scale: Floats,
    start: NDArray[np.int32],
    size: int,
    unit: np.float32,
    out: Floats,
) -> None:
    """Set ``out`` to sums, from ``start`` on, of groups of ``size`` words of four bytes, unsigned ones in ``a``."""
    _scaled_bytes(a, b, a_scale, b_scale, start, size, unit, out)
