"""Functions of one number, element by element, in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from simhw.graph.base import Array, FloatArray, Kind, Operator, VectorWork
from simhw.graph.blocks import each

_POLYNOMIAL = VectorWork(adds=7, multiplies=7)
"""Argument reduction and a polynomial of degree 5."""


def clamp(x: Array, low: Any = None, high: Any = None) -> Array:
    """Return x within bounds; None is no bound."""
    above = x if low is None else np.maximum(x, np.asarray(low, x.dtype))
    return above if high is None else np.minimum(above, np.asarray(high, x.dtype))


def log1p(x: FloatArray) -> FloatArray:
    """Return the logarithm of ``1 + x``."""
    return each(np.log1p, x)


def _float(function: Any) -> Any:
    def reference(x: Array) -> FloatArray:
        return each(lambda some: np.asarray(function(some), np.float32), np.asarray(x, np.float32))

    return reference


def _vector(name: str, reference: Any, work: VectorWork, *more: str) -> Operator:
    return Operator(name=name, aten=(f"{name}.default", *more), reference=reference, kind=Kind.VECTOR, work=work)


OPERATORS = (
    _vector("abs", np.abs, VectorWork(adds=1)),
    _vector("sign", np.sign, VectorWork(adds=1), "sgn.default"),
    _vector("exp", _float(np.exp), _POLYNOMIAL),
    _vector("expm1", _float(np.expm1), _POLYNOMIAL),
    _vector("log", _float(np.log), _POLYNOMIAL),
    _vector("log1p", log1p, _POLYNOMIAL),
    _vector("sqrt", _float(np.sqrt), VectorWork(adds=2, multiplies=4)),
    _vector("reciprocal", _float(np.reciprocal), VectorWork(multiplies=2)),
    _vector("sin", _float(np.sin), _POLYNOMIAL),
    _vector("cos", _float(np.cos), _POLYNOMIAL),
    _vector("erf", _float(special.erf), _POLYNOMIAL),
    _vector("floor", np.floor, VectorWork(adds=1)),
    _vector("ceil", np.ceil, VectorWork(adds=1)),
    _vector("round", np.rint, VectorWork(adds=1)),
    _vector("clamp", clamp, VectorWork(adds=2), "clamp.Tensor"),
    Operator(
        name="clamp_min",
        aten=("clamp_min.default",),
        reference=lambda x, low: clamp(x, low),
        kind=Kind.VECTOR,
        work=VectorWork(adds=1),
    ),
    _vector("minimum", np.minimum, VectorWork(adds=1), "min.other"),
    _vector("maximum", np.maximum, VectorWork(adds=1), "max.other"),
)
