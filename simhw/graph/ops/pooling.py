"""Pooling over the two last axes."""

from __future__ import annotations

from collections.abc import Sequence

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
    kernel = tuple(kernel_size) * (2 // len(kernel_size))
    step = tuple(stride) * (2 // len(stride)) if len(stride) else kernel
    pad = tuple(padding) * (2 // len(padding))
    edges = ((0, 0),) * (x.ndim - 2) + ((pad[0], pad[0]), (pad[1], pad[1]))
    padded = np.pad(x, edges, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(-2, -1))
    return np.asarray(windows[..., :: step[0], :: step[1], :, :].max(axis=(-2, -1)), np.float32)


OPERATORS = (
    Operator(
        name="adaptive_average_pool",
        aten=("adaptive_avg_pool2d.default",),
        reference=adaptive_average_pool,
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
)
