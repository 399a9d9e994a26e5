"""Sums, means and extremes along axes, softmax, and where the extremes are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from simhw.errors import InputError
from simhw.graph.frontends.onnx.ops.base import Context
from simhw.graph.frontends.onnx.values import Value, ints, tensor


def _reduction(function: Callable[..., Any], of_one: Callable[[Any], Any] = lambda x: x) -> Callable[..., Any]:
    """Axes are an input from opset 13 or 18 on and an attribute before; none means all, or each value by itself."""

    def apply(
        _: Context,
        x: Value,
        given: Value = None,
        axes: Sequence[int] | None = None,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Any:
        x = tensor(x)
        wanted = ints(given, "axes") if given is not None else list(axes or ())
        if not wanted and noop_with_empty_axes:
            return of_one(x)
        return function(x, wanted or list(range(x.ndim)), bool(keepdims))

    return apply


def softmax(context: Context, x: Value, axis: int | None = None) -> Any:
    """Softmax along an axis; up to opset 12 over all axes from it on."""
    return _along(torch.softmax, context, x, axis)


def log_softmax(context: Context, x: Value, axis: int | None = None) -> Any:
    """LogSoftmax, as Softmax."""
    return _along(torch.log_softmax, context, x, axis)


def _along(function: Callable[..., Any], context: Context, x: Value, axis: int | None) -> Any:
    x = tensor(x)
    axis = (axis if axis is not None else -1 if context.opset >= 13 else 1) % x.ndim
    if context.opset >= 13 or axis == x.ndim - 1:
        return function(x, dim=axis)
    return function(x.flatten(axis), dim=-1).reshape(x.shape)


def argmax(_: Context, x: Value, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    """ArgMax, the first of equals."""
    if select_last_index:
        raise InputError("it takes the last of equal values, only the first is supported; export without it")
    return torch.argmax(tensor(x), dim=axis, keepdim=bool(keepdims))


def top_k(_: Context, x: Value, k: Value, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    """TopK."""
    values, indices = torch.topk(tensor(x), ints(k, "k")[0], dim=axis, largest=bool(largest), sorted=bool(sorted))
    return values, indices


def cumsum(_: Context, x: Value, axis: Value, exclusive: int = 0, reverse: int = 0) -> Any:
    """CumSum, including each element, from the start."""
    if exclusive or reverse:
        raise InputError("it is exclusive or reversed, neither is supported; export without it")
    return torch.cumsum(tensor(x), dim=ints(axis, "axis")[0])


OPERATORS: Mapping[str, Any] = {
    "ReduceMean": _reduction(lambda x, axes, keep: x.mean(dim=axes, keepdim=keep)),
    "ReduceSum": _reduction(lambda x, axes, keep: x.sum(dim=axes, keepdim=keep)),
    "ReduceMax": _reduction(lambda x, axes, keep: x.amax(dim=axes, keepdim=keep)),
    "ReduceMin": _reduction(lambda x, axes, keep: x.amin(dim=axes, keepdim=keep)),
    "ReduceL1": _reduction(lambda x, axes, keep: x.abs().sum(dim=axes, keepdim=keep), torch.abs),
    "ReduceL2": _reduction(lambda x, axes, keep: x.pow(2).sum(dim=axes, keepdim=keep).sqrt(), torch.abs),
    "ReduceSumSquare": _reduction(lambda x, axes, keep: x.pow(2).sum(dim=axes, keepdim=keep), torch.square),
    "ReduceLogSumExp": _reduction(lambda x, axes, keep: x.logsumexp(dim=axes, keepdim=keep)),
    "Softmax": softmax,
    "LogSoftmax": log_softmax,
    "ArgMax": argmax,
    "TopK": top_k,
    "CumSum": cumsum,
}
