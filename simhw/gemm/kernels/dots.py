"""Dot products of a few small integers within a word: one instruction where the processor has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from simhw.gemm.kernels.tiles import VECTORS, multiply_add
from simhw.kernel import has_feature, kernel, vector_bytes
from simhw.vectors import WORD, Vectors, View, long, size_of, vector

Words = NDArray[np.uint32]


def has_dot_products() -> bool:
    """Return whether the processor has them for whole vectors (x86-64 with VNNI)."""
    return has_feature("avx512vnni") if vector_bytes() == 64 else has_feature("avxvnni")


def add_pairs_saturating(v: Any, x: Any, y: Any, s: Any) -> Any:
    """Return ``s`` plus the products of two signed 16-bit values in every word, saturated to 32 bits."""
    return _instruction(v, "vpdpwssds", x, y, s)


def pairs(v: Any, x: Any, y: Any, s: Any) -> Any:
    """Return ``s`` plus the products of two signed 16-bit values in every word."""
    return _instruction(v, "vpdpwssd", x, y, s)


def add_fours(v: Any, x: Any, y: Any, s: Any) -> Any:
    """Return ``s`` plus the products of four bytes in every word, those of ``x`` unsigned, those of ``y`` signed."""
    return _instruction(v, "vpdpbusd", x, y, s)


def _instruction(v: Any, name: str, x: Any, y: Any, s: Any) -> Any:
    words = vector(WORD, size_of(s.type) // 4)
    x, y = (v.builder.bitcast(value, words) for value in (x, y))
    return v.call(f"llvm.x86.avx512.{name}.{8 * size_of(s.type)}", s, x, y)


_add_fours = multiply_add(add_fours, starts=True)


@kernel
def sum_bytes(a: Words, b: Words, sums: NDArray[np.int32], start: NDArray[np.int32]) -> None:
    """Set ``sums`` to ``start`` (slivers, columns) plus products of unsigned bytes in ``a`` and signed ones in ``b``.

    Words of the packed operands hold four of k.
    """
    _add_fours(a, b, sums, start)


@intrinsic
def _sum_group(typing_context: Any, words: Any, sliver: Any, first: Any, last: Any, out: Any, group: Any) -> Any:  # noqa: ARG001
    """Set ``out[sliver, group]`` to -128 times the sums of the bytes of steps ``first`` to ``last``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v, kind = Vectors(builder), vector(WORD, vector_bytes() // 4)
        given, target = (View(context, builder, signature.args[i], arguments[i]) for i in (0, 4))
        place = [
            builder.mul(builder.add(builder.mul(arguments[1], view.shape[1]), at), long(VECTORS * vector_bytes()))
            for view, at in ((given, long(0)), (target, arguments[5]))
        ]
        ones, zero = v.constant(kind, 0x01010101), v.constant(kind, 0)
        with v.steps(arguments[2], arguments[3], 1, [zero] * VECTORS) as k:
            at = builder.add(place[0], builder.mul(k.index, long(VECTORS * vector_bytes())))
            words_of = [v.load(given.pointer, builder.add(at, long(i * vector_bytes())), kind) for i in range(VECTORS)]
            k.values = [add_fours(v, ones, word, s) for word, s in zip(words_of, k.values, strict=True)]
        for i, total in enumerate(k.values):
            scaled = builder.mul(total, v.constant(kind, -128))
            v.store(scaled, target.pointer, builder.add(place[1], long(i * vector_bytes())))
        return context.get_dummy_value()

    return types.void(words, sliver, first, last, out, group), generate


@kernel
def offset_sums(words: Words, size: int, out: NDArray[np.int32]) -> None:
    """Set ``out`` (slivers, groups, columns) to -128 times the sums of the signed bytes of groups of ``size`` words.

    ``words`` (slivers, k, columns) are packed. Added to the sums of ``(x + 128) * y`` they leave those of ``x * y``.
    """
    depth = words.shape[1]
    for sliver in range(out.shape[0]):
        for group in range(out.shape[1]):
            _sum_group(words, sliver, group * size, min(group * size + size, depth), out, group)
