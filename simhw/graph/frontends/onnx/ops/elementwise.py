"""Arithmetic, comparisons and functions of one number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

from simhw.errors import InputError
from simhw.graph.frontends.onnx.ops.base import Context
from simhw.graph.frontends.onnx.values import Value, is_host, number_or_tensor, tensor


def _binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def apply(_: Context, x: Value, y: Value) -> Any:
        if is_host(x):
            first = number_or_tensor(x, y)
            return function(first, y) if isinstance(first, torch.Tensor) else function(first, tensor(y))
        return function(tensor(x), number_or_tensor(y, x))

    return apply


def _unary(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda _, x: function(tensor(x))


def _divide(x: Any, y: Any) -> Any:
    whole = not _floats(x) and not _floats(y)
    if whole:
        raise InputError("an integer tensor is divided, which is not supported; divide floats")
    return x / y if isinstance(x, torch.Tensor) else torch.reciprocal(y) * x


def _floats(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, torch.Tensor) and value.is_floating_point())


def _power(x: Any, y: Any) -> Any:
    if isinstance(y, torch.Tensor):
        raise InputError("its exponent is a tensor, must be one constant number")
    if not x.is_floating_point() and y < 0:
        raise InputError(f"integers are raised to {y}, which is not supported; use floats")
    if y == 0.5:
        return torch.sqrt(x)
    return x ** (int(y) if float(y).is_integer() else y)


def _several(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def apply(_: Context, *values: Value) -> Any:
        result = tensor(values[0])
        for value in values[1:]:
            result = function(result, tensor(value))
        return result

    return apply


def _mean(context: Context, *values: Value) -> Any:
    return _several(torch.add)(context, *values) / len(values)


def clip(
    _: Context, x: Value, low: Value = None, high: Value = None, min: float | None = None, max: float | None = None
) -> Any:
    """Clip, its bounds attributes up to opset 10."""
    bounds = [given if value is None else number_or_tensor(value, x) for value, given in ((low, min), (high, max))]
    if all(bound is None for bound in bounds):
        return x
    return torch.clamp(tensor(x), *bounds)


def hard_sigmoid(_: Context, x: Value, alpha: float = 0.2, beta: float = 0.5) -> Any:
    """``clamp(alpha x + beta, 0, 1)``; PyTorch's own where alpha is a sixth."""
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return F.hardsigmoid(tensor(x))
    return torch.clamp(tensor(x) * alpha + beta, 0.0, 1.0)


def gelu(_: Context, x: Value, approximate: str = "none") -> Any:
    """Gelu, of opset 20."""
    return F.gelu(tensor(x), approximate=approximate)


def swish(_: Context, x: Value, alpha: float = 1.0) -> Any:
    """Swish, of opset 24."""
    return F.silu(tensor(x)) if alpha == 1.0 else tensor(x) * torch.sigmoid(tensor(x) * alpha)


def softplus(_: Context, x: Value) -> Any:
    """``log(1 + exp(x))``."""
    return F.softplus(tensor(x))


def prelu(_: Context, x: Value, slope: Value) -> Any:
    """``max(x, 0) + slope * min(x, 0)``, the slope broadcast as ONNX does."""
    if is_host(slope) and slope.size == 1:
        return F.leaky_relu(tensor(x), float(slope.reshape(())))
    return torch.relu(tensor(x)) - tensor(slope) * torch.relu(-tensor(x))


def where(_: Context, condition: Value, x: Value, y: Value) -> Any:
    """Where."""
    return torch.where(tensor(condition), tensor(x), tensor(y))


def cast(_: Context, x: Value, to: int, saturate: int = 1, round_mode: str = "up") -> Any:  # noqa: ARG001
    """Cast; all floats stay float32."""
    from onnx import TensorProto

    if to in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16):
        return tensor(x).to(torch.float32)
    types: Mapping[int, torch.dtype] = {
        TensorProto.INT64: torch.int64,
        TensorProto.INT32: torch.int32,
        TensorProto.BOOL: torch.bool,
        TensorProto.INT8: torch.int8,
        TensorProto.UINT8: torch.uint8,
    }
    if to not in types:
        raise InputError(f"its type is {TensorProto.DataType.Name(to)}, must be a float, int8 to int64 or bool")
    return tensor(x).to(types[to])


OPERATORS: Mapping[str, Any] = {
    "Add": _binary(torch.add),
    "Sub": _binary(lambda x, y: x - y),
    "Mul": _binary(torch.mul),
    "Div": _binary(_divide),
    "Pow": _binary(_power),
    "Sum": _several(torch.add),
    "Min": _several(torch.minimum),
    "Max": _several(torch.maximum),
    "Mean": _mean,
    "And": _several(torch.logical_and),
    "Or": _several(torch.logical_or),
    "Not": _unary(torch.logical_not),
    "Equal": _binary(lambda x, y: x == y),
    "Less": _binary(lambda x, y: x < y),
    "LessOrEqual": _binary(lambda x, y: x <= y),
    "Greater": _binary(lambda x, y: x > y),
    "GreaterOrEqual": _binary(lambda x, y: x >= y),
    "Where": where,
    "Abs": _unary(torch.abs),
    "Neg": _unary(torch.neg),
    "Sign": _unary(torch.sign),
    "Floor": _unary(torch.floor),
    "Ceil": _unary(torch.ceil),
    "Round": _unary(torch.round),
    "Sqrt": _unary(torch.sqrt),
    "Reciprocal": _unary(torch.reciprocal),
    "Exp": _unary(torch.exp),
    "Log": _unary(torch.log),
    "Sin": _unary(torch.sin),
    "Cos": _unary(torch.cos),
    "Erf": _unary(torch.erf),
    "Relu": _unary(torch.relu),
    "LeakyRelu": lambda _, x, alpha=0.01: F.leaky_relu(tensor(x), alpha),
    "Elu": lambda _, x, alpha=1.0: F.elu(tensor(x), alpha),
    "Celu": lambda _, x, alpha=1.0: F.celu(tensor(x), alpha),
    "Selu": _unary(F.selu),
    "PRelu": prelu,
    "Sigmoid": _unary(torch.sigmoid),
    "HardSigmoid": hard_sigmoid,
    "HardSwish": _unary(F.hardswish),
    "Tanh": _unary(torch.tanh),
    "Softplus": softplus,
    "Softsign": _unary(F.softsign),
    "Mish": _unary(F.mish),
    "Gelu": gelu,
    "Swish": swish,
    "Clip": clip,
    "Cast": cast,
    "CastLike": lambda _, x, like: tensor(x).to(tensor(like).dtype),
    "Identity": lambda _, x: x,
    "Dropout": lambda _, x, ratio=None, training=None, seed=0: x,  # noqa: ARG005
}
