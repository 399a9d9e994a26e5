"""Sequential fp32 sums: one fused multiply-add per product."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.plan import Plan, Sums
from simhw.gemm.threads import over_rows

SEQUENTIAL_FMA = "sequential_fma"
"""Numba: fp32 fused multiply-adds, k in order, columns in parallel."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:  # noqa: ARG001
    """There is one kernel, which does what the definition says."""
    return Plan(kernel=SEQUENTIAL_FMA, why="operands are exact in fp32; one fused multiply-add per product, k in order")


def run(
    plan: Plan,  # noqa: ARG001
    accumulator: Accumulator,  # noqa: ARG001
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],  # noqa: ARG001
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the rounded sums."""
    from simhw.gemm.kernels.sequential import sequential_fma

    x = np.ascontiguousarray(a, np.float32)
    y = np.ascontiguousarray(b, np.float32)
    out = np.zeros((x.shape[0], x.shape[1], y.shape[1]), np.float32) if c is None else c.copy()
    over_rows(
        lambda i, first, last: sequential_fma(x[i, first:last], y[i], out[i, first:last]),
        x.shape[0],
        x.shape[1],
    )
    return out
