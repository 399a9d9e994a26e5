"""Operators that address values without changing any: views, slices, joins, look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.errors import InputError
from simhw.graph.base import Array, Kind, Operator


def view(x: Array, shape: Sequence[int]) -> Array:
    """Return x with another shape."""
    return x.reshape(tuple(shape))


def flatten(x: Array, start_dim: int = 0, end_dim: int = -1) -> Array:
    """Return x with a range of axes joined."""
    end = end_dim % x.ndim
    start = start_dim % x.ndim
    return x.reshape(*x.shape[:start], -1, *x.shape[end + 1 :])


def transpose(x: Array, dim0: int, dim1: int) -> Array:
    """Return x with two axes exchanged."""
    return x.swapaxes(dim0, dim1)


def permute(x: Array, dims: Sequence[int]) -> Array:
    """Return x with its axes reordered."""
    return x.transpose(tuple(dims))


def unsqueeze(x: Array, dim: int) -> Array:
    """Return x with a new axis of length 1."""
    return np.expand_dims(x, dim)


def squeeze(x: Array, dim: int) -> Array:
    """Return x without an axis of length 1; an axis of another length stays."""
    return np.squeeze(x, dim) if x.shape[dim] == 1 else x


def expand(x: Array, size: Sequence[int], implicit: bool = False) -> Array:  # noqa: ARG001
    """Return x repeated along axes of length 1; -1 keeps an axis."""
    lead = len(size) - x.ndim
    shape = [x.shape[i - lead] if s == -1 else s for i, s in enumerate(size)]
    return np.broadcast_to(x, shape)


def slice_axis(x: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Array:
    """Return a range of one axis."""
    index: list[slice] = [slice(None)] * x.ndim
    index[dim] = slice(start, end, step)
    return x[tuple(index)]


def select(x: Array, dim: int, index: int) -> Array:
    """Return one position of an axis."""
    return np.asarray(np.take(x, index, axis=dim))


def concatenate(tensors: Sequence[Array], dim: int = 0) -> Array:
    """Return arrays joined along an axis."""
    return np.concatenate(tensors, axis=dim)


def embedding(weight: Array, indices: Array, *_: Any) -> Array:
    """Return the weight's rows at integer indices. Raises InputError for an index that has no row."""
    if indices.dtype.kind not in "iu" or indices.min() < 0 or indices.max() >= len(weight):
        raise InputError(
            f"indices are {indices.dtype} in {indices.min()}..{indices.max()}, must be integers in "
            f"0..{len(weight) - 1}; check the input data"
        )
    return np.asarray(weight[indices])


def size(x: Array, dim: int) -> int:
    """Return the length of an axis."""
    return int(x.shape[dim])


def add_sizes(x: int, y: int) -> int:
    """Return ``x + y``."""
    return x + y


def subtract_sizes(x: int, y: int) -> int:
    """Return ``x - y``."""
    return x - y


def multiply_sizes(x: int, y: int) -> int:
    """Return ``x * y``."""
    return x * y


def divide_sizes(x: int, y: int) -> int:
    """Return ``x // y``."""
    return x // y


def remainder_of_sizes(x: int, y: int) -> int:
    """Return ``x % y``."""
    return x % y


def same(x: Any, *_: Any, **__: Any) -> Any:
    """Return x: copies, casts between float types and inference-time dropout change nothing here."""
    return x


def _move(name: str, aten: tuple[str, ...], reference: Any) -> Operator:
    return Operator(name=name, aten=aten, reference=reference, kind=Kind.MOVE)


OPERATORS = (
    _move("view", ("view.default", "reshape.default", "_unsafe_view.default"), view),
    _move("flatten", ("flatten.using_ints",), flatten),
    _move("transpose", ("transpose.int",), transpose),
    _move("permute", ("permute.default",), permute),
    _move("unsqueeze", ("unsqueeze.default",), unsqueeze),
    _move("squeeze", ("squeeze.dim",), squeeze),
    _move("expand", ("expand.default",), expand),
    _move("slice", ("slice.Tensor",), slice_axis),
    _move("select", ("select.int",), select),
    _move("concatenate", ("cat.default",), concatenate),
    _move("embedding", ("embedding.default",), embedding),
    _move("size", ("sym_size.int",), size),
    _move("add_sizes", (), add_sizes),
    _move("subtract_sizes", (), subtract_sizes),
    _move("multiply_sizes", (), multiply_sizes),
    _move("divide_sizes", (), divide_sizes),
    _move("remainder_of_sizes", (), remainder_of_sizes),
    _move(
        "same",
        (
            "contiguous.default",
            "clone.default",
            "dropout.default",
            "dropout_.default",
            "alias.default",
            "detach.default",
            "detach_.default",
            "lift_fresh_copy.default",
        ),
        same,
    ),
)
