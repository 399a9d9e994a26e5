"""One-dimensional and transposed convolutions, as two-dimensional ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simhw.errors import InputError
from simhw.graph.base import Convolution, FloatArray, Kind, Operator
from simhw.graph.ops import conv2d


def lower_conv1d(
    x: FloatArray,
    weight: FloatArray,
    bias: FloatArray | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Convolution:
    """An image of one row."""
    rows = conv2d.lower(x[:, :, None], weight[:, :, None], bias, (1, *stride), (0, *padding), (1, *dilation), groups)
    return replace(rows, finish=lambda result: np.ascontiguousarray(result[:, :, 0]))


def conv1d(x: FloatArray, weight: FloatArray, bias: FloatArray | None = None, *rest: object) -> FloatArray:
    """Map ``(batch, channels, length)`` with weight ``(filters, channels / groups, taps)``."""
    return conv2d.reference(lower_conv1d(x, weight, bias, *rest))  # type: ignore[arg-type]


def lower_conv_transpose2d(
    x: FloatArray,
    weight: FloatArray,
    bias: FloatArray | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    output_padding: Sequence[int] = (0, 0),
    groups: int = 1,
    dilation: Sequence[int] = (1, 1),
) -> Convolution:
    """A convolution of stride 1 over the image with zeros between its pixels, by the weight turned around."""
    batch, channels, height, width = x.shape
    taps = weight.shape[2:]
    spread = np.zeros((batch, channels, (height - 1) * stride[0] + 1, (width - 1) * stride[1] + 1), np.float32)
    spread[:, :, :: stride[0], :: stride[1]] = x
    borders = [d * (t - 1) - p for d, t, p in zip(dilation, taps, padding, strict=True)]
    if min(borders) < 0:
        raise InputError(
            f"padding is {tuple(padding)}, must be below the window of {tuple(taps)}; choose a smaller one"
        )
    edges = [(border, border + more) for border, more in zip(borders, output_padding, strict=True)]
    spread = np.pad(spread, ((0, 0), (0, 0), *edges))
    parts = weight.reshape(groups, channels // groups, -1, *taps).transpose(0, 2, 1, 3, 4)
    turned = parts.reshape(-1, channels // groups, *taps)[:, :, ::-1, ::-1]
    return conv2d.lower(spread, np.ascontiguousarray(turned), bias, (1, 1), (0, 0), dilation, groups)


def conv_transpose2d(x: FloatArray, weight: FloatArray, bias: FloatArray | None = None, *rest: object) -> FloatArray:
    """Map ``(batch, channels, height, width)`` with weight ``(channels, filters / groups, kh, kw)``."""
    return conv2d.reference(lower_conv_transpose2d(x, weight, bias, *rest))  # type: ignore[arg-type]


OPERATORS = (
    Operator(name="conv1d", aten=("conv1d.default",), reference=conv1d, kind=Kind.MATMUL, lower=lower_conv1d, weight=1),
    Operator(
        name="conv_transpose2d",
        aten=("conv_transpose2d.input",),
        reference=conv_transpose2d,
        kind=Kind.MATMUL,
        lower=lower_conv_transpose2d,
        weight=1,
    ),
)
