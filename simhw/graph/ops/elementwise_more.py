"""Further arithmetic element by element, in float32 or whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from simhw.graph.base import Array, Kind, Operator, VectorWork


def reverse_subtract(x: Array, y: Any, alpha: float = 1) -> Array:
    """Return ``y - alpha * x``, in the type of x where y is a number."""
    other = np.asarray(y, x.dtype) if np.ndim(y) == 0 else y
    return np.asarray(other - (x if alpha == 1 else x * np.asarray(alpha, x.dtype)))


def floor_divide(x: Array, y: Any) -> Array:
    """Return the largest whole number that is not above ``x / y``."""
    return np.asarray(np.floor_divide(x, np.asarray(y, x.dtype) if np.ndim(y) == 0 else y))


def difference(x: Array, n: int = 1, dim: int = -1, prepend: Array | None = None, append: Array | None = None) -> Array:
    """Return the n-th differences of neighbours along an axis, of flags: whether they differ."""
    borders = {key: value for key, value in (("prepend", prepend), ("append", append)) if value is not None}
    return np.asarray(np.diff(x, n, axis=dim, **borders))


def _vector(name: str, aten: tuple[str, ...], reference: Any, work: VectorWork) -> Operator:
    return Operator(name=name, aten=aten, reference=reference, kind=Kind.VECTOR, work=work)


OPERATORS = (
    _vector("square", ("square.default",), np.square, VectorWork(multiplies=1)),
    _vector("reverse_subtract", ("rsub.Tensor", "rsub.Scalar"), reverse_subtract, VectorWork(adds=1)),
    # A division and its rounding.
    _vector("floor_divide", ("floor_divide.default",), floor_divide, VectorWork(adds=1, multiplies=1)),
    _vector("difference", ("diff.default",), difference, VectorWork(adds=1)),
)
