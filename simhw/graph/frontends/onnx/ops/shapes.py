"""Sizes, axes and places: what moves values without computing with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from simhw.errors import InputError
from simhw.graph.frontends.onnx.ops.base import Context
from simhw.graph.frontends.onnx.values import Value, host, ints, is_host, pack, tensor

_ALL = 10**9
"""From here on an end means the end of the axis."""
MOST = 1 << 31
"""Elements of a result that a file asks for by numbers alone."""


def _axes(given: Value, axes: Sequence[int] | None) -> list[int] | None:
    """Return axes that are an input from opset 13 on and an attribute before."""
    if given is not None:
        return ints(given, "axes")
    return None if axes is None else [int(axis) for axis in axes]


def shape(_: Context, x: Value, start: int = 0, end: int | None = None) -> Value:
    """Shape: sizes, kept with the host."""
    return pack(list(tensor(x).shape)[start:end])


def size(_: Context, x: Value) -> Value:
    """Size: the number of elements."""
    total: Any = 1
    for length in tensor(x).shape:
        total = total * length
    return pack([total]).reshape(())


def reshape(_: Context, x: Value, sizes: Value, allowzero: int = 0) -> Any:
    """Reshape; 0 keeps a size unless ``allowzero``."""
    x = tensor(x)
    wanted = [
        x.shape[axis] if isinstance(length, int) and length == 0 and not allowzero else length
        for axis, length in enumerate(ints(sizes, "shape"))
    ]
    return x.reshape(wanted)


def flatten(_: Context, x: Value, axis: int = 1) -> Any:
    """Flatten to two axes."""
    x = tensor(x)
    axis += x.ndim if axis < 0 else 0
    return x.flatten(axis) if axis == 1 else x.reshape(*((1,) if not axis else (x.shape[:axis].numel(),)), -1)


def squeeze(_: Context, x: Value, given: Value = None, axes: Sequence[int] | None = None) -> Any:
    """Squeeze."""
    x = tensor(x)
    wanted = _axes(given, axes)
    if wanted is None:
        wanted = [axis for axis, length in enumerate(x.shape) if isinstance(length, int) and length == 1]
    for axis in sorted((axis % x.ndim for axis in wanted), reverse=True):
        x = x.squeeze(axis)
    return x


def unsqueeze(_: Context, x: Value, given: Value = None, axes: Sequence[int] | None = None) -> Any:
    """Unsqueeze."""
    x = tensor(x)
    wanted = _axes(given, axes) or []
    rank = x.ndim + len(wanted)
    for axis in sorted(axis % rank for axis in wanted):
        x = x.unsqueeze(axis)
    return x


def transpose(_: Context, x: Value, perm: Sequence[int] | None = None) -> Any:
    """Transpose; all axes reversed without ``perm``."""
    x = tensor(x)
    return x.permute(*(perm if perm is not None else range(x.ndim - 1, -1, -1)))


def concat(_: Context, *values: Value, axis: int) -> Any:
    """Concat."""
    return torch.cat([tensor(value) for value in values], dim=axis)


def split(
    context: Context,
    x: Value,
    sizes: Value = None,
    axis: int = 0,
    split: Sequence[int] | None = None,
    num_outputs: int | None = None,
) -> Any:
    """Split: sizes are an attribute up to opset 12; without any, equal parts, the last one shorter."""
    x = tensor(x)
    wanted = list(split) if split is not None else None if sizes is None else ints(sizes, "sizes")
    if wanted is None:
        wanted = -(-x.shape[axis] // (num_outputs or context.outputs))
    return tuple(torch.split(x, wanted, dim=axis))


def slice_axes(
    _: Context,
    x: Value,
    starts: Value = None,
    ends: Value = None,
    axes: Value = None,
    steps: Value = None,
) -> Any:
    """Slice; a negative step goes from the start down."""
    x = tensor(x)
    first, last = ints(starts, "starts"), ints(ends, "ends")
    where = ints(axes, "axes") if axes is not None else list(range(len(first)))
    strides = ints(steps, "steps") if steps is not None else [1] * len(first)
    for start, end, axis, step in zip(first, last, where, strides, strict=True):
        axis %= x.ndim
        stop = None if isinstance(end, int) and end >= _ALL else end
        if step > 0:
            x = x[(slice(None),) * axis + (slice(start, stop, step),)]
            continue
        length = x.shape[axis]
        if not isinstance(length, int):
            raise InputError("it turns the axis of samples around; keep that axis as it is")
        chosen = range(length)[slice(start, None if end < -_ALL else end, step)]
        x = x.index_select(axis, torch.tensor(list(chosen), dtype=torch.int64))
    return x


def gather(_: Context, x: Value, indices: Value, axis: int = 0) -> Any:
    """Gather: rows of a table, one index, or several along an axis."""
    x = tensor(x)
    axis %= x.ndim
    if is_host(indices):
        places = host(indices, "indices")
        if places.ndim == 0:
            return x.select(axis, int(places.item()))
        places = np.where(places < 0, places + x.shape[axis], places) if isinstance(x.shape[axis], int) else places
        chosen = torch.from_numpy(places.astype(np.int64).reshape(-1))
        taken = x.index_select(axis, chosen)
        return taken if places.ndim == 1 else taken.unflatten(axis, places.shape)
    if axis == 0 and x.ndim == 2:
        return F.embedding(indices, x)
    taken = x.index_select(axis, indices.reshape(-1))
    return taken if indices.ndim == 1 else torch.unflatten(taken, axis, tuple(indices.shape))


def _bounded(sizes: Sequence[Any]) -> Sequence[Any]:
    """Return sizes whose product is one that fits into memory, symbolic ones left out."""
    known = [size for size in sizes if isinstance(size, int)]
    if math.prod(known) > MOST:
        raise InputError(f"its result has sizes {known}, more than {MOST:,} elements; check the file")
    return sizes


def expand(_: Context, x: Value, sizes: Value) -> Any:
    """Expand: broadcast in both directions."""
    x = tensor(x)
    wanted = ints(sizes, "shape")
    own = [1] * (len(wanted) - x.ndim) + list(x.shape)
    wanted = [1] * (len(own) - len(wanted)) + wanted
    target = [mine if isinstance(given, int) and given == 1 else given for mine, given in zip(own, wanted, strict=True)]
    return x.expand(_bounded(target))


def tile(_: Context, x: Value, repeats: Value) -> Any:
    """Tile."""
    x, times = tensor(x), ints(repeats, "repeats")
    _bounded([(size if isinstance(size, int) else 1) * time for size, time in zip(x.shape, times, strict=False)])
    return x.repeat(*times)


def constant_of_shape(_: Context, sizes: Value, value: Any = None) -> Any:
    """ConstantOfShape."""
    given = np.zeros(1, np.float32) if value is None else np.asarray(value)
    kind = torch.float32 if given.dtype.kind == "f" else tensor(given).dtype
    return torch.full(_bounded(ints(sizes, "shape")), given.reshape(-1)[0].item(), dtype=kind)


def trilu(_: Context, x: Value, k: Value = None, upper: int = 1) -> Any:
    """Trilu."""
    diagonal = 0 if k is None else ints(k, "diagonal")[0]
    return torch.triu(tensor(x), diagonal) if upper else torch.tril(tensor(x), diagonal)


def pad(
    _: Context,
    x: Value,
    pads: Value = None,
    value: Value = None,
    axes: Value = None,
    mode: str = "constant",
) -> Any:
    """Pad: constant, reflect or edge."""
    x = tensor(x)
    widths = ints(pads, "pads")
    where = [axis % x.ndim for axis in ints(axes, "axes")] if axes is not None else list(range(x.ndim))
    before = dict(zip(where, widths[: len(where)], strict=True))
    behind = dict(zip(where, widths[len(where) :], strict=True))
    _bounded([size + before.get(axis, 0) + behind.get(axis, 0) for axis, size in enumerate(x.shape)])
    order: list[int] = []
    for axis in range(x.ndim - 1, -1, -1):
        order += [before.get(axis, 0), behind.get(axis, 0)]
    while len(order) > 2 and order[-2:] == [0, 0]:
        order = order[:-2]
    if mode == "constant":
        return F.pad(x, order, value=0.0 if value is None else float(host(value, "value").reshape(())))
    return F.pad(x, order, mode={"reflect": "reflect", "edge": "replicate", "wrap": "circular"}[mode])


def depth_to_space(_: Context, x: Value, blocksize: int, mode: str = "DCR") -> Any:
    """DepthToSpace, both orders."""
    x = tensor(x)
    if mode == "CRD":
        return F.pixel_shuffle(x, blocksize)
    n, c, h, w = x.shape
    parts = x.reshape(n, blocksize, blocksize, c // blocksize**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, c // blocksize**2, h * blocksize, w * blocksize)


def space_to_depth(_: Context, x: Value, blocksize: int) -> Any:
    """SpaceToDepth."""
    x = tensor(x)
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // blocksize, blocksize, w // blocksize, blocksize).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * blocksize**2, h // blocksize, w // blocksize)


OPERATORS: Mapping[str, Any] = {
    "Shape": shape,
    "Size": size,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Concat": concat,
    "Split": split,
    "Slice": slice_axes,
    "Gather": gather,
    "GatherElements": lambda _, x, indices, axis=0: torch.gather(tensor(x), axis, tensor(indices)),
    "Expand": expand,
    "Tile": tile,
    "ConstantOfShape": constant_of_shape,
    "Trilu": trilu,
    "Pad": pad,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
}
