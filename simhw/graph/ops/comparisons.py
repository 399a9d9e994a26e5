"""Comparisons and choices, element by element, with broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np

from simhw.graph.base import Array, Kind, Operator, VectorWork


def where(condition: Array, x: Any, y: Any) -> Array:
    """Return x where the condition holds, else y; float32 stays float32."""
    chosen = np.where(condition, x, y)
    return np.asarray(chosen, np.float32 if chosen.dtype == np.float64 else chosen.dtype)


def masked_fill(x: Array, mask: Array, value: Any) -> Array:
    """Return x with ``value`` where the mask holds."""
    return np.where(mask, np.asarray(value, x.dtype), x)


def _vector(name: str, aten: tuple[str, ...], reference: Any) -> Operator:
    return Operator(name=name, aten=aten, reference=reference, kind=Kind.VECTOR, work=VectorWork(adds=1))


def _both(name: str) -> tuple[str, ...]:
    return f"{name}.Tensor", f"{name}.Scalar"


OPERATORS = (
    _vector("greater", _both("gt"), np.greater),
    _vector("greater_equal", _both("ge"), np.greater_equal),
    _vector("less", _both("lt"), np.less),
    _vector("less_equal", _both("le"), np.less_equal),
    _vector("equal", _both("eq"), np.equal),
    _vector("not_equal", _both("ne"), np.not_equal),
    _vector("logical_and", ("logical_and.default", "bitwise_and.Tensor", "__and__.Tensor"), np.logical_and),
    _vector("logical_or", ("logical_or.default", "bitwise_or.Tensor", "__or__.Tensor"), np.logical_or),
    _vector("logical_not", ("logical_not.default", "bitwise_not.default"), np.logical_not),
    _vector("where", ("where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar"), where),
    _vector("masked_fill", ("masked_fill.Scalar", "masked_fill.Tensor", "masked_fill_.Scalar"), masked_fill),
)
