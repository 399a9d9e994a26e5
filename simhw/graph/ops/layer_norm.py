"""Layer norm (Ba et al., arXiv 1607.06450)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simhw.graph.base import FloatArray, Kind, Operator, VectorWork


def layer_norm(
    x: FloatArray,
    normalized_shape: Sequence[int],
    weight: FloatArray | None = None,
    bias: FloatArray | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,  # noqa: ARG001
) -> FloatArray:
    """Return ``(x - mean) / sqrt(variance + eps) * weight + bias`` over the last axes."""
    axes = tuple(range(-len(normalized_shape), 0))
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = np.mean(np.square(centred), axis=axes, keepdims=True)
    y = centred / np.sqrt(variance + np.float32(eps))
    y = y if weight is None else y * weight
    return np.asarray(y if bias is None else y + bias, np.float32)


OPERATORS = (
    Operator(
        name="layer_norm",
        aten=("layer_norm.default",),
        reference=layer_norm,
        kind=Kind.VECTOR,
        work=VectorWork(adds=4, multiplies=3, passes=3),
    ),
)
