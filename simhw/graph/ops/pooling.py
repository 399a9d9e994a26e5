"""Pooling over the two last axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.errors import InputError
from simhw.graph.base import FloatArray, Kind, Operator, VectorWork


def adaptive_average_pool(x: FloatArray, output_size: Sequence[int] | int) -> FloatArray:
    """Return means over equal windows; the output size must divide the input size."""
    height, width = (output_size, output_size) if isinstance(output_size, int) else output_size
    if x.shape[-2] % height or x.shape[-1] % width:
        raise InputError(
            f"adaptive pooling from {x.shape[-2:]} to {(height, width)}: the output size must divide the input size;"
            " choose one that does"
        )
    windows = x.reshape(*x.shape[:-2], height, x.shape[-2] // height, width, x.shape[-1] // width)
    return np.asarray(windows.mean(axis=(-3, -1)), np.float32)


def adaptive_average_pool1d(x: FloatArray, output_size: Sequence[int]) -> FloatArray:
    """Return means over equal windows of the last axis."""
    return adaptive_average_pool(x[..., None, :], (1, output_size[0]))[..., 0, :]


def max_pool(
    x: FloatArray,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    ceil_mode: bool = False,
) -> FloatArray:
    """Return the largest value of each window."""
    if ceil_mode or tuple(dilation) not in ((1, 1), (1,)):
        raise InputError("max pooling with ceil_mode or dilation is not supported; use floor mode without dilation")
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype.name).min
    return np.asarray(_windows(x, kernel_size, stride, padding, lowest).max(axis=(-2, -1)), x.dtype)


def max_pool1d(x: FloatArray, kernel_size: Sequence[int], stride: Sequence[int] = (), *rest: Any) -> FloatArray:
    """Return the largest value of each window along the last axis."""
    padding = tuple(rest[0]) if rest else (0,)
    step = tuple(stride) or tuple(kernel_size)
    wide = max_pool(x[..., None, :], (1, *kernel_size), (1, *step), (0, *padding))
    return wide[..., 0, :]


def average_pool(
    x: FloatArray,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> FloatArray:
    """Return the mean of each window."""
    if ceil_mode:
        raise InputError("average pooling with ceil_mode is not supported; use floor mode")

    def sums(values: FloatArray) -> FloatArray:
        return np.asarray(_windows(values, kernel_size, stride, padding, 0).sum(axis=(-2, -1), dtype=np.float32))

    if divisor_override is not None:
        return sums(x) / np.float32(divisor_override)
    if count_include_pad:
        return sums(x) / np.float32(np.prod(_pair(kernel_size)))
    return sums(x) / sums(np.ones_like(x))


def _windows(
    x: FloatArray, kernel_size: Sequence[int], stride: Sequence[int], padding: Sequence[int], border: float
) -> FloatArray:
    """Return ``(..., rows, columns, *kernel)``: windows of the two last axes, ``border`` beyond the edge."""
    kernel, pad = _pair(kernel_size), _pair(padding)
    step = _pair(stride) if len(stride) else kernel
    edges = ((0, 0),) * (x.ndim - 2) + ((pad[0], pad[0]), (pad[1], pad[1]))
    padded = np.pad(x, edges, constant_values=border)
    return np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(-2, -1))[..., :: step[0], :: step[1], :, :]


def _pair(sizes: Sequence[int]) -> tuple[int, ...]:
    return tuple(sizes) * (2 // len(sizes))


OPERATORS = (
    Operator(
        name="adaptive_average_pool",
        aten=("adaptive_avg_pool2d.default",),
        reference=adaptive_average_pool,
        kind=Kind.VECTOR,
        work=VectorWork(adds=1),
    ),
    Operator(
        name="adaptive_average_pool1d",
        aten=("adaptive_avg_pool1d.default",),
        reference=adaptive_average_pool1d,
        kind=Kind.VECTOR,
        work=VectorWork(adds=1),
    ),
    Operator(
        name="max_pool",
        aten=("max_pool2d.default",),
        reference=max_pool,
        kind=Kind.VECTOR,
        work=VectorWork(adds=1),
    ),
    Operator(
        name="average_pool",
        aten=("avg_pool2d.default",),
        reference=average_pool,
        kind=Kind.VECTOR,
        work=VectorWork(adds=1),
    ),
    Operator(
        name="max_pool1d",
        aten=("max_pool1d.default",),
        reference=max_pool1d,
        kind=Kind.VECTOR,
        work=VectorWork(adds=1),
    ),
)
