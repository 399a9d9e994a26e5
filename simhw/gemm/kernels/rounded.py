"""Chains of fused multiply-adds in a register rounded to nearest even: one rounding per product, k in order.

``a`` and ``b`` are packed, ``sums`` are (m, n), see ``tiles.py``. Products are exact in the loop's floats, and so is
each sum, or its rounding there does no harm (the planner's proof). ``numbers`` are those of ``register.py``, which says
how one addition and one subtraction of a large power of two round.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.bits import half_pattern, half_value
from simhw.gemm.kernels.tiles import multiply_add
from simhw.kernel import kernel
from simhw.vectors import HALF

Floats = NDArray[np.float32]
Halves = NDArray[np.uint16]
_EXPONENTS = {4: 0x7F800000, 8: 0x7FF0000000000000}
"""The exponent's bits, by the bytes of a float."""


def _half(v: Any, x: Any, y: Any, s: Any) -> Any:
    return v.to_half(v.fma(x, y, s))


def _fused_half(v: Any, x: Any, y: Any, s: Any) -> Any:
    return v.fma(x, y, s)


def _power_below(v: Any, value: Any) -> Any:
    return v.bits(value, "and_", _EXPONENTS[v.size(value)])


def _to_precision(v: Any, value: Any, power: Any, spread: Any) -> Any:
    """Return ``value + large - large`` with ``large = power * spread``, in two instructions."""
    return v.fma(v.negative(power), spread, v.fma(power, spread, value))


def _free(v: Any, x: Any, y: Any, s: Any, low: Any, high: Any, spread: Any) -> Any:  # noqa: ARG001
    exact = v.fma(x, y, s)
    return _to_precision(v, exact, _power_below(v, exact), spread)


def _bounded(v: Any, x: Any, y: Any, s: Any, low: Any, high: Any, spread: Any) -> Any:  # noqa: ARG001
    exact = v.fma(x, y, s)
    power = v.largest(_power_below(v, exact), low)
    return v.copy_sign(_to_precision(v, exact, power, spread), exact)


def _nearest(v: Any, x: Any, y: Any, s: Any, low: Any, high: Any, spread: Any, up: Any, down: Any) -> Any:
    exact = v.fma(x, y, s)
    power = v.least(v.largest(_power_below(v, exact), low), high)
    rounded = _to_precision(v, exact, power, spread)
    return v.copy_sign(v.product(v.product(rounded, up), down), exact)


_sum_half, _sum_half_fused = multiply_add(_half), multiply_add(_fused_half, kind=HALF)
_sum_free, _sum_bounded, _sum_nearest = multiply_add(_free, 3), multiply_add(_bounded, 3), multiply_add(_nearest, 5)


@kernel
def sum_half(a: Floats, b: Floats, sums: Floats, numbers: Floats) -> None:
    """Additions in fp32, each rounded to fp16 by the processor's own conversion."""
    _sum_half(a, b, sums, numbers)


@kernel
def sum_half_fused(a: NDArray[np.uint32], b: Halves, sums: Halves, numbers: Halves) -> None:
    """The processor's own fused multiply-adds in fp16; every word of ``a`` holds a pattern twice."""
    _sum_half_fused(a, b, sums, numbers)


@kernel
def sum_nearest(a: Floats, b: Floats, sums: Floats, numbers: Floats) -> None:
    """Any register."""
    _sum_nearest(a, b, sums, numbers)


@kernel
def sum_nearest_bounded(a: Floats, b: Floats, sums: Floats, numbers: Floats) -> None:
    """The same where no sum overflows."""
    _sum_bounded(a, b, sums, numbers)


@kernel
def sum_nearest_free(a: Floats, b: Floats, sums: Floats, numbers: Floats) -> None:
    """The same where also every sum is a multiple of the smallest subnormal number, and none is minus zero."""
    _sum_free(a, b, sums, numbers)


@kernel
def to_halves(values: Floats, repeated: int, out: Halves) -> None:
    """Set flat ``out`` to patterns of fp16 values times ``repeated`` (1, or 0x10001 for two to a word)."""
    factor = out.dtype.type(repeated)
    for i in range(out.shape[0]):
        out[i] = out.dtype.type(half_pattern(values[i]) * factor)


@kernel
def from_halves(patterns: Halves, out: Floats) -> None:
    """Set flat ``out`` to what fp16 patterns stand for."""
    for i in range(out.shape[0]):
        out[i] = half_value(patterns[i])
