"""Products of two activations, of any leading axes. A product with a constant becomes a linear layer when imported."""

from __future__ import annotations

from typing import Any

import numpy as np

from simhw.errors import InputError
from simhw.graph.base import FloatArray, Kind, Matmul, Operator


def matmul(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return ``x @ y`` with broadcasting of the leading axes."""
    return np.asarray(np.matmul(x, y), np.float32)


def lower(x: FloatArray, y: FloatArray) -> Matmul:
    """One GEMM for each leading index; samples multiply the batch where both operands have them."""
    left = x[None, :] if x.ndim == 1 else x
    right = y[:, None] if y.ndim == 1 else y
    lead = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    shape = np.matmul(x, y).shape if min(x.ndim, y.ndim) == 1 else (*lead, left.shape[-2], right.shape[-1])
    a = np.broadcast_to(left, (*lead, *left.shape[-2:])).reshape(-1, *left.shape[-2:])
    b = np.broadcast_to(right, (*lead, *right.shape[-2:])).swapaxes(-1, -2)
    b = b.reshape(-1, right.shape[-1], right.shape[-2])
    return Matmul(
        a=np.ascontiguousarray(a),
        b=np.ascontiguousarray(b),
        bias=None,
        rows_per_scale=1,
        samples_in_batch=bool(lead),
        finish=lambda product: product.reshape(shape),
    )


def einsum(equation: str, tensors: tuple[FloatArray, ...], path: Any = None) -> FloatArray:  # noqa: ARG001
    """Return the contraction of one or two operands."""
    return np.asarray(np.einsum(equation, *tensors), np.float32)


def lower_einsum(equation: str, tensors: tuple[FloatArray, ...], path: Any = None) -> Matmul:  # noqa: ARG001
    """Axes in both operands and the result are the batch, those summed are k, the others m and n."""
    terms, _, result = equation.replace(" ", "").partition("->")
    names = terms.split(",")
    if len(names) != 2 or len(tensors) != 2 or "." in equation or not result:
        raise InputError(f"einsum is {equation!r}, must have two operands, named axes and a result; write it so")
    first, second = names
    sizes = {
        axis: size for term, x in zip(names, tensors, strict=True) for axis, size in zip(term, x.shape, strict=True)
    }
    if any(len(set(term)) != len(term) for term in (*names, result)):
        raise InputError(f"einsum {equation!r} names an axis twice in one operand; take the diagonal before")
    batch = [axis for axis in first if axis in second and axis in result]
    summed = [axis for axis in first if axis in second and axis not in result]
    rows = [axis for axis in first if axis not in second]
    columns = [axis for axis in second if axis not in first]
    if any(axis not in result for axis in (*rows, *columns)) or not summed:
        raise InputError(f"einsum {equation!r} sums an axis of one operand alone, or none; sum it before")

    def arranged(x: FloatArray, term: str, inner: list[str]) -> FloatArray:
        order = [*batch, *inner, *summed]
        moved = x.transpose([term.index(axis) for axis in order])
        shape = [int(np.prod([sizes[axis] for axis in axes])) for axes in (batch, inner, summed)]
        return np.ascontiguousarray(moved.reshape(shape))

    def finish(product: FloatArray) -> FloatArray:
        order = [*batch, *rows, *columns]
        whole = product.reshape([sizes[axis] for axis in order])
        return np.ascontiguousarray(whole.transpose([order.index(axis) for axis in result]))

    return Matmul(
        a=arranged(tensors[0], first, rows),
        b=arranged(tensors[1], second, columns),
        bias=None,
        rows_per_scale=1,
        samples_in_batch=bool(batch) and result[0] in batch,
        finish=finish,
    )


def add_product(bias: FloatArray, x: FloatArray, y: FloatArray, **_: Any) -> FloatArray:
    """Return ``bias + x @ y``; importing replaces it."""
    return bias + matmul(x, y)


OPERATORS = (
    Operator(name="add_product", aten=("addmm.default", "baddbmm.default"), reference=add_product, kind=Kind.VECTOR),
    Operator(
        name="matmul",
        aten=("matmul.default", "bmm.default", "mm.default"),
        reference=matmul,
        kind=Kind.MATMUL,
        lower=lower,
    ),
    Operator(name="einsum", aten=("einsum.default",), reference=einsum, kind=Kind.MATMUL, lower=lower_einsum),
)
