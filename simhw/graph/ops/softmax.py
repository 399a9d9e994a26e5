"""Softmax in float32: three passes (largest value, sum of exponentials, division)."""

from __future__ import annotations

import numpy as np

from simhw.graph.base import FloatArray, Kind, Operator, VectorWork


def softmax(x: FloatArray, dim: int = -1, dtype: object = None) -> FloatArray:  # noqa: ARG001
    """Return ``exp(x - max) / sum`` along ``dim``; the result is float32 whatever ``dtype`` was asked for."""
    shifted = np.exp(x - x.max(axis=dim, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=dim, keepdims=True), np.float32)


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
