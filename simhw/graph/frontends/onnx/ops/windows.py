"""Convolution and pooling of images and sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

from simhw.errors import InputError
from simhw.graph.frontends.onnx.ops.base import Context
from simhw.graph.frontends.onnx.values import Value, tensor


def sides(
    sizes: Sequence[Any],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int] | None,
    auto_pad: str,
) -> list[tuple[int, int]]:
    """Return the padding before and behind each spatial axis."""
    axes = len(kernel)
    if auto_pad in ("NOTSET", "VALID", ""):
        given = list(pads) if pads and auto_pad != "VALID" else [0] * (2 * axes)
        return [(given[axis], given[axes + axis]) for axis in range(axes)]
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        raise InputError(f"its auto_pad is {auto_pad!r}, must be NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    found = []
    for size, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
        if not isinstance(size, int):
            raise InputError(f"its auto_pad is {auto_pad} along an axis whose size varies; export it with fixed sizes")
        total = max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
        less, more = total // 2, total - total // 2
        found.append((less, more) if auto_pad == "SAME_UPPER" else (more, less))
    return found


def padded(x: torch.Tensor, pads: Sequence[tuple[int, int]], value: float = 0.0) -> torch.Tensor:
    """Return ``x`` with its last axes padded."""
    return F.pad(x, [width for pair in reversed(pads) for width in pair], value=value)


def _spatial(x: torch.Tensor) -> int:
    if x.ndim not in (3, 4):
        raise InputError(f"its input has {x.ndim - 2} spatial axes, must have 1 or 2")
    return x.ndim - 2


def conv(
    _: Context,
    x: Value,
    w: Value,
    bias: Value = None,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,  # noqa: ARG001
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    """Conv, of one or two axes."""
    x, w = tensor(x), tensor(w)
    axes = _spatial(x)
    step, spread = list(strides or [1] * axes), list(dilations or [1] * axes)
    around = sides(x.shape[2:], w.shape[2:], step, spread, pads, auto_pad)
    if any(before != behind for before, behind in around):
        x, around = padded(x, around), [(0, 0)] * axes
    function = F.conv1d if axes == 1 else F.conv2d
    addend = None if bias is None else tensor(bias)
    return function(x, w, addend, step, [before for before, _ in around], spread, group)


def conv_transpose(
    _: Context,
    x: Value,
    w: Value,
    bias: Value = None,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,  # noqa: ARG001
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    """ConvTranspose, of two axes, with the same padding on both sides."""
    x, w = tensor(x), tensor(w)
    if x.ndim != 4 or auto_pad != "NOTSET" or output_shape:
        raise InputError("it has other than two spatial axes, auto_pad or output_shape, which is not supported")
    around = sides(x.shape[2:], w.shape[2:], [1, 1], [1, 1], pads, auto_pad)
    if any(before != behind for before, behind in around):
        raise InputError("its padding differs from side to side, must be the same")
    return F.conv_transpose2d(
        x,
        w,
        None if bias is None else tensor(bias),
        list(strides or (1, 1)),
        [before for before, _ in around],
        list(output_padding or (0, 0)),
        group,
        list(dilations or (1, 1)),
    )


def max_pool(
    context: Context,
    x: Value,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    storage_order: int = 0,  # noqa: ARG001
    strides: Sequence[int] | None = None,
) -> Any:
    """MaxPool, of one or two axes."""
    x = tensor(x)
    axes = _spatial(x)
    if context.outputs > 1:
        raise InputError("it returns indices, which is not supported; export without them")
    if axes == 1:
        one = max_pool(
            context, x.unsqueeze(2), [1, *kernel_shape], auto_pad, ceil_mode, [1, *(dilations or [1])],
            None if pads is None else [0, pads[0], 0, pads[1]], 0, [1, *(strides or [1])],
        )  # fmt: skip
        return one.squeeze(2)
    step, spread = list(strides or (1, 1)), list(dilations or (1, 1))
    around = sides(x.shape[2:], kernel_shape, step, spread, pads, auto_pad)
    if any(before != behind or 2 * before > k for (before, behind), k in zip(around, kernel_shape, strict=True)):
        lowest = float("-inf") if x.is_floating_point() else torch.iinfo(x.dtype).min
        x, around = padded(x, around, lowest), [(0, 0), (0, 0)]
    return F.max_pool2d(x, list(kernel_shape), step, [before for before, _ in around], spread, bool(ceil_mode))


def average_pool(
    context: Context,
    x: Value,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    """AveragePool, of one or two axes."""
    x = tensor(x)
    if _spatial(x) == 1:
        one = average_pool(
            context, x.unsqueeze(2), [1, *kernel_shape], auto_pad, ceil_mode, count_include_pad,
            None if dilations is None else [1, *dilations], None if pads is None else [0, pads[0], 0, pads[1]],
            [1, *(strides or [1])],
        )  # fmt: skip
        return one.squeeze(2)
    if dilations and any(step != 1 for step in dilations):
        raise InputError("it has dilations, which are not supported for averages")
    step = list(strides or (1, 1))
    around = sides(x.shape[2:], kernel_shape, step, (1, 1), pads, auto_pad)
    kernel = list(kernel_shape)
    if all(before == behind and 2 * before <= k for (before, behind), k in zip(around, kernel, strict=True)):
        return F.avg_pool2d(x, kernel, step, [before for before, _ in around], bool(ceil_mode), bool(count_include_pad))
    if ceil_mode:
        raise InputError("its padding differs from side to side and ceil_mode is set, which is not supported")
    means = F.avg_pool2d(padded(x, around), kernel, step)
    if count_include_pad:
        return means
    return means / F.avg_pool2d(padded(torch.ones(1, 1, *x.shape[2:]), around), kernel, step)


def global_average_pool(_: Context, x: Value) -> Any:
    """GlobalAveragePool."""
    x = tensor(x)
    return x.mean(dim=list(range(2, x.ndim)), keepdim=True)


def global_max_pool(_: Context, x: Value) -> Any:
    """GlobalMaxPool."""
    x = tensor(x)
    return x.amax(dim=list(range(2, x.ndim)), keepdim=True)


OPERATORS: Mapping[str, Any] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
}
