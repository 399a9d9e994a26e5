"""Dot products of a few small integers within a word: one instruction where the processor has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.tiles import multiply_add
from simhw.gemm.kernels.vectors import WORD, size_of, vector
from simhw.kernel import has_feature, kernel, vector_bytes


def has_dot_products() -> bool:
    """Return whether the processor has them for whole vectors (x86-64 with VNNI)."""
    return has_feature("avx512vnni") if vector_bytes() == 64 else has_feature("avxvnni")


def add_pairs_saturating(v: Any, x: Any, y: Any, s: Any) -> Any:
    """Return ``s`` plus the products of two signed 16-bit values in every word, saturated to 32 bits."""
    return _instruction(v, "vpdpwssds", x, y, s)


def add_fours(v: Any, x: Any, y: Any, s: Any) -> Any:
    """Return ``s`` plus the products of four bytes in every word, those of ``x`` unsigned, those of ``y`` signed."""
    return _instruction(v, "vpdpbusd", x, y, s)


def _instruction(v: Any, name: str, x: Any, y: Any, s: Any) -> Any:
    words = vector(WORD, size_of(s.type) // 4)
    x, y = (v.builder.bitcast(value, words) for value in (x, y))
    return v.call(f"llvm.x86.avx512.{name}.{8 * size_of(s.type)}", s, x, y)


_add_fours = multiply_add(add_fours)


@kernel
def sum_bytes(a: NDArray[np.uint32], b: NDArray[np.uint32], sums: NDArray[np.int32], none: NDArray[np.int32]) -> None:
    """Add products of bytes, four of k to a word: unsigned ones in packed ``a``, signed ones in packed ``b``."""
    _add_fours(a, b, sums, none)
