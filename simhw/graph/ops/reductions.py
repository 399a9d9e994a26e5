"""Reductions over axes, and sums along one, in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.graph.base import Array, FloatArray, Kind, Operator, VectorWork

Axes = Sequence[int] | int | None


def _axes(dim: Axes) -> tuple[int, ...] | None:
    if dim is None or (not isinstance(dim, int) and not dim):
        return None
    return (dim,) if isinstance(dim, int) else tuple(dim)


def total(x: Array, dim: Axes = None, keepdim: bool = False, dtype: object = None) -> Array:  # noqa: ARG001
    """Return the sum over axes."""
    kind = np.float32 if x.dtype.kind == "f" else np.int64
    return np.asarray(np.sum(x, axis=_axes(dim), keepdims=keepdim, dtype=kind))


def largest(x: Array, dim: Axes = None, keepdim: bool = False) -> Array:
    """Return the largest value over axes."""
    return np.asarray(np.max(x, axis=_axes(dim), keepdims=keepdim))


def smallest(x: Array, dim: Axes = None, keepdim: bool = False) -> Array:
    """Return the smallest value over axes."""
    return np.asarray(np.min(x, axis=_axes(dim), keepdims=keepdim))


def variance(
    x: FloatArray,
    dim: Axes = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> FloatArray:
    """Return the variance over axes, of n - 1 (or n - correction) degrees of freedom."""
    less = (1.0 if unbiased else 0.0) if correction is None else correction
    return np.asarray(np.var(x, axis=_axes(dim), ddof=less, keepdims=keepdim), np.float32)


def deviation(x: FloatArray, dim: Axes = None, *rest: Any, **more: Any) -> FloatArray:
    """Return the square root of :func:`variance`."""
    return np.sqrt(variance(x, dim, *rest, **more))


def vector_norm(
    x: FloatArray,
    order: float = 2,
    dim: Axes = None,
    keepdim: bool = False,
    dtype: object = None,  # noqa: ARG001
) -> FloatArray:
    """Return the norm of vectors along axes."""
    axes = _axes(dim)
    if order == 2:
        return np.asarray(np.sqrt(np.sum(np.square(x), axis=axes, keepdims=keepdim)), np.float32)
    if np.isinf(order):
        return np.asarray(np.abs(x).max(axis=axes, keepdims=keepdim), np.float32)
    powers = np.sum(np.abs(x) ** np.float32(order), axis=axes, keepdims=keepdim)
    return np.asarray(powers ** np.float32(1 / order), np.float32)


def log_sum_exp(x: FloatArray, dim: Axes, keepdim: bool = False) -> FloatArray:
    """Return ``log(sum(exp(x)))`` over axes."""
    axes = _axes(dim)
    top = x.max(axis=axes, keepdims=True)
    found = np.log(np.exp(x - top).sum(axis=axes, keepdims=True)) + top
    return np.asarray(found if keepdim else np.squeeze(found, axes), np.float32)


def running_sum(x: Array, dim: int, dtype: object = None) -> Array:  # noqa: ARG001
    """Return the sums of all values up to each one along an axis."""
    return np.cumsum(x, axis=dim, dtype=np.float32 if x.dtype.kind == "f" else np.int64)


def position(x: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """Return where the largest value is."""
    found = np.asarray(np.argmax(x, axis=dim))
    return np.expand_dims(found, dim) if keepdim and dim is not None else found


def largest_with_position(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
    """Return the largest value along an axis, and where it is."""
    return largest(x, dim, keepdim), position(x, dim, keepdim)


def top(x: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Array, Array]:  # noqa: ARG001
    """Return the k largest (or smallest) values along an axis, in order, and where they are."""
    order = np.argsort(-x if largest else x, axis=dim, kind="stable")
    index = np.take(order, np.arange(k), axis=dim)
    return np.take_along_axis(x, index, axis=dim), index


def _vector(name: str, aten: tuple[str, ...], reference: Any, work: VectorWork) -> Operator:
    return Operator(name=name, aten=aten, reference=reference, kind=Kind.VECTOR, work=work)


_ADD = VectorWork(adds=1)
OPERATORS = (
    _vector("sum", ("sum.dim_IntList", "sum.default"), total, _ADD),
    _vector("amax", ("amax.default", "max.default"), largest, _ADD),
    _vector("amin", ("amin.default", "min.default"), smallest, _ADD),
    _vector("var", ("var.dim", "var.correction"), variance, VectorWork(adds=2, multiplies=1, passes=2)),
    _vector("std", ("std.dim", "std.correction"), deviation, VectorWork(adds=2, multiplies=1, passes=2)),
    _vector("vector_norm", ("linalg_vector_norm.default",), vector_norm, VectorWork(adds=1, multiplies=1)),
    _vector("log_sum_exp", ("logsumexp.default",), log_sum_exp, VectorWork(adds=9, multiplies=7, passes=2)),
    _vector("running_sum", ("cumsum.default",), running_sum, _ADD),
    _vector("argmax", ("argmax.default",), position, _ADD),
    # Several results: their values are chosen, not computed.
    Operator(name="largest", aten=("max.dim",), reference=largest_with_position, kind=Kind.MOVE),
    Operator(name="top", aten=("topk.default",), reference=top, kind=Kind.MOVE),
)
