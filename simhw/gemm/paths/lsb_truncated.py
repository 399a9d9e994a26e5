"""Exact chunks whose low bits, or those of the running sum, are cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Cut, LsbTruncated, Where
from simhw.gemm.extent import Extent
from simhw.gemm.integer_sums import addend_in_units, check_chunk, chunk_sums, largest_product, plan_exact, run_exact
from simhw.gemm.operand import Values
from simhw.gemm.plan import Plan, Sums

CHUNKS_CUT = "chunks_cut"
"""BLAS for each chunk, then integers."""

_CUTS = {Cut.FLOOR: 0, Cut.TOWARD_ZERO: 1, Cut.NEAREST_UP: 2}


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Run chunk by chunk unless nothing is cut."""
    assert isinstance(accumulator, LsbTruncated)
    product = largest_product(a, b)
    register = accumulator.register_bits
    if accumulator.bits == 0 and (register is None or k * product < 1 << (register - 1)):
        return plan_exact(k, a, b, "no bits are cut and no register can overflow")
    check_chunk(min(accumulator.every, k), a, b)
    return Plan(kernel=CHUNKS_CUT, why="chunks are exact in floats in every order of summation; cut as integers")


def run(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the accumulator's values in units."""
    from simhw.gemm.kernels.integers import add_cut

    assert isinstance(accumulator, LsbTruncated)
    if plan.kernel != CHUNKS_CUT and (c is None or not np.any(c)):
        return run_exact(plan, a, b, extents)
    register = 63 if accumulator.register_bits is None else accumulator.register_bits
    high = (1 << (register - 1)) - 1
    total = addend_in_units(c, (a.shape[0], a.shape[1], b.shape[1]), extents)
    chunk_only = accumulator.where is Where.CHUNK
    for _, sums in chunk_sums(a, b, extents, accumulator.every):
        add_cut(total.reshape(-1), sums, accumulator.bits, _CUTS[accumulator.cut], -high - 1, high, chunk_only)
    return total
