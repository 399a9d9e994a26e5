"""Larger images, and norms over groups of channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simhw.errors import InputError
from simhw.graph.base import FloatArray, Kind, Operator, VectorWork


def _sizes(x: FloatArray, size: Sequence[int] | None, factors: Sequence[float] | None) -> tuple[int, int]:
    if size is not None:
        return int(size[0]), int(size[1])
    assert factors is not None
    return int(x.shape[-2] * factors[0]), int(x.shape[-1] * factors[1])


def upsample_nearest(
    x: FloatArray, size: Sequence[int] | None = None, factors: Sequence[float] | None = None
) -> FloatArray:
    """Return each pixel's nearest one below (torch, mode nearest)."""
    height, width = _sizes(x, size, factors)
    rows, columns = ((np.arange(new) * old // new) for new, old in ((height, x.shape[-2]), (width, x.shape[-1])))
    return x[..., rows, :][..., columns]


def upsample_bilinear(
    x: FloatArray, size: Sequence[int] | None, align_corners: bool, factors: Sequence[float] | None = None
) -> FloatArray:
    """Return pixels between their four neighbours."""
    target = _sizes(x, size, factors)
    for axis, new in zip((-2, -1), target, strict=True):
        old = x.shape[axis]
        if align_corners:
            places = np.arange(new) * ((old - 1) / max(new - 1, 1))
        else:
            places = np.maximum((np.arange(new) + 0.5) * (old / new) - 0.5, 0)
        low = np.minimum(places.astype(np.int64), old - 1)
        share = (places - low).astype(np.float32)
        share = share[:, None] if axis == -2 else share
        x = np.take(x, low, axis) * (1 - share) + np.take(x, np.minimum(low + 1, old - 1), axis) * share
    return np.asarray(x, np.float32)


def group_norm(
    x: FloatArray,
    groups: int,
    weight: FloatArray | None = None,
    bias: FloatArray | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,  # noqa: ARG001
) -> FloatArray:
    """Return x normalised over each group of channels of a sample (Wu and He, arXiv 1803.08494)."""
    parts = x.reshape(len(x), groups, -1)
    mean = parts.mean(axis=2, keepdims=True)
    variance = np.mean(np.square(parts - mean), axis=2, keepdims=True)
    normed = ((parts - mean) / np.sqrt(variance + np.float32(eps))).reshape(x.shape)
    shape = (1, -1) + (1,) * (x.ndim - 2)
    if weight is not None:
        normed = normed * weight.reshape(shape)
    return np.asarray(normed if bias is None else normed + bias.reshape(shape), np.float32)


def instance_norm(
    x: FloatArray,
    weight: FloatArray | None,
    bias: FloatArray | None,
    mean: FloatArray | None = None,
    variance: FloatArray | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,  # noqa: ARG001
    eps: float = 1e-5,
    cudnn_enabled: bool = True,  # noqa: ARG001
) -> FloatArray:
    """Return x normalised over each channel of a sample."""
    if not use_input_stats or mean is not None or variance is not None:
        raise InputError("instance norm with stored statistics is not supported; use track_running_stats=False")
    return group_norm(x, x.shape[1], weight, bias, eps)


_NORM = VectorWork(adds=3, multiplies=3, passes=3)
OPERATORS = (
    Operator(name="upsample_nearest", aten=("upsample_nearest2d.vec",), reference=upsample_nearest, kind=Kind.MOVE),
    Operator(
        name="upsample_bilinear",
        aten=("upsample_bilinear2d.vec",),
        reference=upsample_bilinear,
        kind=Kind.VECTOR,
        work=VectorWork(adds=3, multiplies=4),
    ),
    Operator(name="group_norm", aten=("group_norm.default",), reference=group_norm, kind=Kind.VECTOR, work=_NORM),
    Operator(
        name="instance_norm", aten=("instance_norm.default",), reference=instance_norm, kind=Kind.VECTOR, work=_NORM
    ),
)
