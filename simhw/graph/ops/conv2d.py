"""Two-dimensional convolution, as a GEMM over image patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simhw.gemm.windows import Windows
from simhw.graph.base import Convolution, FloatArray, Kind, Operator

BLOCK = 1 << 22
"""Values of the patches that the reference holds at a time, at least those of one image."""


def lower(
    x: FloatArray,
    weight: FloatArray,
    bias: FloatArray | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Convolution:
    """One row of the GEMM per output pixel; k runs over kernel rows, kernel columns, channels; groups are a batch."""
    return Convolution(
        x=x,
        b=weight.transpose(0, 2, 3, 1).reshape(groups, len(weight) // groups, -1),
        bias=bias,
        windows=Windows(
            image=(x.shape[2], x.shape[3]),
            kernel=(weight.shape[2], weight.shape[3]),
            stride=(stride[0], stride[1]),
            padding=(padding[0], padding[1]),
            dilation=(dilation[0], dilation[1]),
            groups=groups,
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
    return reference(lower(x, weight, bias, stride, padding, dilation, groups))


def reference(convolution: Convolution) -> FloatArray:
    """Return a convolution in float32, a few images at a time."""
    x, windows, (groups, n, _) = convolution.x, convolution.windows, convolution.b.shape
    result = np.empty((len(x), groups, n, windows.pixels), np.float32)
    step = max(1, BLOCK // (windows.pixels * convolution.b[:, 0].size))
    for first in range(0, len(x), step):
        some = slice(first, min(first + step, len(x)))
        _few_images(x[some], convolution.b, windows, result[some])
    y = result.reshape(len(x), groups * n, *windows.output)
    if convolution.bias is not None:
        y += convolution.bias[:, None, None]
    return convolution.finish(y)


def _few_images(x: FloatArray, b: FloatArray, windows: Windows, out: FloatArray) -> None:
    """Set ``out`` (images, groups, n, pixels) to sums without bias."""
    groups, _, k = b.shape
    padded = windows.pad(x)
    if windows.taps == 1:
        pixels = padded[:, :, :: windows.stride[0], :: windows.stride[1]].reshape(len(x), groups, k, -1)
        np.matmul(b, pixels, out=out)
        return
    rows = windows.patches(padded)
    product = np.matmul(rows, b.swapaxes(1, 2)).reshape(groups, len(x), windows.pixels, -1)
    out[:] = product.transpose(1, 0, 3, 2)


OPERATORS = (
    Operator(name="conv2d", aten=("conv2d.default",), reference=conv2d, kind=Kind.MATMUL, lower=lower, weight=1),
)
