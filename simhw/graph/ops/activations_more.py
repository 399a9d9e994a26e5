"""Activation functions beside the common ones, in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from simhw.graph.base import FloatArray, Kind, Operator, VectorWork
from simhw.graph.blocks import each
from simhw.graph.ops.activations import sigmoid

_ONE, _SIX, _THREE = np.float32(1), np.float32(6), np.float32(3)
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
"""Klambauer et al., arXiv 1706.02515."""


def hardsigmoid(x: FloatArray) -> FloatArray:
    """Return ``clip(x + 3, 0, 6) / 6``."""
    return np.asarray(np.clip(x + _THREE, np.float32(0), _SIX) / _SIX)


def hardswish(x: FloatArray) -> FloatArray:
    """Return ``x * hardsigmoid(x)``."""
    return np.asarray(x * np.clip(x + _THREE, np.float32(0), _SIX) / _SIX)


def elu(x: FloatArray, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> FloatArray:
    """Return ``x``, or ``alpha (exp(x) - 1)`` below zero, times a scale."""
    below = np.float32(alpha) * np.expm1(np.minimum(x, np.float32(0)) * np.float32(input_scale))
    return np.asarray(np.where(x > 0, x, below) * np.float32(scale), np.float32)


def leaky_relu(x: FloatArray, negative_slope: float = 0.01) -> FloatArray:
    """Return ``x``, or a fraction of it below zero."""
    return np.where(x > 0, x, x * np.float32(negative_slope))


def prelu(x: FloatArray, weight: FloatArray) -> FloatArray:
    """Return ``x``, or below zero times a weight (one per channel, axis 1)."""
    shape = (1, -1) + (1,) * (x.ndim - 2) if weight.size > 1 else (1,) * x.ndim
    return np.where(x > 0, x, x * weight.reshape(shape))


def softplus(x: FloatArray, beta: float = 1.0, threshold: float = 20.0) -> FloatArray:
    """Return ``log(1 + exp(beta x)) / beta``, ``x`` itself beyond the threshold."""
    scaled = x * np.float32(beta)
    return np.asarray(
        np.where(scaled > threshold, x, np.logaddexp(scaled, np.float32(0)) / np.float32(beta)), np.float32
    )


def mish(x: FloatArray) -> FloatArray:
    """Return ``x * tanh(softplus(x))`` (Misra, arXiv 1908.08681)."""
    return each(lambda some: some * np.tanh(np.logaddexp(some, np.float32(0))), x)


def log_sigmoid(x: FloatArray) -> FloatArray:
    """Return the logarithm of the sigmoid."""
    return each(special.log_expit, x)


def log_softmax(x: FloatArray, dim: int = -1, dtype: object = None) -> FloatArray:  # noqa: ARG001
    """Return the logarithm of the softmax along an axis."""
    shifted = x - x.max(axis=dim, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True)), np.float32)


def glu(x: FloatArray, dim: int = -1) -> FloatArray:
    """Return the first half along an axis times the sigmoid of the second."""
    first, second = np.split(x, 2, axis=dim)
    return first * sigmoid(second)


def _vector(name: str, reference: Any, adds: float, multiplies: float, *more: str, passes: int = 1) -> Operator:
    work = VectorWork(adds=adds, multiplies=multiplies, passes=passes)
    return Operator(name=name, aten=(f"{name}.default", *more), reference=reference, kind=Kind.VECTOR, work=work)


OPERATORS = (
    _vector("hardsigmoid", hardsigmoid, 3, 1, "hardsigmoid_.default"),
    _vector("hardswish", hardswish, 3, 2, "hardswish_.default"),
    _vector("elu", elu, 8, 8, "elu_.default"),
    _vector("celu", lambda x, alpha=1.0: elu(x, alpha, 1.0, 1.0 / alpha), 8, 8, "celu_.default"),
    _vector("selu", lambda x: elu(x, SELU_ALPHA, SELU_SCALE), 8, 9, "selu_.default"),
    _vector("leaky_relu", leaky_relu, 1, 1, "leaky_relu_.default"),
    _vector("prelu", prelu, 1, 1),
    _vector("softplus", softplus, 15, 14),
    _vector("mish", mish, 23, 23, "mish_.default"),
    _vector("log_sigmoid", log_sigmoid, 15, 14),
    Operator(
        name="log_softmax",
        aten=("log_softmax.int", "_log_softmax.default"),
        reference=log_softmax,
        kind=Kind.VECTOR,
        work=VectorWork(adds=10, multiplies=8, passes=3),
    ),
    _vector("glu", glu, 8, 9),
)
