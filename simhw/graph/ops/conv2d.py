"""Two-dimensional convolution, as a GEMM over image patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simhw.graph.base import FloatArray, Kind, Matmul, Operator


def patches(
    x: FloatArray,
    kernel: tuple[int, int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> tuple[FloatArray, int, int]:
    """Return ``(batch * height * width, kernel_height * kernel_width * channels)`` patches and the output size.

    Channels vary fastest along k, as in a memory that keeps the channels of a pixel together.
    """
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0], padding[0]), (padding[1], padding[1])))
    span = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, tuple(span), axis=(2, 3))
    windows = windows[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    batch, _, height, width = windows.shape[:4]
    ordered = windows.transpose(0, 2, 3, 4, 5, 1)
    return np.ascontiguousarray(ordered).reshape(batch * height * width, -1), height, width


def lower(
    x: FloatArray,
    weight: FloatArray,
    bias: FloatArray | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Matmul:
    """One row of the GEMM per output pixel; k runs over kernel rows, kernel columns, channels; groups are a batch."""
    a, height, width = patches(x, (weight.shape[2], weight.shape[3]), stride, padding, dilation)
    batch, filters, channels = x.shape[0], weight.shape[0], weight.shape[1]
    taps = weight.shape[2] * weight.shape[3]
    by_group = a.reshape(-1, taps, groups, channels).transpose(2, 0, 1, 3).reshape(groups, -1, taps * channels)
    return Matmul(
        a=np.ascontiguousarray(by_group),
        b=weight.transpose(0, 2, 3, 1).reshape(groups, filters // groups, -1),
        bias=bias if bias is None or groups == 1 else bias.reshape(groups, 1, -1),
        rows_per_scale=height * width,
        samples_in_batch=False,
        finish=lambda product: np.ascontiguousarray(
            product.transpose(1, 0, 2).reshape(batch, height, width, filters).transpose(0, 3, 1, 2)
        ),
    )


def conv2d(
    x: FloatArray,
    weight: FloatArray,
    bias: FloatArray | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> FloatArray:
    """Map ``(batch, channels, height, width)`` with weight ``(filters, channels, kh, kw)``."""
    gemm = lower(x, weight, bias, stride, padding, dilation, groups)
    y = gemm.finish(np.matmul(gemm.a, gemm.b.swapaxes(1, 2)))
    return y if bias is None else y + bias[:, None, None]


OPERATORS = (
    Operator(name="conv2d", aten=("conv2d.default",), reference=conv2d, kind=Kind.MATMUL, lower=lower, weight=1),
)
