"""Sums of products that a table gives: by shuffles of whole rows of the table in registers, or one look-up each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from simhw.formats.decoding_kernels import LANES, has_byte_tables, look_up_bytes
from simhw.gemm.kernels.dots import pairs
from simhw.gemm.kernels.tiles import row_pointers
from simhw.kernel import has_feature, kernel
from simhw.vectors import BYTE, WORD, Vectors, View, long, vector

ROWS = 2
"""Rows per tile."""
HALVES = 2
"""Vectors of codes per tile."""
COLUMNS = HALVES * LANES
_PARTS = 4
"""Vectors of sums for a vector of codes."""


def has_table_shuffles() -> bool:
    """Return whether the processor has instructions for this (x86-64 with AVX512-VBMI, and VNNI for the sums)."""
    return has_byte_tables() and has_feature("avx512vnni")


def column_order() -> list[int]:
    """Return which column of a tile each code of it belongs to, so that sums come out in order.

    Bytes of the low and the high half of products are interleaved within 16 bytes, then even and odd products part.
    """
    order = []
    for half in range(HALVES):
        for byte in range(LANES):
            group, at = divmod(byte, 16)
            upper, place = divmod(at, 8)
            part = 2 * upper + place % 2
            order.append(half * LANES + part * 16 + group * 4 + place // 2)
    return order


@intrinsic
def _tile(
    typing_context: Any,  # noqa: ARG001
    a: Any,
    b: Any,
    low: Any,
    high: Any,
    out: Any,
    row: Any,
    sliver: Any,
) -> Any:
    """Set one tile of ``out``: see :func:`shuffled_products`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v, words = Vectors(builder), vector(WORD, LANES // _PARTS)
        left, right, lows, highs, target = (View(context, builder, signature.args[i], arguments[i]) for i in range(5))
        depth = left.shape[1]
        rows = row_pointers(builder, left, arguments[5], ROWS, 1)
        panel = builder.gep(right.pointer, [builder.mul(builder.mul(arguments[6], depth), long(COLUMNS))])
        none = [v.constant(words, 0)] * (ROWS * HALVES * _PARTS)
        with v.steps(long(0), depth, 1, none) as k:
            place = builder.mul(k.index, long(COLUMNS))
            codes = [v.load(panel, builder.add(place, long(h * LANES)), vector(BYTE, LANES)) for h in range(HALVES)]
            new = []
            for r, pointer in enumerate(rows):
                entry = builder.mul(builder.zext(v.load(pointer, k.index, BYTE), long(0).type), long(256))
                for h, code in enumerate(codes):
                    first = (r * HALVES + h) * _PARTS
                    products = [look_up_bytes(v, table.pointer, entry, code) for table in (lows, highs)]
                    new += _add_products(v, products, k.values[first : first + _PARTS])
            k.values = new
        outputs = row_pointers(builder, target, arguments[5], ROWS, 4)
        for part in range(HALVES * _PARTS):
            column = builder.add(builder.mul(arguments[6], long(COLUMNS)), long(part * words.count))
            mask = v.first_lanes(builder.sub(target.shape[1], column), words.count)
            for r in range(ROWS):
                sums = k.values[r * HALVES * _PARTS + part]
                v.store_lanes(sums, outputs[r], builder.mul(column, long(4)), mask)
        return context.get_dummy_value()

    return types.void(a, b, low, high, out, row, sliver), generate


def _add_products(v: Vectors, products: list[Any], sums: list[Any]) -> list[Any]:
    """Return sums with products, given by their low and high bytes: joined, split and added."""
    low, high = products
    words = []
    for half in (0, 8):
        order = [16 * (i // 16) + half + i % 16 // 2 + LANES * (i % 2) for i in range(LANES)]
        words.append(v.shuffle(low, high, order))
    even, odd = (v.constant(sums[0].type, value) for value in (1, 1 << 16))
    return [pairs(v, words[i // 2], odd if i % 2 else even, sums[i]) for i in range(_PARTS)]


@kernel
def shuffled_products(
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    low: NDArray[np.uint8],
    high: NDArray[np.uint8],
    out: NDArray[np.int32],
) -> None:
    """Set ``out`` (m, n) to the sums over k of the table's products of codes ``a`` (m, k) and ``b``.

    ``b`` is packed, (slivers, k, COLUMNS), its columns in :func:`column_order`; ``low`` and ``high`` are the bytes of
    products of 16 bits, (256, 256), by code of a and code of b.
    """
    for sliver in range(b.shape[0]):
        for row in range(0, a.shape[0], ROWS):
            _tile(a, b, low, high, out, row, sliver)


@kernel
def looked_up_products(
    a: NDArray[np.uint8], b: NDArray[np.uint8], table: NDArray[np.int32], out: NDArray[np.int64]
) -> None:
    """Add to ``out`` (m, n) the sums over k of the table's products of codes ``a`` (m, k) and ``b`` (k, n)."""
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            _add_row(table[a[i, k]], b[k], out[i])


@kernel
def _add_row(products: NDArray[np.int32], codes: NDArray[np.uint8], out: NDArray[np.int64]) -> None:
    for j in range(out.shape[0]):
        out[j] += products[np.uint64(codes[j])]
