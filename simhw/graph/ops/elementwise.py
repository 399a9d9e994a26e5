"""Arithmetic element by element, with broadcasting, and reductions, in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.graph.base import Array, FloatArray, Kind, Operator, VectorWork

_ADD = VectorWork(adds=1)
_MULTIPLY = VectorWork(multiplies=1)


def _same(value: Any) -> Any:
    """Keep float32: a Python number must not widen it."""
    return np.float32(value) if isinstance(value, float) else value


def add(x: Array, y: Any, alpha: float = 1) -> Array:
    """Return ``x + alpha * y``."""
    return np.asarray(x + (_same(y) if alpha == 1 else _same(y) * _same(alpha)))


def subtract(x: Array, y: Any, alpha: float = 1) -> Array:
    """Return ``x - alpha * y``."""
    return np.asarray(x - (_same(y) if alpha == 1 else _same(y) * _same(alpha)))


def multiply(x: Array, y: Any) -> Array:
    """Return ``x * y``."""
    return np.asarray(x * _same(y))


def divide(x: Array, y: Any) -> Array:
    """Return ``x / y``."""
    return np.asarray(x / _same(y))


def negate(x: Array) -> Array:
    """Return ``-x``."""
    return -x


def power(x: Array, exponent: float) -> Array:
    """Return ``x ** exponent``."""
    return np.square(x) if exponent == 2 else np.asarray(np.power(x, np.float32(exponent)))


def rsqrt(x: FloatArray) -> FloatArray:
    """Return ``1 / sqrt(x)``."""
    return np.asarray(np.float32(1) / np.sqrt(x), np.float32)


def mean(x: FloatArray, dim: Sequence[int] | None = None, keepdim: bool = False, dtype: object = None) -> FloatArray:  # noqa: ARG001
    """Return the mean over ``dim`` (all axes where None or empty)."""
    axes = tuple(dim) if dim else None
    return np.asarray(np.mean(x, axis=axes, keepdims=keepdim), np.float32)


def _vector(name: str, aten: tuple[str, ...], reference: Any, work: VectorWork) -> Operator:
    return Operator(name=name, aten=aten, reference=reference, kind=Kind.VECTOR, work=work)


OPERATORS = (
    _vector("add", ("add.Tensor", "add_.Tensor", "add.Scalar"), add, _ADD),
    _vector("subtract", ("sub.Tensor", "sub.Scalar"), subtract, _ADD),
    _vector("multiply", ("mul.Tensor", "mul.Scalar", "mul_.Tensor"), multiply, _MULTIPLY),
    _vector("divide", ("div.Tensor", "div.Scalar", "div_.Tensor"), divide, _MULTIPLY),
    _vector("negate", ("neg.default",), negate, _ADD),
    _vector("power", ("pow.Tensor_Scalar",), power, _MULTIPLY),
    _vector("rsqrt", ("rsqrt.default",), rsqrt, VectorWork(adds=2, multiplies=4)),
    _vector("mean", ("mean.dim", "mean.default"), mean, _ADD),
)
