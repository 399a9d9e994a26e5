"""Activation functions in float32."""

from __future__ import annotations

import numpy as np
from scipy import special

from simhw.errors import InputError
from simhw.graph.base import FloatArray, Kind, Operator, VectorWork
from simhw.graph.blocks import each

# A polynomial exponential of degree 5 with its argument reduction.
_EXPONENTIAL = VectorWork(adds=7, multiplies=7)
_SIGMOID = VectorWork(adds=8, multiplies=8)


def relu(x: FloatArray) -> FloatArray:
    """Return ``max(x, 0)``."""
    return np.maximum(x, x.dtype.type(0))


def hardtanh(x: FloatArray, min_val: float = -1.0, max_val: float = 1.0) -> FloatArray:
    """Return x limited to a range (ReLU6 is the range 0..6)."""
    return np.clip(x, np.float32(min_val), np.float32(max_val))


def sigmoid(x: FloatArray) -> FloatArray:
    """Return ``1 / (1 + exp(-x))``."""
    return each(special.expit, x)


def silu(x: FloatArray) -> FloatArray:
    """Return ``x * sigmoid(x)``."""
    return each(lambda some: some * special.expit(some), x)


def tanh(x: FloatArray) -> FloatArray:
    """Return the hyperbolic tangent."""
    return each(np.tanh, x)


def gelu(x: FloatArray, approximate: str = "none") -> FloatArray:
    """Return ``x * Phi(x)``, by erf or by the tanh approximation."""
    if approximate == "tanh":
        return each(_gelu_tanh, x)
    if approximate != "none":
        raise InputError(f"gelu approximation is {approximate!r}, must be 'none' or 'tanh'; choose one of them")
    return each(lambda some: some * special.ndtr(some), x)


def _gelu_tanh(x: FloatArray) -> FloatArray:
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x * x * x)
    return np.asarray(np.float32(0.5) * x * (np.float32(1) + np.tanh(inner)), np.float32)


OPERATORS = (
    Operator(
        name="relu",
        aten=("relu.default", "relu_.default"),
        reference=relu,
        kind=Kind.VECTOR,
        work=VectorWork(adds=1),
    ),
    Operator(
        name="hardtanh",
        aten=("hardtanh.default", "hardtanh_.default"),
        reference=hardtanh,
        kind=Kind.VECTOR,
        work=VectorWork(adds=2),
    ),
    Operator(name="sigmoid", aten=("sigmoid.default",), reference=sigmoid, kind=Kind.VECTOR, work=_SIGMOID),
    Operator(
        name="silu",
        aten=("silu.default", "silu_.default"),
        reference=silu,
        kind=Kind.VECTOR,
        work=VectorWork(adds=8, multiplies=9),
    ),
    Operator(name="tanh", aten=("tanh.default",), reference=tanh, kind=Kind.VECTOR, work=_SIGMOID),
    Operator(
        name="gelu",
        aten=("gelu.default",),
        reference=gelu,
        kind=Kind.VECTOR,
        work=VectorWork(adds=_EXPONENTIAL.adds + 5, multiplies=_EXPONENTIAL.multiplies + 6),
    ),
)
