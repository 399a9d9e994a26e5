"""Choose the fastest kernel that is proven to give the datapath's bits, and state the proof."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from simhw.accumulators import Accumulator, Aligned, Exact, Ieee
from simhw.errors import InputError
from simhw.gemm.operand import Values

FLOAT32_INTEGERS = 24
FLOAT64_INTEGERS = 53
SHORT_GROUP = 64
"""Groups up to this length are too short for BLAS: summing and scaling them in one kernel is faster."""


class Kernel(enum.Enum):
    """How the sums of one group of k are computed."""

    SGEMM = "sgemm"
    """BLAS in fp32 as an exact integer machine."""
    DGEMM = "dgemm"
    """BLAS in fp64 as an exact integer machine."""
    DGEMM_SPLIT = "dgemm_split"
    """Two exact fp64 products, of the high and the low part of the weights, joined as 64-bit integers."""
    BLOCK_FP32 = "block_fp32"
    """Numba: exact sums of short groups in fp32, each scaled and added at once."""
    BLOCK_FP64 = "block_fp64"
    """Numba: the same in fp64."""
    SEQUENTIAL_FMA = "sequential_fma"
    """Numba: fp32 fused multiply-adds, k in order, columns in parallel."""
    ALIGNED_FAST = "aligned_fast"
    """Numba: align and truncate by one multiplication and one conversion, columns in parallel."""
    ALIGNED_GENERAL = "aligned_general"
    """Numba: the definition on integers, one output at a time."""
    DEFINITION = "definition"
    """Python fractions: operands with infinities or NaN."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which kernel runs, and why it gives the same bits as the definition."""

    kernel: Kernel
    why: str


@dataclass(frozen=True, kw_only=True)
class Extent:
    """What is known of one operand's values: all are integers times ``2**unit`` and at most ``largest`` of them.

    Attributes:
        unit: exponent of the least significant bit.
        largest: bound on ``abs(value) / 2**unit``.
        smallest_exponent: of the smallest nonzero value that occurs (0 where all are zero).
        finite: whether there is neither infinity nor NaN.
    """

    unit: int
    largest: int
    smallest_exponent: int = 0
    finite: bool = True


def extent_of(values: Values, unit: int) -> Extent:
    """Measure an operand whose values are integers times ``2**unit``."""
    peak, smallest = _magnitudes(values)
    if not math.isfinite(peak):
        return Extent(unit=unit, largest=0, finite=False)
    exponent = math.frexp(smallest)[1] - 1 if math.isfinite(smallest) else 0
    return Extent(unit=unit, largest=int(math.ldexp(peak, -unit)), smallest_exponent=exponent)


def _magnitudes(values: Values) -> tuple[float, float]:
    """Return the largest and the smallest nonzero magnitude (infinity where all are zero)."""
    if values.dtype == np.float32:
        from simhw.gemm.kernels.extent import magnitudes

        largest, smallest = magnitudes(np.ascontiguousarray(values).reshape(-1).view(np.uint32))
        patterns = np.array([largest, min(smallest, 0x7F800000)], np.uint32).view(np.float32)
        return float(patterns[0]), float(patterns[1])
    magnitude = np.abs(values)
    return float(magnitude.max()), float(np.min(magnitude, where=magnitude > 0, initial=np.inf))


def plan_sum(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Return the plan for sums of ``k`` products. Raises InputError where no kernel can hold the sum exactly."""
    if not (a.finite and b.finite):
        return Plan(kernel=Kernel.DEFINITION, why="an operand holds infinity or NaN")
    if isinstance(accumulator, Exact):
        return _plan_exact(k, a, b)
    if isinstance(accumulator, Ieee):
        return Plan(
            kernel=Kernel.SEQUENTIAL_FMA,
            why="operands are exact in fp32; one fused multiply-add per product, k in order",
        )
    if isinstance(accumulator, Aligned):
        return _plan_aligned(accumulator, k, a, b)
    raise InputError(f"accumulator is {accumulator!r}, must be Exact, Ieee or Aligned; use one of these records")


def _plan_exact(k: int, a: Extent, b: Extent) -> Plan:
    bits = (k * a.largest * b.largest).bit_length()
    bound = f"any partial sum is an integer below 2^{bits} units of 2^{a.unit + b.unit}"
    if bits <= FLOAT32_INTEGERS:
        return Plan(kernel=Kernel.SGEMM, why=f"{bound}, exact in fp32 (2^24) in every order of summation")
    if bits <= FLOAT64_INTEGERS:
        return Plan(kernel=Kernel.DGEMM, why=f"{bound}, exact in fp64 (2^53) in every order of summation")
    low_bits = max((k * a.largest * part).bit_length() for part in split_parts(b.largest))
    if low_bits <= FLOAT64_INTEGERS and bits <= 62:
        return Plan(
            kernel=Kernel.DGEMM_SPLIT,
            why=f"{bound}; with weights split in two, partial sums stay below 2^{low_bits}, exact in fp64",
        )
    raise InputError(
        f"a sum of {k} products can need {bits + 1} bits, the exact accumulator holds 63; "
        "use a smaller group or a floating-point accumulator"
    )


def fuse_short_groups(plan: Plan, accumulator: Accumulator, group_size: int, groups: int) -> Plan:
    """Return the plan for many short groups with scales: an exact sum in any order may be fused with its scaling."""
    fused = {Kernel.SGEMM: Kernel.BLOCK_FP32, Kernel.DGEMM: Kernel.BLOCK_FP64}
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


def _plan_aligned(accumulator: Aligned, k: int, a: Extent, b: Extent) -> Plan:
    general = Plan(
        kernel=Kernel.ALIGNED_GENERAL,
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
        kernel=Kernel.ALIGNED_FAST,
        why=(
            f"products are exact in fp32, their exponents lie in {smallest}..{largest}, so that alignment is one "
            "exact scaling and truncation one conversion; eight terms fit 32 bits"
        ),
    )
