"""fp32 and fp64 accumulation in the order of k: one fused multiply-add per product.

``a`` and ``b`` are packed, ``sums`` are (m, n), see ``tiles.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.bits import set_rounding_mode
from simhw.gemm.kernels.tiles import multiply_add
from simhw.kernel import kernel

NEAREST_MODE = 1

Floats = NDArray[np.float32]


def _fused(v: Any, x: Any, y: Any, s: Any) -> Any:
    return v.fma(x, y, s)


_multiply_add = multiply_add(_fused)


@kernel
def sequential_fma(a: Floats, b: Floats, sums: Floats, numbers: Floats) -> None:
    """Add the products, each sum rounded to nearest even."""
    _multiply_add(a, b, sums, numbers)


@kernel
def sum_native(a: Floats, b: Floats, sums: Floats, numbers: Floats, rounding_mode: int) -> None:
    """Add the products, each sum rounded as the processor does in one of its modes."""
    set_rounding_mode(rounding_mode)
    _multiply_add(a, b, sums, numbers)
    set_rounding_mode(NEAREST_MODE)
