"""Matrix products, norms and attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

from simhw.errors import InputError
from simhw.graph.frontends.onnx.ops.base import Context
from simhw.graph.frontends.onnx.values import Value, tensor


def matmul(_: Context, x: Value, y: Value) -> Any:
    """MatMul."""
    return torch.matmul(tensor(x), tensor(y))


def gemm(
    _: Context,
    x: Value,
    y: Value,
    bias: Value = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Any:
    """Gemm: ``alpha x y + beta bias``."""
    x = tensor(x).t() if transA else tensor(x)
    weight = tensor(y) if transB else tensor(y).t()
    addend = None if bias is None else tensor(bias)
    whole = addend is not None and alpha == 1.0 and beta == 1.0 and tuple(addend.shape) == (weight.shape[0],)
    product = F.linear(x, weight, addend if whole else None)
    product = product if alpha == 1.0 else product * alpha
    if addend is None or whole:
        return product
    return product + (addend if beta == 1.0 else addend * beta)


def batch_norm(
    context: Context,
    x: Value,
    scale: Value,
    bias: Value,
    mean: Value,
    variance: Value,
    epsilon: float = 1e-5,
    momentum: float = 0.9,  # noqa: ARG001
    training_mode: int = 0,
    spatial: int = 1,
) -> Any:
    """BatchNormalization with stored statistics."""
    if training_mode or not spatial:
        raise InputError("it takes the statistics of the batch, must use stored ones; export the model for inference")
    del context
    statistics = (tensor(mean), tensor(variance))
    return F.batch_norm(tensor(x), *statistics, tensor(scale), tensor(bias), training=False, eps=epsilon)


def instance_norm(_: Context, x: Value, scale: Value, bias: Value, epsilon: float = 1e-5) -> Any:
    """InstanceNormalization."""
    return F.instance_norm(tensor(x), weight=tensor(scale), bias=tensor(bias), eps=epsilon)


def layer_norm(
    context: Context,
    x: Value,
    scale: Value = None,
    bias: Value = None,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,  # noqa: ARG001
) -> Any:
    """LayerNormalization."""
    if context.outputs > 1:
        raise InputError("it returns its statistics, which is not supported; export without them")
    x = tensor(x)
    shape = x.shape[axis % x.ndim :]
    weight, addend = (None if value is None else tensor(value).expand(shape) for value in (scale, bias))
    return F.layer_norm(x, shape, weight, addend, epsilon)


def rms_norm(
    _: Context,
    x: Value,
    scale: Value = None,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,  # noqa: ARG001
) -> Any:
    """RMSNormalization."""
    x = tensor(x)
    return F.rms_norm(x, x.shape[axis % x.ndim :], None if scale is None else tensor(scale), epsilon)


def group_norm(
    context: Context,
    x: Value,
    scale: Value,
    bias: Value,
    num_groups: int,
    epsilon: float = 1e-5,
    stash_type: int = 1,  # noqa: ARG001
) -> Any:
    """GroupNormalization; up to opset 20 scale and bias are those of groups."""
    x, weight, addend = tensor(x), tensor(scale), tensor(bias)
    if context.opset < 21:
        each = x.shape[1] // num_groups
        weight, addend = (part.repeat_interleave(each) for part in (weight, addend))
    return F.group_norm(x, num_groups, weight, addend, epsilon)


def attention(
    context: Context,
    q: Value,
    k: Value,
    v: Value,
    mask: Value = None,
    past_key: Value = None,
    past_value: Value = None,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    q_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0,  # noqa: ARG001
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int | None = None,  # noqa: ARG001
) -> Any:
    """Attention (opset 23) without a cache."""
    if past_key is not None or past_value is not None or softcap or context.outputs > 1:
        raise InputError("it has a cache, a soft cap or returns scores, none is supported; export without")
    queries, keys, values = tensor(q), tensor(k), tensor(v)
    joined = queries.ndim == 3
    if joined:
        if not q_num_heads or not kv_num_heads:
            raise InputError("its operands have 3 axes and no number of heads; give q_num_heads and kv_num_heads")
        queries, keys, values = (
            torch.unflatten(part, -1, (heads, -1)).transpose(1, 2)
            for part, heads in ((queries, q_num_heads), (keys, kv_num_heads), (values, kv_num_heads))
        )
    repeated = queries.shape[1] // keys.shape[1]
    if repeated > 1:
        keys, values = (part.repeat_interleave(repeated, 1) for part in (keys, values))
    found = F.scaled_dot_product_attention(
        queries, keys, values, None if mask is None else tensor(mask), is_causal=bool(is_causal), scale=scale
    )
    return found.transpose(1, 2).flatten(2) if joined else found


OPERATORS: Mapping[str, Any] = {
    "MatMul": matmul,
    "Gemm": gemm,
    "Einsum": lambda _, *xs, equation: torch.einsum(equation, *(tensor(x) for x in xs)),
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "GroupNormalization": group_norm,
    "Attention": attention,
    "SimplifiedLayerNormalization": rms_norm,
}
