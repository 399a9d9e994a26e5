"""Run a plan: the sums of one group of k for a batch of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Addend, Aligned, Exact
from simhw.accumulators.aligned import block_indices
from simhw.gemm.operand import Values
from simhw.gemm.plan import Extent, Kernel, Plan, split_shift
from simhw.gemm.threads import over_rows

Sums = NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int64]


def group_sums(plan: Plan, accumulator: Accumulator, a: Values, b: Values, extents: tuple[Extent, Extent]) -> Sums:
    """Return the sums ``(batch, m, n)`` of ``a`` (batch, m, k) and ``b`` (batch, n, k) in the accumulator's bits.

    Integer accumulators return exact integers times the product of the units (as floats, or int64 in units).
    """
    if plan.kernel in (Kernel.SGEMM, Kernel.DGEMM):
        kind = np.float32 if plan.kernel is Kernel.SGEMM else np.float64
        exact: Sums = np.matmul(a.astype(kind, copy=False), b.astype(kind, copy=False).swapaxes(1, 2))
        return exact
    if plan.kernel is Kernel.DGEMM_SPLIT:
        return _split(a, b, extents)
    if plan.kernel is Kernel.SEQUENTIAL_FMA:
        return _sequential(a, b)
    if plan.kernel is Kernel.DEFINITION:
        return _definition(accumulator, a, b)
    assert isinstance(accumulator, Aligned)
    a, b = _fill_blocks(accumulator, a), _fill_blocks(accumulator, b)
    run = _aligned_fast if plan.kernel is Kernel.ALIGNED_FAST else _aligned_general
    return run(accumulator, a, b)


def _split(a: Values, b: Values, extents: tuple[Extent, Extent]) -> NDArray[np.int64]:
    """Return the sums as int64 in units of ``2**(a.unit + b.unit)``."""
    shift = split_shift(extents[1].largest)
    x = np.ldexp(a.astype(np.float64), -extents[0].unit)
    y = np.ldexp(b.astype(np.float64), -extents[1].unit).swapaxes(1, 2)
    high = np.floor(np.ldexp(y, -shift))
    low = y - np.ldexp(high, shift)
    return np.asarray((np.matmul(x, high).astype(np.int64) << shift) + np.matmul(x, low).astype(np.int64))


def _sequential(a: Values, b: Values) -> NDArray[np.float32]:
    from simhw.gemm.kernels.sequential import sequential_fma

    x = np.ascontiguousarray(a, np.float32)
    y = np.ascontiguousarray(b.swapaxes(1, 2), np.float32)
    out = np.zeros((x.shape[0], x.shape[1], y.shape[2]), np.float32)
    over_rows(
        lambda i, first, last: sequential_fma(x[i, first:last], y[i], out[i, first:last]),
        x.shape[0],
        x.shape[1],
    )
    return out


def _definition(accumulator: Accumulator, a: Values, b: Values) -> NDArray[np.float32]:
    """Operands with infinities or NaN: a few outputs at most, one by one."""
    out = np.empty((a.shape[0], a.shape[1], b.shape[1]), np.float32)
    for i, m, n in np.ndindex(*out.shape):
        x, y = a[i, m].tolist(), b[i, n].tolist()
        if isinstance(accumulator, Exact) and not np.isfinite([*x, *y]).all():
            out[i, m, n] = sum(p * q for p, q in zip(x, y, strict=True))
        else:
            out[i, m, n] = float(accumulator.dot(x, y))
    return out


def _fill_blocks(accumulator: Aligned, values: Values) -> Values:
    """Reorder k into the accumulator's blocks and fill the last one with zeros."""
    k = values.shape[2]
    blocks = block_indices(k, accumulator.block, accumulator.order)
    filled = np.zeros((*values.shape[:2], len(blocks) * accumulator.block), values.dtype)
    for i, ks in enumerate(blocks):
        start = i * accumulator.block
        filled[:, :, start : start + len(ks)] = values[:, :, ks]
    return filled


def _exponents(values: Values, minimum: int, zero: int, kind: type[np.signedinteger[Any]]) -> NDArray[Any]:
    if values.dtype == np.float32:  # the exponent field; subnormals end at the minimum below
        exponent = ((np.ascontiguousarray(values).view(np.int32) >> 23) & 255) - 127
    else:
        exponent = np.frexp(values)[1] - 1
    return np.where(values == 0, zero, np.maximum(exponent, minimum)).astype(kind)


