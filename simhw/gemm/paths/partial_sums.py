"""Partial sums in a narrow register, flushed into a wide one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, PartialSums, Saturate
from simhw.gemm.extent import Extent
from simhw.gemm.integer_sums import addend_in_units, check_chunk, chunk_sums, largest_product, plan_exact, run_exact
from simhw.gemm.operand import Values
from simhw.gemm.paths import saturate
from simhw.gemm.plan import Plan, Sums

CHUNKS_WRAPPING = "chunks_wrapping"
"""BLAS for each chunk, wrapped and added in integers."""
CHUNKS_SATURATING = "chunks_saturating"
"""The saturating accumulator for each chunk (BLAS where nothing can saturate), added in clamped integers."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Prove that neither register can overflow, or run chunk by chunk."""
    assert isinstance(accumulator, PartialSums)
    product = largest_product(a, b)
    inner, outer = ((1 << (bits - 1)) - 1 for bits in (accumulator.inner_bits, accumulator.outer_bits))
    every = min(accumulator.every, k)
    if every * product <= inner and k * product <= outer:
        return plan_exact(k, a, b, f"{every} products of at most {product} fit {inner}, all {k} fit {outer}")
    check_chunk(every, a, b)
    if not accumulator.saturating:
        return Plan(
            kernel=CHUNKS_WRAPPING,
            why="wrapping after every addition or once per chunk gives the same bits; chunks are exact in floats",
        )
    inner_plan = saturate.plan(Saturate(bits=accumulator.inner_bits), every, a, b)
    return Plan(kernel=CHUNKS_SATURATING, why=f"chunk by chunk, partial sums by {inner_plan.kernel}: {inner_plan.why}")


def run(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the outer register's values in units."""
    from simhw.gemm.kernels.integers import add_clamped, add_wrapping

    assert isinstance(accumulator, PartialSums)
    if plan.kernel not in (CHUNKS_WRAPPING, CHUNKS_SATURATING) and (c is None or not np.any(c)):
        return run_exact(plan, a, b, extents)
    total = addend_in_units(c, (a.shape[0], a.shape[1], b.shape[1]), extents)
    flat = total.reshape(-1)
    if not accumulator.saturating:
        add_wrapping(flat, np.zeros(flat.size), accumulator.outer_bits, accumulator.inner_bits)
        for _, sums in chunk_sums(a, b, extents, accumulator.every):
            add_wrapping(flat, sums, accumulator.outer_bits, accumulator.inner_bits)
        return total
    add_clamped(flat, np.zeros(flat.size), accumulator.outer_bits)
    inner = Saturate(bits=accumulator.inner_bits)
    unit = extents[0].unit + extents[1].unit
    for first in range(0, a.shape[2], accumulator.every):
        x, y = (v[:, :, first : first + accumulator.every] for v in (a, b))
        chosen = saturate.plan(inner, x.shape[2], *extents)
        sums = saturate.run(chosen, inner, x, y, extents, None)
        units = sums if sums.dtype.kind == "i" else np.ldexp(sums, -unit)
        add_clamped(flat, units.astype(np.float64).reshape(-1), accumulator.outer_bits)
    return total
