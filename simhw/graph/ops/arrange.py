"""Operators that take values from other places: splits, stacks, gathers, paddings, triangles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.errors import InputError
from simhw.graph.base import Array, Kind, Operator

_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def split(x: Array, sizes: int | Sequence[int], dim: int = 0) -> tuple[Array, ...]:
    """Return pieces of one size (the last may be shorter), or of the given sizes."""
    length = x.shape[dim]
    places = range(sizes, length, sizes) if isinstance(sizes, int) else np.cumsum(np.asarray(sizes))[:-1]
    return tuple(np.split(x, list(places), axis=dim))


def chunk(x: Array, chunks: int, dim: int = 0) -> tuple[Array, ...]:
    """Return at most that many pieces of equal size."""
    return split(x, -(-x.shape[dim] // chunks), dim)


def unbind(x: Array, dim: int = 0) -> tuple[Array, ...]:
    """Return the slices along an axis."""
    return tuple(np.take(x, index, axis=dim) for index in range(x.shape[dim]))


def item(values: Sequence[Any], index: int) -> Any:
    """Return one of several results."""
    return values[index]


def several(*values: Any) -> tuple[Any, ...]:
    """Return several results as one value."""
    return values


def pad(x: Array, widths: Sequence[int], mode: str = "constant", value: float | None = None) -> Array:
    """Return x with borders, the last axis first; negative widths cut."""
    edges = [(0, 0)] * x.ndim
    cuts = [slice(None)] * x.ndim
    for pair in range(len(widths) // 2):
        before, after = widths[2 * pair], widths[2 * pair + 1]
        axis = x.ndim - 1 - pair
        edges[axis] = (max(before, 0), max(after, 0))
        cuts[axis] = slice(max(-before, 0), x.shape[axis] - max(-after, 0))
    inner = x[tuple(cuts)]
    if mode == "constant":
        return np.pad(inner, edges, constant_values=0 if value is None else value)
    if mode not in _MODES:
        raise InputError(f"padding mode is {mode!r}, must be constant, reflect, replicate or circular; choose one")
    return np.pad(inner, edges, mode=_MODES[mode])  # type: ignore[call-overload, no-any-return]


def roll(x: Array, shifts: Sequence[int], dims: Sequence[int] = ()) -> Array:
    """Return x moved along axes, what leaves at one end enters at the other."""
    return np.roll(x, tuple(shifts), axis=tuple(dims) if dims else None)


def index(x: Array, indices: Sequence[Array | None]) -> Array:
    """Return ``x[indices]``, None for a whole axis."""
    return x[tuple(slice(None) if one is None else one for one in indices)]


def gather(x: Array, dim: int, index: Array, sparse_grad: bool = False) -> Array:  # noqa: ARG001
    """Return the values at indices along an axis."""
    shorter = tuple(slice(0, size) if axis != dim % x.ndim else slice(None) for axis, size in enumerate(index.shape))
    return np.take_along_axis(x[shorter], index, axis=dim)


def scatter(x: Array, dim: int, index: Array, source: Any) -> Array:
    """Return x with values put at indices along an axis."""
    result = x.copy()
    values = source if np.ndim(source) == 0 else source[tuple(slice(0, size) for size in index.shape)]
    np.put_along_axis(result, index, values, axis=dim)
    return result


def index_select(x: Array, dim: int, index: Array) -> Array:
    """Return the slices at indices along an axis."""
    return np.take(x, index, axis=dim)


def one_hot(x: Array, classes: int = -1) -> Array:
    """Return a row of zeros with a one at each index."""
    count = int(x.max()) + 1 if classes < 0 else classes
    return np.asarray(x[..., None] == np.arange(count), np.int64)


def unflatten(x: Array, dim: int, sizes: Sequence[int]) -> Array:
    """Return x with one axis split into several."""
    axis = dim % x.ndim
    return x.reshape(*x.shape[:axis], *sizes, *x.shape[axis + 1 :])


def unfold(x: Array, dim: int, size: int, step: int) -> Array:
    """Return windows along an axis, as a last axis."""
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=dim)
    return windows[tuple(slice(None, None, step) if axis == dim % x.ndim else slice(None) for axis in range(x.ndim))]


def pixel_shuffle(x: Array, factor: int) -> Array:
    """Return ``(n, c r r, h, w)`` as ``(n, c, h r, w r)``."""
    n, c, h, w = x.shape
    parts = x.reshape(n, c // factor**2, factor, factor, h, w)
    return parts.transpose(0, 1, 4, 2, 5, 3).reshape(n, c // factor**2, h * factor, w * factor)


def _move(name: str, aten: tuple[str, ...], reference: Any) -> Operator:
    return Operator(name=name, aten=aten, reference=reference, kind=Kind.MOVE)


OPERATORS = (
    _move("split", ("split.Tensor", "split_with_sizes.default", "split.sizes"), split),
    _move("chunk", ("chunk.default",), chunk),
    _move("unbind", ("unbind.int",), unbind),
    _move("item", (), item),
    _move("several", (), several),
    _move("stack", ("stack.default",), lambda tensors, dim=0: np.stack(tensors, axis=dim)),
    _move("expand_as", ("expand_as.default",), lambda x, other: np.broadcast_to(x, other.shape)),
    _move("flip", ("flip.default",), lambda x, dims: np.flip(x, tuple(dims))),
    _move("roll", ("roll.default",), roll),
    _move("repeat", ("repeat.default",), lambda x, repeats: np.tile(x, tuple(repeats))),
    _move("repeat_each", ("repeat_interleave.self_int",), lambda x, n, dim=None, **_: np.repeat(x, n, axis=dim)),
    _move("pad", ("pad.default", "constant_pad_nd.default"), pad),
    _move("index", ("index.Tensor",), index),
    _move("gather", ("gather.default",), gather),
    _move("scatter", ("scatter.src", "scatter.value"), scatter),
    _move("index_select", ("index_select.default",), index_select),
    _move("one_hot", ("one_hot.default",), one_hot),
    _move("unflatten", ("unflatten.int",), unflatten),
    _move("unfold", ("unfold.default",), unfold),
    _move("pixel_shuffle", ("pixel_shuffle.default",), pixel_shuffle),
    _move("lower_triangle", ("tril.default",), lambda x, diagonal=0: np.tril(x, diagonal)),
    _move("upper_triangle", ("triu.default",), lambda x, diagonal=0: np.triu(x, diagonal)),
    _move("reverse_axes", ("numpy_T.default", "t.default"), lambda x: x.T),
)
