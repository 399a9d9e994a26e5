"""The two matrix products of attention and what stands between them, each a step of its own."""

from __future__ import annotations

import numpy as np

from simhw.graph.base import Array, FloatArray, Kind, Matmul, Operator, VectorWork
from simhw.graph.blocks import by_blocks


def attention_scores(query: FloatArray, key: FloatArray) -> FloatArray:
    """Return ``query @ key.T``: (..., tokens, dim) x (..., keys, dim) -> (..., tokens, keys)."""
    return np.asarray(np.matmul(query, key.swapaxes(-1, -2)))


def attention_values(probability: FloatArray, value: FloatArray) -> FloatArray:
    """Return ``probability @ value``: (..., tokens, keys) x (..., keys, dim) -> (..., tokens, dim)."""
    return np.asarray(np.matmul(probability, value))


def lower_scores(query: FloatArray, key: FloatArray) -> Matmul:
    """One GEMM per head; k is the head's dimension."""
    shape = (*query.shape[:-1], key.shape[-2])
    return Matmul(
        a=np.ascontiguousarray(query.reshape(-1, *query.shape[-2:])),
        b=np.ascontiguousarray(key.reshape(-1, *key.shape[-2:])),
        bias=None,
        rows_per_scale=1,
        samples_in_batch=True,
        finish=lambda product: product.reshape(shape),
    )


def lower_values(probability: FloatArray, value: FloatArray) -> Matmul:
    """One GEMM per head; k runs over the keys."""
    shape = (*probability.shape[:-1], value.shape[-1])
    return Matmul(
        a=np.ascontiguousarray(probability.reshape(-1, *probability.shape[-2:])),
        b=np.ascontiguousarray(value.reshape(-1, *value.shape[-2:]).swapaxes(1, 2)),
        bias=None,
        rows_per_scale=1,
        samples_in_batch=True,
        finish=lambda product: product.reshape(shape),
    )


def scale_and_mask(scores: FloatArray, scale: float, mask: Array | None, causal: bool) -> FloatArray:
    """Return ``scores * scale``, minus infinity where a token may not look."""
    tokens, keys = scores.shape[-2:]
    hidden = np.triu(np.ones((tokens, keys), bool), 1)

    def scale_heads(heads: FloatArray) -> FloatArray:
        scaled = heads * np.float32(scale)
        if causal:
            np.copyto(scaled, np.float32(-np.inf), where=hidden)
        return scaled

    scaled = by_blocks(scale_heads, scores.reshape(-1, tokens, keys)).reshape(scores.shape)
    if mask is not None:
        scaled = np.where(mask, scaled, np.float32(-np.inf)) if mask.dtype == bool else scaled + mask
    return scaled.astype(np.float32, copy=False)


def visible(mask: Array) -> Array:
    """Return, for ``(..., tokens, keys)`` masks, which tokens may look at any key: ``(..., tokens, 1)``."""
    return np.asarray((mask if mask.dtype == bool else ~np.isneginf(mask)).any(axis=-1, keepdims=True))


def blank_hidden(probability: FloatArray, mask: Array) -> FloatArray:
    """Return 0 for tokens that may look at no key, whose softmax is undefined; PyTorch's attention does so."""
    return np.where(visible(mask), probability, np.float32(0))


OPERATORS = (
    Operator(name="attention_scores", aten=(), reference=attention_scores, kind=Kind.MATMUL, lower=lower_scores),
    Operator(name="attention_values", aten=(), reference=attention_values, kind=Kind.MATMUL, lower=lower_values),
    Operator(
        name="scale_and_mask",
        aten=(),
        reference=scale_and_mask,
        kind=Kind.VECTOR,
        work=VectorWork(multiplies=1),
    ),
    Operator(name="blank_hidden", aten=(), reference=blank_hidden, kind=Kind.VECTOR, work=VectorWork(multiplies=1)),
)
