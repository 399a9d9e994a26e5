"""Sums that saturate where the processor's own integers do: clamping costs nothing.

``a`` and ``b`` are packed, ``sums`` are (m, n), see ``tiles.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.dots import add_pairs_saturating
from simhw.gemm.kernels.tiles import multiply_add
from simhw.kernel import kernel


def _sixteen_bits(v: Any, x: Any, y: Any, s: Any) -> Any:
    return v.generic("llvm.sadd.sat", s, v.builder.mul(x, y))


_sum_sixteen, _sum_words = multiply_add(_sixteen_bits), multiply_add(add_pairs_saturating)


@kernel
def saturate_int16(
    a: NDArray[np.int32], b: NDArray[np.int16], sums: NDArray[np.int16], none: NDArray[np.int16]
) -> None:
    """Add products, which fit 16 bits; every word of ``a`` holds a value twice."""
    _sum_sixteen(a, b, sums, none)


@kernel
def saturate_int32(
    a: NDArray[np.int32], b: NDArray[np.int32], sums: NDArray[np.int32], none: NDArray[np.int32]
) -> None:
    """Add products of 16-bit values, each in the lower half of a word whose upper half is zero."""
    _sum_words(a, b, sums, none)
