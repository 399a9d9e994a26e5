"""Fully connected layer: ``x @ weight.T + bias``."""

from __future__ import annotations

import numpy as np

from simhw.graph.base import FloatArray, Kind, Matmul, Operator


def linear(x: FloatArray, weight: FloatArray, bias: FloatArray | None = None) -> FloatArray:
    """Map ``(..., k)`` to ``(..., n)`` with weight ``(n, k)``."""
    y = x.reshape(-1, x.shape[-1]) @ weight.T
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], weight.shape[0])


def lower(x: FloatArray, weight: FloatArray, bias: FloatArray | None = None) -> Matmul:
    """One row of the GEMM per token."""
    shape = (*x.shape[:-1], weight.shape[0])
    return Matmul(
        a=np.ascontiguousarray(x.reshape(1, -1, x.shape[-1])),
        b=weight[None],
        bias=bias,
        rows_per_scale=1,
        samples_in_batch=False,
        finish=lambda product: product.reshape(shape),
    )


OPERATORS = (
    Operator(name="linear", aten=("linear.default",), reference=linear, kind=Kind.MATMUL, lower=lower, weight=1),
)
