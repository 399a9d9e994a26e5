"""Root-mean-square norm (Zhang and Sennrich, arXiv 1910.07467)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simhw.graph.base import FloatArray, Kind, Operator, VectorWork


def rms_norm(
    x: FloatArray, normalized_shape: Sequence[int], weight: FloatArray | None = None, eps: float | None = None
) -> FloatArray:
    """Return ``x / sqrt(mean(x^2) + eps) * weight`` over the last axes."""
    axes = tuple(range(-len(normalized_shape), 0))
    epsilon = np.float32(np.finfo(np.float32).eps if eps is None else eps)
    mean = np.mean(np.square(x), axis=axes, keepdims=True)
    normed = x * (np.float32(1) / np.sqrt(mean + epsilon))
    return np.asarray(normed if weight is None else normed * weight, np.float32)


OPERATORS = (
    Operator(
        name="rms_norm",
        aten=("rms_norm.default",),
        reference=rms_norm,
        kind=Kind.VECTOR,
        work=VectorWork(adds=1, multiplies=3, passes=2),
    ),
)
