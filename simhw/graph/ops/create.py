"""Arrays from sizes and numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.graph.base import Array, Kind, Operator


def _kind(dtype: Any, usual: type[np.generic]) -> type[np.generic]:
    """Return NumPy's type for one of torch's: float32, int64 or bool."""
    if dtype is None:
        return usual
    if isinstance(dtype, np.ndarray):
        kind: type[np.generic] = dtype.dtype.type
        return kind
    name = str(dtype).removeprefix("torch.")
    if name == "bool":
        return np.bool_
    if "float" in name:
        return np.float32
    return np.dtype(name).type if name in ("int8", "uint8", "int16", "int32") else np.int64


def full(size: Sequence[int], value: Any, dtype: Any = None, **_: Any) -> Array:
    """Return an array of one value."""
    usual = np.bool_ if isinstance(value, bool) else np.float32 if isinstance(value, float) else np.int64
    return np.full(tuple(size), value, _kind(dtype, usual))


def zeros(size: Sequence[int], dtype: Any = None, **_: Any) -> Array:
    """Return zeros."""
    return np.zeros(tuple(size), _kind(dtype, np.float32))


def ones(size: Sequence[int], dtype: Any = None, **_: Any) -> Array:
    """Return ones."""
    return np.ones(tuple(size), _kind(dtype, np.float32))


def zeros_like(x: Array, dtype: Any = None, **_: Any) -> Array:
    """Return zeros in the shape of x."""
    return np.zeros(x.shape, x.dtype if dtype is None else _kind(dtype, np.float32))


def ones_like(x: Array, dtype: Any = None, **_: Any) -> Array:
    """Return ones in the shape of x."""
    return np.ones(x.shape, x.dtype if dtype is None else _kind(dtype, np.float32))


def full_like(x: Array, value: Any, dtype: Any = None, **_: Any) -> Array:
    """Return one value in the shape of x."""
    return np.full(x.shape, value, x.dtype if dtype is None else _kind(dtype, np.float32))


def new_zeros(x: Array, size: Sequence[int], dtype: Any = None, **_: Any) -> Array:
    """Return zeros of the type of x."""
    return np.zeros(tuple(size), x.dtype if dtype is None else _kind(dtype, np.float32))


def new_ones(x: Array, size: Sequence[int], dtype: Any = None, **_: Any) -> Array:
    """Return ones of the type of x."""
    return np.ones(tuple(size), x.dtype if dtype is None else _kind(dtype, np.float32))


def count_up(*bounds: Any, dtype: Any = None, **_: Any) -> Array:
    """Return the numbers from a start (0) to before an end, by a step (1)."""
    usual = np.float32 if any(isinstance(bound, float) for bound in bounds) else np.int64
    return np.arange(*bounds).astype(_kind(dtype, usual))


def cast(x: Array, dtype: Any = None, *_: Any, **__: Any) -> Array:
    """Return x as float32, int64 or bool; between float types nothing changes."""
    kind = _kind(dtype, x.dtype.type)
    return x.astype(kind) if x.dtype != kind else x


def _move(name: str, aten: tuple[str, ...], reference: Any) -> Operator:
    return Operator(name=name, aten=aten, reference=reference, kind=Kind.MOVE)


OPERATORS = (
    _move("full", ("full.default",), full),
    _move("zeros", ("zeros.default",), zeros),
    _move("ones", ("ones.default",), ones),
    _move("zeros_like", ("zeros_like.default",), zeros_like),
    _move("ones_like", ("ones_like.default",), ones_like),
    _move("full_like", ("full_like.default",), full_like),
    _move("new_zeros", ("new_zeros.default",), new_zeros),
    _move("new_ones", ("new_ones.default",), new_ones),
    _move("count_up", ("arange.default", "arange.start", "arange.start_step"), count_up),
    _move("cast_and_move", ("to.device",), lambda x, _, dtype, *__, **___: cast(x, dtype)),
    _move("cast", ("to.dtype", "to.dtype_layout", "_to_copy.default", "type_as.default"), cast),
)
