"""Operators of ONNX that PyTorch has not, as PyTorch operators of the library ``simhw``.

Run eagerly they are the graph's own references; ``torch.export`` needs their shapes only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from simhw.graph.ops import operators
from simhw.graph.ops.quantize_linear import CODE_TYPES


def _reference(name: str, *args: Any) -> Any:
    """Return what the graph's operator makes of tensors."""
    arrays = [arg.detach().numpy() if isinstance(arg, Tensor) else arg for arg in args]
    result = operators()[name].reference(*arrays)
    if isinstance(result, tuple):
        return tuple(torch.from_numpy(np.array(part)) for part in result)
    return torch.from_numpy(np.array(result))


def carrier(to: str) -> torch.dtype:
    """Return the PyTorch type that carries codes of a type."""
    return torch.from_numpy(np.empty(0, CODE_TYPES[to].holds)).dtype


@torch.library.custom_op("simhw::quantize_linear", mutates_args=())
def quantize_linear(
    x: Tensor, scale: Tensor, zero_point: Tensor | None, axis: int, block_size: int, to: str, saturate: bool
) -> Tensor:
    """QuantizeLinear, see :mod:`simhw.graph.ops.quantize_linear`."""
    result: Tensor = _reference("quantize_linear", x, scale, zero_point, axis, block_size, to, saturate)
    return result


@quantize_linear.register_fake
def _(
    x: Tensor,
    scale: Tensor,  # noqa: ARG001
    zero_point: Tensor | None,  # noqa: ARG001
    axis: int,  # noqa: ARG001
    block_size: int,  # noqa: ARG001
    to: str,
    saturate: bool,  # noqa: ARG001
) -> Tensor:
    return torch.empty_like(x, dtype=carrier(to))


@torch.library.custom_op("simhw::dequantize_linear", mutates_args=())
def dequantize_linear(
    x: Tensor, scale: Tensor, zero_point: Tensor | None, axis: int, block_size: int, of: str
) -> Tensor:
    """DequantizeLinear, see :mod:`simhw.graph.ops.quantize_linear`."""
    result: Tensor = _reference("dequantize_linear", x, scale, zero_point, axis, block_size, of)
    return result


@dequantize_linear.register_fake
def _(
    x: Tensor,
    scale: Tensor,  # noqa: ARG001
    zero_point: Tensor | None,  # noqa: ARG001
    axis: int,  # noqa: ARG001
    block_size: int,  # noqa: ARG001
    of: str,  # noqa: ARG001
) -> Tensor:
    return torch.empty_like(x, dtype=torch.float32)


@torch.library.custom_op("simhw::dynamic_quantize_linear", mutates_args=())
def dynamic_quantize_linear(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """DynamicQuantizeLinear, sample by sample."""
    codes, scale, zero = _reference("dynamic_quantize_linear", x)
    return codes, scale, zero


@dynamic_quantize_linear.register_fake
def _(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    each = (x.shape[0], *(1,) * (x.ndim - 1))
    return torch.empty_like(x, dtype=torch.uint8), x.new_empty(each), x.new_empty(each, dtype=torch.uint8)


@torch.library.custom_op("simhw::coded_matmul", mutates_args=())
def coded_matmul(
    x: Tensor,
    x_scale: Tensor | None,
    x_zero: Tensor | None,
    y: Tensor,
    w_scale: Tensor | None,
    w_zero: Tensor | None,
    bias: Tensor | None,
    y_scale: Tensor | None,
    y_zero: Tensor | None,
    to: str,
) -> Tensor:
    """QLinearMatMul and MatMulInteger, see :mod:`simhw.graph.ops.coded`."""
    args = (x, x_scale, x_zero, y, w_scale, w_zero, bias, y_scale, y_zero, to)
    result: Tensor = _reference("coded_matmul", *args)
    return result


@coded_matmul.register_fake
def _(
    x: Tensor,
    x_scale: Tensor | None,
    x_zero: Tensor | None,  # noqa: ARG001
    y: Tensor,
    w_scale: Tensor | None,  # noqa: ARG001
    w_zero: Tensor | None,  # noqa: ARG001
    bias: Tensor | None,  # noqa: ARG001
    y_scale: Tensor | None,
    y_zero: Tensor | None,  # noqa: ARG001
    to: str,
) -> Tensor:
    shape = torch.matmul(x.new_empty(x.shape, dtype=torch.float32), y.new_empty(y.shape, dtype=torch.float32)).shape
    return x.new_empty(shape, dtype=_result(x_scale, y_scale, to))


@torch.library.custom_op("simhw::coded_conv2d", mutates_args=())
def coded_conv2d(
    x: Tensor,
    x_scale: Tensor | None,
    x_zero: Tensor | None,
    w: Tensor,
    w_scale: Tensor | None,
    w_zero: Tensor | None,
    bias: Tensor | None,
    y_scale: Tensor | None,
    y_zero: Tensor | None,
    to: str,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> Tensor:
    """QLinearConv and ConvInteger, see :mod:`simhw.graph.ops.coded`."""
    args = (x, x_scale, x_zero, w, w_scale, w_zero, bias, y_scale, y_zero, to, stride, padding, dilation, groups)
    result: Tensor = _reference("coded_conv2d", *args)
    return result


@coded_conv2d.register_fake
def _(
    x: Tensor,
    x_scale: Tensor | None,
    x_zero: Tensor | None,  # noqa: ARG001
    w: Tensor,
    w_scale: Tensor | None,  # noqa: ARG001
    w_zero: Tensor | None,  # noqa: ARG001
    bias: Tensor | None,  # noqa: ARG001
    y_scale: Tensor | None,
    y_zero: Tensor | None,  # noqa: ARG001
    to: str,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,  # noqa: ARG001
) -> Tensor:
    sizes = [
        (x.shape[2 + i] + 2 * padding[i] - dilation[i] * (w.shape[2 + i] - 1) - 1) // stride[i] + 1 for i in (0, 1)
    ]
    return x.new_empty((x.shape[0], w.shape[0], *sizes), dtype=_result(x_scale, y_scale, to))


def _result(x_scale: Tensor | None, y_scale: Tensor | None, to: str) -> torch.dtype:
    """Return the type of what a product of codes gives."""
    if x_scale is None:
        return torch.int32
    return torch.float32 if y_scale is None else carrier(to)


__all__ = ["coded_conv2d", "coded_matmul", "dequantize_linear", "dynamic_quantize_linear", "quantize_linear"]