def _aligned_fast(accumulator: Aligned, a: Values, b: Values) -> NDArray[np.float32]:
    from simhw.gemm.kernels.aligned import aligned_fast

    minimum_a, minimum_b = accumulator.minimum_exponents
    x = np.ascontiguousarray(a, np.float32)
    y = np.ascontiguousarray(b.swapaxes(1, 2), np.float32)
    ex = _exponents(x, minimum_a, -4096, np.int16)
    ey = _exponents(y, minimum_b, -4096, np.int16)
    out = np.zeros((x.shape[0], x.shape[1], y.shape[2]), np.float32)

    def work(i: int, first: int, last: int) -> None:
        aligned_fast(
            x[i, first:last],
            ex[i, first:last],
            y[i],
            ey[i],
            out[i, first:last],
            accumulator.block,
            accumulator.fraction_bits,
            accumulator.zero_exponent,
            53 - accumulator.result.significand_bits,
        )

    over_rows(work, x.shape[0], x.shape[1])
    return out


def _aligned_general(
    accumulator: Aligned, a: Values, b: Values, c: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    from simhw.gemm.kernels.aligned import aligned_general

    minimum_a, minimum_b = accumulator.minimum_exponents
    ex, ey = _exponents(a, minimum_a, 0, np.int32), _exponents(b, minimum_b, 0, np.int32)
    # Ten fraction bits hold any operand up to tf32 and fp16; a product then has 22 significant bits.
    fraction = 10
    x = np.ldexp(a, fraction - ex).astype(np.int32)
    y = np.ldexp(b, fraction - ey).astype(np.int32)
    out = np.zeros((a.shape[0], a.shape[1], b.shape[1]), np.float32) if c is None else c.copy()
    result = accumulator.result

    def work(i: int, first: int, last: int) -> None:
        aligned_general(
            x[i, first:last],
            ex[i, first:last],
            y[i],
            ey[i],
            2 * fraction,
            out[i, first:last],
            accumulator.block,
            accumulator.fraction_bits,
            accumulator.zero_exponent,
            result.significand_bits,
            result.minimum_exponent,
            result.maximum_exponent,
            result.toward_zero,
        )

    over_rows(work, a.shape[0], a.shape[1])
    return out


def block_sums(
    plan: Plan, a: Values, b: Values, scales: tuple[NDArray[np.float32], NDArray[np.float32]], group_size: int
) -> NDArray[np.float32]:
    """Return the sum over groups of exact group sums times scales, in fp32, for ``Kernel.BLOCK_*``."""
    from simhw.gemm.kernels.blocks import scaled_blocks

    kind = np.float32 if plan.kernel is Kernel.BLOCK_FP32 else np.float64
    x = np.ascontiguousarray(a, kind)
    y = np.ascontiguousarray(b.swapaxes(1, 2), kind)
    sx = np.ascontiguousarray(scales[0], np.float32)
    sy = np.ascontiguousarray(scales[1].swapaxes(1, 2), np.float32)
    out = np.empty((x.shape[0], x.shape[1], y.shape[2]), np.float32)

    def work(i: int, first: int, last: int) -> None:
        scaled_blocks(x[i, first:last], y[i], sx[i, first:last], sy[i], group_size, out[i, first:last])

    over_rows(work, x.shape[0], x.shape[1])
    return out


def dot_products(
    accumulator: Aligned, a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``a[r] . b[r] + c[r]`` for each row r: operands (rows, k), finite, addend and result (rows,).

    What a tensor core's instruction returns for one output element; recorded hardware results are compared with it.
    """
    fused = accumulator.addend is Addend.FUSED
    start = c.astype(np.float32)[:, None, None] if fused else None
    x, y = (_fill_blocks(accumulator, v[:, None, :].astype(np.float32)) for v in (a, b))
    out = _aligned_general(accumulator, x, y, start)[:, 0, 0]
    if fused:
        return out
    if accumulator.result.significand_bits > 11:
        return out + c.astype(np.float32)
    return (out.astype(np.float16) + c.astype(np.float16)).astype(np.float32)
