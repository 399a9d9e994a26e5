"""Operators of ONNX Runtime's own domain that quantizers and optimizers write (its ContribOperators.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

from simhw.errors import InputError
from simhw.graph.frontends.onnx import library
from simhw.graph.frontends.onnx.ops.base import Context
from simhw.graph.frontends.onnx.ops.products import layer_norm, rms_norm
from simhw.graph.frontends.onnx.ops.quantized import dequantize, parts, quantize, type_of
from simhw.graph.frontends.onnx.ops.reductions import softmax
from simhw.graph.frontends.onnx.ops.windows import average_pool
from simhw.graph.frontends.onnx.values import Value, tensor


def _through_floats(function: Callable[..., Any], operands: int) -> Callable[..., Any]:
    """An operator on codes that is one on their values: operands (codes, scale, zero point), then the result's."""

    def apply(context: Context, *values: Value, **options: Any) -> Any:
        given = parts(values[: 3 * operands], 3)
        result = function(*(dequantize(context, *part) for part in given), **options)
        return quantize(context, result, *values[3 * operands :])

    return apply


def qlinear_concat(context: Context, scale: Value, zero: Value, *values: Value, axis: int) -> Any:
    """QLinearConcat: the result's scale comes first."""
    joined = torch.cat([dequantize(context, *part) for part in parts(values, 3)], dim=axis)
    return quantize(context, joined, scale, zero)


def global_average(x: torch.Tensor, channels_last: int = 0) -> Any:
    """QLinearGlobalAveragePool, channels first."""
    if channels_last:
        raise InputError("it has channels_last, which is not supported; export with channels first")
    return x.mean(dim=list(range(2, x.ndim)), keepdim=True)


def qlinear_softmax(context: Context, *values: Value, axis: int = -1, opset: int = 13) -> Any:
    """QLinearSoftmax; ``opset`` says whose Softmax it is."""
    values_of = Context(opset=opset, outputs=1)
    found = softmax(values_of, dequantize(context, *values[:3]), axis)
    return quantize(context, found, *values[3:])


def qlinear_average_pool(context: Context, *values: Value, channels_last: int = 0, **options: Any) -> Any:
    """QLinearAveragePool, channels first."""
    if channels_last:
        raise InputError("it has channels_last, which is not supported; export with channels first")
    return quantize(context, average_pool(context, dequantize(context, *values[:3]), **options), *values[3:])


def qgemm(
    context: Context,
    x: Value,
    x_scale: Value,
    x_zero: Value,
    w: Value,
    w_scale: Value,
    w_zero: Value,
    bias: Value = None,
    scale: Value = None,
    zero: Value = None,
    alpha: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Any:
    """QGemm: QLinearMatMul with an int32 bias, or with float results."""
    if transA or alpha != 1.0:
        raise InputError("it has transA or alpha, neither is supported; export without")
    weight = tensor(w).t() if transB else tensor(w)
    factor = tensor(w_scale)
    addend = None if bias is None else tensor(bias)
    if addend is not None and scale is None:
        addend = addend.to(torch.float32) * (tensor(x_scale) * factor)
    found = library.coded_matmul(
        tensor(x), tensor(x_scale), None if x_zero is None else tensor(x_zero), weight, factor,
        None if w_zero is None else tensor(w_zero), addend, None if scale is None else tensor(scale),
        None if zero is None else tensor(zero),
        type_of(zero, 0),
    )  # fmt: skip
    del context
    return found


def skip_layer_norm(
    context: Context,
    x: Value,
    skip: Value,
    gamma: Value,
    beta: Value = None,
    bias: Value = None,
    epsilon: float = 1e-12,
) -> Any:
    """SkipLayerNormalization: the norm of a sum."""
    total = _sum(x, skip, bias)
    return layer_norm(Context(opset=context.opset, outputs=1), total, gamma, beta, epsilon=epsilon), None, None, total


def skip_rms_norm(
    context: Context, x: Value, skip: Value, gamma: Value, bias: Value = None, epsilon: float = 1e-12
) -> Any:
    """SkipSimplifiedLayerNormalization."""
    total = _sum(x, skip, bias)
    return rms_norm(context, total, gamma, epsilon=epsilon), None, None, total


def _sum(x: Value, skip: Value, bias: Value) -> torch.Tensor:
    total = tensor(x) + tensor(skip)
    return total if bias is None else total + tensor(bias)


def fused_matmul(
    _: Context,
    x: Value,
    y: Value,
    alpha: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
    transBatchA: int = 0,  # noqa: N803
    transBatchB: int = 0,  # noqa: N803
) -> Any:
    """FusedMatMul."""
    if transBatchA or transBatchB:
        raise InputError("it transposes batches, which is not supported")
    first = tensor(x).transpose(-1, -2) if transA else tensor(x)
    second = tensor(y).transpose(-1, -2) if transB else tensor(y)
    product = torch.matmul(first, second)
    return product if alpha == 1.0 else product * alpha


OPERATORS: Mapping[str, Any] = {
    "com.microsoft.QLinearAdd": _through_floats(torch.add, 2),
    "com.microsoft.QLinearMul": _through_floats(torch.mul, 2),
    "com.microsoft.QLinearSigmoid": _through_floats(torch.sigmoid, 1),
    "com.microsoft.QLinearLeakyRelu": _through_floats(lambda x, alpha=0.01: F.leaky_relu(x, alpha), 1),
    "com.microsoft.QLinearGlobalAveragePool": _through_floats(global_average, 1),
    "com.microsoft.QLinearAveragePool": qlinear_average_pool,
    "com.microsoft.QLinearSoftmax": qlinear_softmax,
    "com.microsoft.QLinearConcat": qlinear_concat,
    "com.microsoft.QGemm": qgemm,
    "com.microsoft.Gelu": lambda _, x: F.gelu(tensor(x)),
    "com.microsoft.BiasGelu": lambda _, x, bias: F.gelu(tensor(x) + tensor(bias)),
    "com.microsoft.FastGelu": lambda _, x, bias=None: F.gelu(
        tensor(x) if bias is None else tensor(x) + tensor(bias), approximate="tanh"
    ),
    "com.microsoft.QuickGelu": lambda _, x, alpha=1.702: tensor(x) * torch.sigmoid(tensor(x) * alpha),
    "com.microsoft.FusedMatMul": fused_matmul,
    "com.microsoft.SkipLayerNormalization": skip_layer_norm,
    "com.microsoft.SkipSimplifiedLayerNormalization": skip_rms_norm,
}
