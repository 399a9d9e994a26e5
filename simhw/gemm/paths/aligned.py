"""Tensor-core sums: the general kernel on integers, the fast one where the ranges of the operands certify it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Addend, Aligned
from simhw.accumulators.aligned import block_indices
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.plan import Plan, Sums
from simhw.gemm.threads import over_rows

ALIGNED_FAST = "aligned_fast"
"""Numba: align and truncate by one multiplication and one conversion, columns in parallel."""
ALIGNED_GENERAL = "aligned_general"
"""Numba: the definition on integers, one output at a time."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Certify the ranges for the fast kernel."""
    assert isinstance(accumulator, Aligned)
    general = Plan(
        kernel=ALIGNED_GENERAL,
        why="integers as in the definition: the fast kernel's ranges are not certified",
    )
    smallest = a.smallest_exponent + b.smallest_exponent
    largest = (k * a.largest * b.largest).bit_length() + a.unit + b.unit
    certified = (
        accumulator.result.toward_zero
        and smallest >= max(accumulator.zero_exponent, -60)
        and sum(accumulator.minimum_exponents) >= accumulator.zero_exponent
        and largest < 120
        and accumulator.block % 2 == 0
        and accumulator.fraction_bits <= 26
    )
    if not certified:
        return general
    return Plan(
        kernel=ALIGNED_FAST,
        why=(
            f"products are exact in fp32, their exponents lie in {smallest}..{largest}, so that alignment is one "
            "exact scaling and truncation one conversion; eight terms fit 32 bits"
        ),
    )


def run(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],  # noqa: ARG001
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the chained, rounded sums; an addend goes where the accumulator says."""
    assert isinstance(accumulator, Aligned)
    x, y = _fill_blocks(accumulator, a), _fill_blocks(accumulator, b)
    start = c if accumulator.addend is Addend.FUSED else None
    if plan.kernel == ALIGNED_FAST and start is None:
        sums = _aligned_fast(accumulator, x, y)
    else:
        sums = _aligned_general(accumulator, x, y, start)
    return sums if c is None or start is not None else _add_last(accumulator, sums, c)


def _add_last(accumulator: Aligned, sums: NDArray[np.float32], c: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add the addend with one rounding to nearest even, in fp16 where the result is fp16."""
    if accumulator.result.significand_bits > 11:
        return sums + c
    return (sums.astype(np.float16) + c.astype(np.float16)).astype(np.float32)


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


def dot_products(
    accumulator: Aligned, a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``a[r] . b[r] + c[r]`` for each row r: operands (rows, k), finite, addend and result (rows,).

    What a tensor core's instruction returns for one output element; recorded hardware results are compared with it.
    """
    extent = Extent(unit=0, largest=0)
    general = Plan(kernel=ALIGNED_GENERAL, why="one output per pair of rows")
    x, y = (v[:, None, :].astype(np.float32) for v in (a, b))
    sums = run(general, accumulator, x, y, (extent, extent), c.astype(np.float32)[:, None, None])
    return sums[:, 0, 0].astype(np.float32)
