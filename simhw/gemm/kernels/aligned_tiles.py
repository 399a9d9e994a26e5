"""Tensor-core accumulation in registers: what ``aligned.py`` does, for two rows and a byte vector of columns at a time.

Operands are packed (see ``packing.py``): values (tiles, k, ROWS) and (slivers, k, columns), the exponents of ``b``
likewise as bytes, those of ``a`` as words of four equal bytes, which spread over a vector without a shuffle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from simhw.gemm.kernels.aligned import LOWEST, NEAREST_MODE, TOWARD_ZERO_MODE
from simhw.gemm.kernels.bits import set_rounding_mode
from simhw.gemm.kernels.tiles import row_pointers
from simhw.kernel import kernel, vector_bytes
from simhw.vectors import BYTE, FLOAT, WORD, Vectors, View, long, vector

ROWS = 2
"""Rows per tile: two times eight vectors of totals and scales."""
PARTS = 4
"""Vectors of float32 for each vector of bytes."""
COLUMNS = vector_bytes()
_LARGEST_HALF = 65504.0

Floats = NDArray[np.float32]


class _Block:
    """The code of one tile. Exponents are kept where float32 has them, in bits 23 and up, with its bias."""

    def __init__(self, v: Vectors, views: list[View], numbers: list[Any], place: tuple[Any, Any], how: _How) -> None:
        self.v, self.builder, self.how = v, v.builder, how
        self.a, self.a_exponent, self.b, self.b_exponent, self.out = views
        self.tile, self.sliver = place
        self.size, self.base, self.to_scale, self.to_unit, self.mask, self.zero, self.least = numbers
        self.lanes = COLUMNS // PARTS
        self.floats, self.words = vector(FLOAT, self.lanes), vector(WORD, self.lanes)
        self.bytes = vector(BYTE, COLUMNS)

    def emit(self) -> Any:
        """Return a word that is negative where a total has overflowed; the tile's results are wrong then."""
        v, builder = self.v, self.builder
        zeros = [v.constant(self.floats, 0.0)] * (ROWS * PARTS)
        with v.steps(long(0), self.b.shape[1], 1, [*zeros, v.constant(self.words, 0)], stride=self.size) as block:
            *carried, overflow = block.values
            scales, units, totals = self.align(block.index, carried)
            totals, overflow = self.add(block.index, scales, totals, overflow)
            block.values = [*(self.finish(*each) for each in zip(totals, units, carried, strict=True)), overflow]
        *results, overflow = block.values
        rows = row_pointers(builder, self.out, builder.mul(self.tile, long(ROWS)), ROWS, 4)
        for part in range(PARTS):
            column = builder.add(builder.mul(self.sliver, long(COLUMNS)), long(part * self.lanes))
            mask = v.first_lanes(builder.sub(self.out.shape[1], column), self.lanes)
            for r in range(ROWS):
                v.store_lanes(results[r * PARTS + part], rows[r], builder.mul(column, long(4)), mask)
        return v.generic_reduction("llvm.vector.reduce.or", overflow)

    def align(self, start: Any, carried: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Return scales, units and aligned carried results."""
        v, builder = self.v, self.builder
        largest = self.extreme_exponents(start, -128, v.larger_integer)
        zeros, lowest = v.constant(self.bytes, 0), v.constant(self.bytes, -128)
        largest = [builder.select(builder.icmp_signed("<", top, zeros), lowest, top) for top in largest]
        exponents = [self.exponent(largest[i // PARTS], i % PARTS, result) for i, result in enumerate(carried)]
        if self.how.half:
            exponents = self.with_zeros(start, exponents)
        scales, units, totals = [], [], []
        for result, exponent in zip(carried, exponents, strict=True):
            used = v.larger_integer(exponent, v.constant(self.words, LOWEST + 127 << 23))
            scales.append(builder.bitcast(builder.sub(self.to_scale, used), self.floats))
            units.append(builder.bitcast(builder.sub(used, self.to_unit), self.floats))
            totals.append(builder.fptosi(builder.fmul(result, scales[-1]), self.words))
        return scales, units, totals

    def exponent(self, largest: Any, part: int, result: Any) -> Any:
        """Return the largest exponent of the terms, zeros among the products left out; -128 stands for no product."""
        v, builder = self.v, self.builder
        own = builder.and_(builder.bitcast(result, self.words), v.constant(self.words, 0x7F800000))
        if self.how.half:
            nothing = builder.icmp_signed("==", own, v.constant(self.words, 0))
            own = builder.select(nothing, self.zero, v.larger_integer(own, self.least))
        products = builder.shl(self.widen(largest, part), v.constant(self.words, 23))
        return v.larger_integer(own, builder.add(products, self.base))

    def with_zeros(self, start: Any, exponents: list[Any]) -> list[Any]:
        """Return exponents that are at least that of zero where a product is zero; looked for only where it matters."""
        v, builder = self.v, self.builder
        low = exponents[0]
        for exponent in exponents[1:]:
            low = v.smaller_integer(low, exponent)
        low = v.generic_reduction("llvm.vector.reduce.smin", low)
        zero = builder.extract_element(self.zero, ir.Constant(WORD, 0))
        before = builder.block
        search, after = (builder.append_basic_block(name) for name in ("zeros", "aligned"))
        builder.cbranch(builder.icmp_signed("<", low, zero), search, after)
        builder.position_at_end(search)
        marks = self.extreme_exponents(start, 0, v.smaller_integer)
        found = []
        for i, exponent in enumerate(exponents):
            mark = self.widen(marks[i // PARTS], i % PARTS)
            marked = builder.icmp_signed("<", mark, v.constant(self.words, 0))
            found.append(builder.select(marked, v.larger_integer(exponent, self.zero), exponent))
        search = builder.block
        builder.branch(after)
        builder.position_at_end(after)
        results = []
        for exponent, raised in zip(exponents, found, strict=True):
            results.append(builder.phi(self.words))
            results[-1].add_incoming(exponent, before)
            results[-1].add_incoming(raised, search)
        return results

    def extreme_exponents(self, start: Any, first: int, choose: Any) -> list[Any]:
        """Return the largest or smallest exponent of each column's products in a block, for every row."""
        v, builder = self.v, self.builder
        begin = [v.constant(self.bytes, first)] * ROWS
        with v.steps(start, builder.add(start, self.size), 1, begin) as k:
            right = v.load(self.b_exponent.pointer, self.at(self.b_exponent, k.index, COLUMNS), self.bytes)
            new = []
            for r in range(ROWS):
                left = v.load(self.a_exponent.pointer, self.row(self.a_exponent, k.index, r), WORD)
                left = builder.bitcast(v.splat(left, COLUMNS // 4), self.bytes)
                new.append(choose(k.values[r], builder.add(left, right)))
            k.values = new
        return k.values

    def add(self, start: Any, scales: list[Any], totals: list[Any], overflow: Any) -> tuple[list[Any], Any]:
        """Add the aligned, truncated products of a block, ``how.part`` of them at a time."""
        v, builder = self.v, self.builder
        end = builder.add(start, self.size)
        if self.how.part == 0:
            return self.products(start, end, scales, totals), overflow
        step = long(self.how.part)
        totals = self.products(start, builder.add(start, step), scales, totals)
        none = [v.constant(self.words, 0)] * len(totals)
        with v.steps(builder.add(start, step), end, self.how.part, [*totals, overflow]) as k:
            *held, flags = k.values
            parts = self.products(k.index, builder.add(k.index, step), scales, none)
            new = []
            for old, part in zip(held, parts, strict=True):
                total = builder.add(old, part)
                flags = builder.or_(flags, builder.and_(builder.xor(old, total), builder.xor(part, total)))
                new.append(total)
            k.values = [*new, flags]
        *totals, overflow = k.values
        return totals, overflow

    def products(self, start: Any, end: Any, scales: list[Any], totals: list[Any]) -> list[Any]:
        v, builder = self.v, self.builder
        with v.steps(start, end, 1, totals) as k:
            place = self.at(self.b, k.index, 4 * COLUMNS)
            ys = [
                v.load(self.b.pointer, builder.add(place, long(p * vector_bytes())), self.floats) for p in range(PARTS)
            ]
            new = []
            for r in range(ROWS):
                x = v.splat(v.load(self.a.pointer, self.row(self.a, k.index, r), FLOAT), self.lanes)
                for p, y in enumerate(ys):
                    i = r * PARTS + p
                    scaled = builder.fmul(builder.fmul(x, y), scales[i])
                    new.append(builder.add(k.values[i], builder.fptosi(scaled, self.words)))
            k.values = new
        return k.values

    def finish(self, total: Any, unit: Any, carried: Any) -> Any:
        """Round to the register: toward zero by the processor's mode and a mask, or to fp16."""
        v, builder = self.v, self.builder
        value = builder.fmul(builder.sitofp(total, self.floats), unit)
        if not self.how.half:
            kept = builder.and_(builder.bitcast(value, self.words), self.mask)
            return builder.bitcast(kept, self.floats)
        rounded = builder.fadd(v.to_half(value), v.constant(self.floats, 0.0))
        beyond = builder.fcmp_ordered(">", v.generic("llvm.fabs", carried), v.constant(self.floats, _LARGEST_HALF))
        return builder.select(beyond, carried, rounded)

    def widen(self, values: Any, part: int) -> Any:
        """Return one part of a vector of bytes as words."""
        lanes = range(part * self.lanes, (part + 1) * self.lanes)
        return self.builder.sext(self.v.shuffle(values, values, list(lanes)), self.words)

    def at(self, array: View, step: Any, size: int) -> Any:
        """Return the offset of a step of the sliver in a packed array with so many bytes per step."""
        place = self.builder.add(self.builder.mul(self.sliver, array.shape[1]), step)
        return self.builder.mul(place, long(size))

    def row(self, array: View, step: Any, row: int) -> Any:
        """Return the offset of one row's word at a step of the tile."""
        place = self.builder.add(self.builder.mul(self.tile, array.shape[1]), step)
        return self.builder.add(self.builder.mul(place, long(4 * ROWS)), long(4 * row))


class _How:
    """What is compiled in: ``part`` products that int32 holds for sure (0: a block), and whether the result is fp16."""

    def __init__(self, *, part: int, half: bool) -> None:
        self.part = part
        self.half = half


def _tile(how: _How) -> Any:
    @intrinsic
    def tile(
        typing_context: Any,  # noqa: ARG001
        a: Any,
        a_exponent: Any,
        b: Any,
        b_exponent: Any,
        out: Any,
        numbers: Any,
        row: Any,
        sliver: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            v = Vectors(builder)
            views = [View(context, builder, signature.args[i], arguments[i]) for i in range(5)]
            held = View(context, builder, signature.args[5], arguments[5]).pointer
            size = v.load(held, 0, long(0).type)
            rest = [builder.trunc(v.load(held, 8 * i, long(0).type), WORD) for i in (1, 2, 3, 4, 6, 7)]
            numbers = [size, *(v.splat(number, COLUMNS // PARTS) for number in rest)]
            return builder.sext(_Block(v, views, numbers, (arguments[6], arguments[7]), how).emit(), long(0).type)

        return types.int64(a, a_exponent, b, b_exponent, out, numbers, row, sliver), generate

    return tile


_whole, _sixteens, _eights = (_tile(_How(part=part, half=False)) for part in (0, 16, 8))
_half = _tile(_How(part=0, half=True))


@kernel
def aligned_tiles(
    a: Floats,
    a_exponent: NDArray[np.uint32],
    b: Floats,
    b_exponent: NDArray[np.int8],
    out: Floats,
    numbers: NDArray[np.int64],
    overflowed: NDArray[np.bool_],
) -> None:
    """Set ``out`` (m, n); ``overflowed`` (tiles, slivers) tells which tiles' results are wrong.

    ``numbers``: products per block; base, what a scale's exponent is taken from, and what is taken from a unit's, all
    in the place of float32's exponent; mask and part as in ``aligned_fast``; exponents of zero and of the register's
    smallest normal number, likewise in place, which matter for fp16 only.
    """
    set_rounding_mode(TOWARD_ZERO_MODE)
    for sliver in range(b.shape[0]):
        for tile in range(a.shape[0]):
            if numbers[5] == 0:
                _whole(a, a_exponent, b, b_exponent, out, numbers, tile, sliver)
            elif numbers[5] == 16:
                overflowed[tile, sliver] = _sixteens(a, a_exponent, b, b_exponent, out, numbers, tile, sliver) < 0
            else:
                overflowed[tile, sliver] = _eights(a, a_exponent, b, b_exponent, out, numbers, tile, sliver) < 0
    set_rounding_mode(NEAREST_MODE)


@kernel
def aligned_half_tiles(
    a: Floats,
    a_exponent: NDArray[np.uint32],
    b: Floats,
    b_exponent: NDArray[np.int8],
    out: Floats,
    numbers: NDArray[np.int64],
) -> None:
    """The same for results in fp16, whose totals fp32 holds."""
    for sliver in range(b.shape[0]):
        for tile in range(a.shape[0]):
            _half(a, a_exponent, b, b_exponent, out, numbers, tile, sliver)
