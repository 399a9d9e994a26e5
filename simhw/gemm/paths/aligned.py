"""Tensor-core sums: blocks of products, in the accumulator's order, with the addend where it says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Addend, Aligned, Order
from simhw.accumulators.aligned import block_indices
from simhw.gemm.alignment import ALIGNED_GENERAL, Factors, chain_blocks, plan_blocks
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.padding import fill_k
from simhw.gemm.plan import Plan, Sums

TAKES_SPECIALS = True
"""Operands may hold infinities and NaN."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Certify the ranges for the fast kernel."""
    assert isinstance(accumulator, Aligned)
    smallest = a.smallest_exponent + b.smallest_exponent
    largest = (k * a.largest * b.largest).bit_length() + a.unit + b.unit
    bits = a.significand_bits + b.significand_bits
    return plan_blocks(accumulator, smallest, largest, finite=a.finite and b.finite, bits=bits)


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
    minimum_a, minimum_b = accumulator.minimum_exponents
    x = Factors.of(_fill_blocks(accumulator, a), minimum_a)
    y = Factors.of(_fill_blocks(accumulator, b), minimum_b)
    if c is None or accumulator.addend is Addend.FUSED:
        return chain_blocks(plan, accumulator, x, y, c)
    sums = chain_blocks(plan, accumulator, x, y, None)
    return sums if accumulator.addend is Addend.ABSENT else _add_last(accumulator, sums, c)


def _add_last(accumulator: Aligned, sums: NDArray[np.float32], c: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add the addend with one rounding to nearest even, in fp16 where the result is fp16."""
    with np.errstate(invalid="ignore", over="ignore"):
        if accumulator.result.significand_bits > 11:
            return sums + c
        return (sums.astype(np.float16) + c.astype(np.float16)).astype(np.float32)


def _fill_blocks(accumulator: Aligned, values: Values) -> Values:
    """Reorder k into the accumulator's blocks and fill the last one with zeros."""
    if accumulator.order is Order.SEQUENTIAL:
        return fill_k(values, accumulator.block)
    blocks = block_indices(values.shape[2], accumulator.block, accumulator.order)
    filled = np.zeros((*values.shape[:2], len(blocks) * accumulator.block), values.dtype)
    for i, ks in enumerate(blocks):
        start = i * accumulator.block
        filled[:, :, start : start + len(ks)] = values[:, :, ks]
    return filled


def dot_products(
    accumulator: Aligned, a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``a[r] . b[r] + c[r]`` for each row r: operands (rows, k), addend and result (rows,).

    What a tensor core's instruction returns for one output element; recorded hardware results are compared with it.
    """
    extent = Extent(unit=0, largest=0)
    general = Plan(kernel=ALIGNED_GENERAL, why="one output per pair of rows")
    x, y = (v[:, None, :].astype(np.float32) for v in (a, b))
    sums = run(general, accumulator, x, y, (extent, extent), c.astype(np.float32)[:, None, None])
    return sums[:, 0, 0].astype(np.float32)
