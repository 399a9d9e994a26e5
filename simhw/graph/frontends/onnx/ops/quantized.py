"""Codes: quantize, dequantize, and products of codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from simhw.errors import InputError
from simhw.graph.frontends.onnx import library
from simhw.graph.frontends.onnx.ops.base import Context
from simhw.graph.frontends.onnx.ops.windows import sides
from simhw.graph.frontends.onnx.values import Value, is_host, tensor
from simhw.graph.ops.quantize_linear import CODE_TYPES


def _maybe(value: Value) -> torch.Tensor | None:
    return None if value is None else tensor(value)


def type_of(zero: Value, given: int) -> str:
    """Return the type of codes: that of the zero point, or the attribute's, or uint8."""
    from onnx import TensorProto

    if given:
        name = str(TensorProto.DataType.Name(given)).lower()
    elif zero is None:
        name = "uint8"
    elif is_host(zero):
        name = zero.dtype.name
    else:
        name = str(zero.dtype).removeprefix("torch.")
    name = {"float8_e4m3fn": "float8e4m3fn", "float8_e4m3fnuz": "float8e4m3fnuz", "float8_e5m2": "float8e5m2"}.get(
        name, name
    )
    name = {"float8_e5m2fnuz": "float8e5m2fnuz", "float4_e2m1fn": "float4e2m1"}.get(name, name)
    if name not in CODE_TYPES:
        raise InputError(f"its codes have type {name}, must be one of {', '.join(CODE_TYPES)}")
    return name


def quantize(
    _: Context,
    x: Value,
    scale: Value,
    zero: Value = None,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,  # noqa: ARG001
    saturate: int = 1,
) -> Any:
    """QuantizeLinear."""
    to = type_of(zero, output_dtype)
    point = None if CODE_TYPES[to].form else _maybe(zero)
    return library.quantize_linear(tensor(x), tensor(scale), point, axis, block_size, to, bool(saturate))


def dequantize(
    context: Context,
    x: Value,
    scale: Value,
    zero: Value = None,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,  # noqa: ARG001
) -> Any:
    """DequantizeLinear."""
    of = context.types[0] if context.types else ""
    return library.dequantize_linear(tensor(x), tensor(scale), _maybe(zero), axis, block_size, of)


def dynamic_quantize(_: Context, x: Value) -> Any:
    """DynamicQuantizeLinear, of each sample by itself."""
    return tuple(library.dynamic_quantize_linear(tensor(x)))


def matmul_integer(_: Context, x: Value, y: Value, x_zero: Value = None, y_zero: Value = None) -> Any:
    """MatMulInteger."""
    return library.coded_matmul(
        tensor(x), None, _maybe(x_zero), tensor(y), None, _maybe(y_zero), None, None, None, "int32"
    )


def qlinear_matmul(
    _: Context,
    x: Value,
    x_scale: Value,
    x_zero: Value,
    y: Value,
    y_scale: Value,
    y_zero: Value,
    scale: Value,
    zero: Value,
) -> Any:
    """QLinearMatMul."""
    return library.coded_matmul(
        tensor(x), tensor(x_scale), _maybe(x_zero), tensor(y), tensor(y_scale), _maybe(y_zero), None,
        tensor(scale), _maybe(zero), type_of(zero, 0),
    )  # fmt: skip


def _windows(
    x: torch.Tensor, x_zero: Value, w: torch.Tensor, options: Mapping[str, Any]
) -> tuple[torch.Tensor, torch.Tensor, tuple[list[int], list[int], list[int], int], bool]:
    """Return operands of two spatial axes, the geometry, and whether there was one axis."""
    one = x.ndim == 3
    axes = x.ndim - 2
    step = list(options.get("strides") or [1] * axes)
    spread = list(options.get("dilations") or [1] * axes)
    around = sides(x.shape[2:], w.shape[2:], step, spread, options.get("pads"), options.get("auto_pad", "NOTSET"))
    if one:
        x, w, step, spread, around = x.unsqueeze(2), w.unsqueeze(2), [1, *step], [1, *spread], [(0, 0), *around]
    if any(before != behind for before, behind in around):
        zero = 0 if x_zero is None else int(np.asarray(x_zero).item())
        widths = [width for pair in reversed(around) for width in pair]
        x, around = torch.nn.functional.pad(x, widths, value=float(zero)), [(0, 0)] * 2
    return x, w, (step, [before for before, _ in around], spread, int(options.get("group", 1))), one


def conv_integer(_: Context, x: Value, w: Value, x_zero: Value = None, w_zero: Value = None, **options: Any) -> Any:
    """ConvInteger."""
    codes, weight, geometry, one = _windows(tensor(x), x_zero, tensor(w), _known(options))
    found = library.coded_conv2d(
        codes, None, _maybe(x_zero), weight, None, _maybe(w_zero), None, None, None, "int32", *geometry
    )
    return found.squeeze(2) if one else found


def qlinear_conv(
    _: Context,
    x: Value,
    x_scale: Value,
    x_zero: Value,
    w: Value,
    w_scale: Value,
    w_zero: Value,
    y_scale: Value,
    y_zero: Value,
    bias: Value = None,
    **options: Any,
) -> Any:
    """QLinearConv."""
    codes, weight, geometry, one = _windows(tensor(x), x_zero, tensor(w), _known(options))
    found = library.coded_conv2d(
        codes, tensor(x_scale), _maybe(x_zero), weight, tensor(w_scale), _maybe(w_zero), _maybe(bias),
        tensor(y_scale), _maybe(y_zero), type_of(y_zero, 0), *geometry,
    )  # fmt: skip
    return found.squeeze(2) if one else found


def _known(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a convolution's attributes. Raises InputError for one that it has not."""
    unknown = sorted(set(options) - {"strides", "dilations", "pads", "auto_pad", "group", "kernel_shape"})
    if unknown:
        raise InputError(f"its attribute {unknown[0]!r} is not supported; export without it")
    return options


OPERATORS: Mapping[str, Any] = {
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": dynamic_quantize,
    "MatMulInteger": matmul_integer,
    "QLinearMatMul": qlinear_matmul,
    "ConvInteger": conv_integer,
    "QLinearConv": qlinear_conv,
    "com.microsoft.QuantizeLinear": quantize,
    "com.microsoft.DequantizeLinear": dequantize,
}


def parts(values: Sequence[Value], count: int) -> list[tuple[Value, ...]]:
    """Return inputs in groups of ``count``: (codes, scale, zero point), ..."""
    return [tuple(values[start : start + count]) for start in range(0, len(values), count)]
