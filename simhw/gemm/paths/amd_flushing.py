"""CDNA2's sums: operands and addend are flushed first, everything else happens in the kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator
from simhw.accumulators.amd_flushing import AmdFlushing
from simhw.errors import InputError
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.padding import columns_last, fill_k, results
from simhw.gemm.plan import Plan, Sums
from simhw.gemm.threads import over_rows

FLUSHING_SUMS = "amd_flushing"
"""Numba: fp32 operations in the order of the definition, each flushed, columns in parallel."""
BLOCKS = (2, 4)
TAKES_SPECIALS = True
"""Operands may hold infinities and NaN."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:  # noqa: ARG001
    """There is one kernel, which does what the definition says. Raises InputError for blocks that it does not add."""
    assert isinstance(accumulator, AmdFlushing)
    if accumulator.block not in BLOCKS:
        raise InputError(f"block is {accumulator.block}, must be 2 or 4 products; CDNA2 adds pairs or pairs of pairs")
    return Plan(kernel=FLUSHING_SUMS, why="the definition's fp32 operations in its order, one column beside the other")


def run(
    plan: Plan,  # noqa: ARG001
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],  # noqa: ARG001
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the rounded sums."""
    from simhw.gemm.kernels.amd_flushing import flushing_sums

    assert isinstance(accumulator, AmdFlushing)
    x, y = (
        fill_k(_flush(v.astype(np.float32), exponent), accumulator.block)
        for v, exponent in zip((a, b), accumulator.smallest_normals, strict=True)
    )
    y = columns_last(y)
    out = _flush(results(a, b, c), -126)
    over_rows(
        lambda i, first, last: flushing_sums(x[i, first:last], y[i], out[i, first:last], accumulator.block),
        *x.shape[:2],
    )
    return out


def _flush(values: NDArray[np.float32], exponent: int) -> NDArray[np.float32]:
    return np.where(np.abs(values) < np.float32(2.0**exponent), np.float32(0), values)
