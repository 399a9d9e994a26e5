"""Softmax in float32: three passes (largest value, sum of exponentials, division)."""

from __future__ import annotations

import numpy as np

from simhw.graph.base import FloatArray, Kind, Operator, VectorWork
from simhw.graph.blocks import by_blocks


def softmax(x: FloatArray, dim: int = -1, dtype: object = None) -> FloatArray:  # noqa: ARG001
    """Return ``exp(x - max) / sum`` along ``dim``; the result is float32 whatever ``dtype`` was asked for."""
    if x.ndim == 0 or dim % x.ndim != x.ndim - 1:
        return _softmax(x, dim)
    return by_blocks(_softmax, np.ascontiguousarray(x).reshape(-1, x.shape[-1])).reshape(x.shape)


def _softmax(x: FloatArray, dim: int = -1) -> FloatArray:
    result = np.asarray(x - x.max(axis=dim, keepdims=True), np.float32)
    np.exp(result, out=result)
    result /= result.sum(axis=dim, keepdims=True)
    return result


OPERATORS = (
    Operator(
        name="softmax",
        aten=("softmax.int", "_softmax.default"),
        reference=softmax,
        kind=Kind.VECTOR,
        # Compare, subtract, polynomial exponential of degree 5 with its argument reduction, sum; then the scaling.
        work=VectorWork(adds=10, multiplies=8, passes=3),
    ),
)
