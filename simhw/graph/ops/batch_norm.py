"""Batch norm with stored statistics (Ioffe and Szegedy, arXiv 1502.03167)."""

from __future__ import annotations

import numpy as np

from simhw.errors import InputError
from simhw.graph.base import FloatArray, Kind, Operator, VectorWork


def batch_norm(
    x: FloatArray,
    weight: FloatArray | None,
    bias: FloatArray | None,
    mean: FloatArray | None,
    variance: FloatArray | None,
    training: bool = False,
    momentum: float = 0.1,  # noqa: ARG001
    eps: float = 1e-5,
    cudnn_enabled: bool = True,  # noqa: ARG001
) -> FloatArray:
    """Return ``x * scale + shift`` per channel (axis 1), both computed from the statistics in float32."""
    if training or mean is None or variance is None:
        raise no_statistics()
    scale = np.float32(1) / np.sqrt(variance + np.float32(eps))
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    shape = (1, -1) + (1,) * (x.ndim - 2)
    return np.asarray(x * scale.reshape(shape) + shift.reshape(shape), np.float32)


def no_statistics() -> InputError:
    """Return the error for a batch norm without stored statistics."""
    return InputError(
        "batch norm is in training mode, must use stored statistics; call .eval() on the module before importing"
    )


OPERATORS = (
    Operator(
        name="batch_norm",
        aten=("batch_norm.default", "_native_batch_norm_legit_no_training.default"),
        reference=batch_norm,
        kind=Kind.VECTOR,
        work=VectorWork(adds=1, multiplies=1),
    ),
)
