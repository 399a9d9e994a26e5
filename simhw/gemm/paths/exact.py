"""Exact sums: BLAS as an exact integer machine wherever bounds prove that no bit can differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Exact
from simhw.errors import InputError
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.paths.int8 import INT8, INT8_GROUPS, dot
from simhw.gemm.plan import Plan, Sums
from simhw.gemm.tiles import over_scaled_tiles

FLOAT32_INTEGERS = 24
FLOAT64_INTEGERS = 53
INT32_INTEGERS = 31
INT64_INTEGERS = 62
SHORT_GROUP = 64
"""Groups up to this length are too short for BLAS: summing and scaling them in one kernel is faster."""

SGEMM = "sgemm"
"""BLAS in fp32."""
DGEMM = "dgemm"
"""BLAS in fp64."""
DGEMM_SPLIT = "dgemm_split"
"""Two fp64 products, of the high and the low part of the second operand, joined as 64-bit integers."""
BLOCK_FP32 = "block_fp32"
"""Numba: sums of short groups in fp32, each scaled and added at once."""
BLOCK_FP64 = "block_fp64"
"""Numba: the same in fp64."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:  # noqa: ARG001
    """Choose by the number of bits that the largest possible sum has."""
    bits = (k * a.largest * b.largest).bit_length()
    bound = f"any partial sum is an integer below 2^{bits} units of 2^{a.unit + b.unit}"
    if bits <= FLOAT32_INTEGERS:
        return Plan(kernel=SGEMM, why=f"{bound}, exact in fp32 (2^24) in every order of summation")
    if bits <= FLOAT64_INTEGERS:
        return Plan(kernel=DGEMM, why=f"{bound}, exact in fp64 (2^53) in every order of summation")
    low_bits = max((k * a.largest * part).bit_length() for part in split_parts(b.largest))
    if low_bits <= FLOAT64_INTEGERS and bits <= INT64_INTEGERS:
        return Plan(
            kernel=DGEMM_SPLIT,
            why=f"{bound}; with weights split in two, partial sums stay below 2^{low_bits}, exact in fp64",
        )
    raise InputError(
        f"a sum of {k} products can need {bits + 1} bits, the exact accumulator holds 63; "
        "use a smaller group or a floating-point accumulator"
    )


def plan_int8(k: int, a: Extent, b: Extent, *, scaled: bool = False) -> Plan | None:
    """Return the plan for operands that are int8 whatever their codes, None where int32 might not hold the sum.

    ``scaled``: for groups whose sums are scaled and added at once.
    """
    bits = (k * (a.largest + 128) * b.largest).bit_length() if scaled else (k * a.largest * b.largest).bit_length()
    if bits > INT32_INTEGERS:
        return None
    return Plan(
        kernel=INT8_GROUPS if scaled else INT8,
        why=f"operands are int8 in units of 2^{a.unit} and 2^{b.unit}, sums stay below 2^{bits}: exact in int32;"
        " the products were checked in this process",
    )


def run(
    plan: Plan,
    accumulator: Accumulator,  # noqa: ARG001
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return exact sums, as floats or (split) as int64 in units."""
    if plan.kernel == INT8:
        sums: Sums = dot(a.astype(np.int8, copy=False), b.astype(np.int8, copy=False))
    elif plan.kernel == DGEMM_SPLIT:
        sums = _split(a, b, extents)
    else:
        kind = np.float32 if plan.kernel == SGEMM else np.float64
        sums = np.matmul(a.astype(kind, copy=False), b.astype(kind, copy=False).swapaxes(1, 2))
    if c is None:
        return sums
    raise InputError("an addend was given with an exact accumulator, which has none; add it to the result")


def _split(a: Values, b: Values, extents: tuple[Extent, Extent]) -> NDArray[np.int64]:
    """Return the sums as int64 in units of ``2**(a.unit + b.unit)``."""
    shift = split_shift(extents[1].largest)
    x = np.ldexp(a.astype(np.float64), -extents[0].unit)
    y = np.ldexp(b.astype(np.float64), -extents[1].unit).swapaxes(1, 2)
    high = np.floor(np.ldexp(y, -shift))
    low = y - np.ldexp(high, shift)
    return np.asarray((np.matmul(x, high).astype(np.int64) << shift) + np.matmul(x, low).astype(np.int64))


def fuse_short_groups(plan: Plan, accumulator: Accumulator, group_size: int, groups: int) -> Plan:
    """Return the plan for many short groups with scales: an exact sum in any order may be fused with its scaling."""
    fused = {SGEMM: BLOCK_FP32, DGEMM: BLOCK_FP64}
    unbounded = isinstance(accumulator, Exact) and accumulator.bits is None
    if groups < 2 or group_size > SHORT_GROUP or plan.kernel not in fused or not unbounded:
        return plan
    return Plan(kernel=fused[plan.kernel], why=plan.why)


def split_parts(largest: int) -> tuple[int, int]:
    """Return the largest magnitudes of the high and the low part of a weight split at half its bits."""
    shift = split_shift(largest)
    return -(-largest >> shift), (1 << shift) - 1


def split_shift(largest: int) -> int:
    """Return the number of bits of the low part."""
    return largest.bit_length() // 2


def block_sums(
    plan: Plan, a: Values, b: Values, scales: tuple[NDArray[np.float32], NDArray[np.float32]], group_size: int
) -> NDArray[np.float32]:
    """Return the sum over groups of exact group sums times scales, in fp32, for the fused kernels."""
    from simhw.gemm.kernels.blocks import scaled_blocks

    kind = np.dtype(np.float32 if plan.kernel == BLOCK_FP32 else np.float64)
    x, y = (np.ascontiguousarray(v, kind) for v in (a, b))

    def zeros(panel: NDArray[Any], groups: int, _: int) -> NDArray[Any]:
        return np.zeros((panel.shape[0], groups, panel.shape[2]), kind)

    return over_scaled_tiles(scaled_blocks, (x, y), scales, zeros, group_size, 1.0)
