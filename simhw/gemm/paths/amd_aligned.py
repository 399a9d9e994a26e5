"""CDNA3's sums: values with the exponents of their products' alignment, in fp64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator
from simhw.accumulators.amd_aligned import AmdAligned
from simhw.errors import InputError
from simhw.gemm.alignment import FLOAT64_INTEGERS, Factors
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.padding import as_float64, columns_last, fill_k, results
from simhw.gemm.plan import Plan, Sums
from simhw.gemm.threads import over_rows

AMD_ALIGNED = "amd_aligned"
"""Numba: every term aligned and cut off in fp64, columns in parallel."""
TAKES_SPECIALS = True
"""Operands may hold infinities and NaN."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:  # noqa: ARG001
    """There is one kernel. Raises InputError where its sums would not fit fp64."""
    assert isinstance(accumulator, AmdAligned)
    bits = max(accumulator.fraction_bits, accumulator.sum_bits + 1) + 3 + accumulator.block.bit_length()
    if bits > FLOAT64_INTEGERS or not 0 < accumulator.fraction_bits <= accumulator.sum_bits + 1:
        raise InputError(
            f"fraction_bits is {accumulator.fraction_bits} and sum_bits {accumulator.sum_bits}, sums need {bits} bits; "
            f"at most {FLOAT64_INTEGERS} are carried and fraction_bits must not be the larger, choose fewer"
        )
    return Plan(kernel=AMD_ALIGNED, why=f"terms and sums need {bits} bits, exact in fp64 (2^{FLOAT64_INTEGERS})")


def run(
    plan: Plan,  # noqa: ARG001
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],  # noqa: ARG001
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the chained, rounded sums."""
    from simhw.gemm.kernels.amd_aligned import amd_aligned

    assert isinstance(accumulator, AmdAligned)
    x, y = (
        Factors.of(fill_k(v, accumulator.block), minimum)
        for v, minimum in zip((a, b), accumulator.minimum_exponents, strict=True)
    )
    left, right = as_float64(x.values), columns_last(as_float64(y.values))
    right_exponents = columns_last(y.exponents)
    out = results(a, b, c)

    def work(i: int, first: int, last: int) -> None:
        amd_aligned(
            left[i, first:last],
            x.exponents[i, first:last],
            right[i],
            right_exponents[i],
            out[i, first:last],
            accumulator.block,
            accumulator.fraction_bits,
            accumulator.sum_bits,
            accumulator.interleaved,
        )

    over_rows(work, *left.shape[:2])
    return out
