"""CDNA1's sums: blocks of four products in the kernel, shorter ones filled with zeros, which change no exact sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator
from simhw.accumulators.amd_fused import AmdFused
from simhw.errors import InputError
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.padding import as_float64, columns_last, fill_k, results
from simhw.gemm.plan import Plan, Sums
from simhw.gemm.threads import over_rows

FUSED_SUMS = "amd_fused"
"""Numba: exact sums of five fp64 numbers, rounded to odd and then to fp32, columns in parallel."""
TERMS = 4
TAKES_SPECIALS = True
"""Operands may hold infinities and NaN."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:  # noqa: ARG001
    """There is one kernel. Raises InputError for blocks that it does not hold."""
    assert isinstance(accumulator, AmdFused)
    if not 1 <= accumulator.block <= TERMS:
        raise InputError(f"block is {accumulator.block}, must be 1..{TERMS} products; CDNA1 has 2 (bf16) and 4 (fp16)")
    return Plan(
        kernel=FUSED_SUMS,
        why="products are exact in fp64; numbers that do not overlap hold their sum, rounded to odd, then to fp32",
    )


def run(
    plan: Plan,  # noqa: ARG001
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],  # noqa: ARG001
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the rounded sums."""
    from simhw.gemm.kernels.amd_fused import fused_sums

    assert isinstance(accumulator, AmdFused)
    x, y = (_four_per_block(as_float64(v), accumulator.block) for v in (a, b))
    y = columns_last(y)
    out = results(a, b, c)
    over_rows(lambda i, first, last: fused_sums(x[i, first:last], y[i], out[i, first:last]), *x.shape[:2])
    return out


def _four_per_block(values: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    filled = fill_k(values, block)
    blocks = filled.reshape(*filled.shape[:2], -1, block)
    spread = np.pad(blocks, ((0, 0), (0, 0), (0, 0), (0, TERMS - block)))
    return np.ascontiguousarray(spread.reshape(*filled.shape[:2], -1))
