"""Tensor-core sums of blocks with scales: the scales go into values and exponents before anything is aligned."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator
from simhw.accumulators.scaled import ScaledAligned, ScaledGroups
from simhw.errors import InputError
from simhw.gemm.alignment import FLOAT64_INTEGERS, Factors, chain_blocks, plan_blocks, register
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.padding import columns_last, fill_k, results
from simhw.gemm.plan import Plan, Sums
from simhw.gemm.threads import over_rows

SCALED_GROUPS = "scaled_groups"
"""Numba: groups of products summed exactly in fp32, scaled, aligned and truncated in fp64, columns in parallel."""
FLOAT32_INTEGERS = 24
SCALE_BITS = 8
"""Two significands of E4M3 scales."""
TAKES_SPECIALS = True
"""Operands and scales may hold infinities and NaN."""

Scales = NDArray[np.float32]
"""Scales ``(batch, rows, groups)`` of one operand."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Plan sums whose scales are all one."""
    one = np.ones((1, 1, 1), np.float32)
    return plan_scaled(accumulator, k, a, b, (one, one))


def plan_scaled(accumulator: Accumulator, k: int, a: Extent, b: Extent, scales: tuple[Scales, Scales]) -> Plan:
    """Plan sums with scales. Raises InputError where no kernel can hold them exactly."""
    if isinstance(accumulator, ScaledGroups):
        return _plan_groups(accumulator, a, b)
    assert isinstance(accumulator, ScaledAligned)
    spans = [_span(scale) for scale in scales]
    smallest = a.smallest_exponent + b.smallest_exponent + sum(low for low, _ in spans)
    largest = (k * a.largest * b.largest).bit_length() + a.unit + b.unit + sum(high for _, high in spans)
    # Scaled operands are multiplied in fp32 by the fast kernel: each must stay in its normal range.
    in_range = all(
        extent.smallest_exponent + low >= -126 and extent.largest.bit_length() + extent.unit + high <= 127
        for extent, (low, high) in zip((a, b), spans, strict=True)
    )
    finite = a.finite and b.finite and all(np.isfinite(scale).all() for scale in scales)
    return plan_blocks(accumulator, smallest, largest, finite=finite and in_range)


def _plan_groups(accumulator: ScaledGroups, a: Extent, b: Extent) -> Plan:
    sum_bits = (accumulator.group * a.largest * b.largest).bit_length()
    # A group's sum has a.unit + b.unit as its last place; its scaled value is aligned by the scales' exponents alone.
    carries = (accumulator.block // accumulator.group).bit_length()
    bits = accumulator.fraction_bits + sum_bits + a.unit + b.unit + 2 + carries
    if sum_bits > FLOAT32_INTEGERS or bits > FLOAT64_INTEGERS:
        raise InputError(
            f"exact sums of {accumulator.group} products need {sum_bits} bits, at most {FLOAT32_INTEGERS} are carried; "
            "take E2M1 operands, as this accumulator of MXFP4 and NVFP4 does"
        )
    return Plan(
        kernel=SCALED_GROUPS,
        why=(
            f"sums of {accumulator.group} products are integers below 2^{sum_bits}, exact in fp32; their aligned, "
            f"scaled sums need {bits} bits, exact in fp64 (2^{FLOAT64_INTEGERS})"
        ),
    )


def _span(scale: Scales) -> tuple[int, int]:
    """Return the exponents of the smallest and the largest scale."""
    magnitude = np.abs(scale[np.isfinite(scale) & (scale != 0)])
    if not magnitude.size:
        return 0, 0
    return math.frexp(float(magnitude.min()))[1] - 1, math.frexp(float(magnitude.max()))[1]


def run(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],  # noqa: ARG001
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the sums where all scales are one."""
    assert isinstance(accumulator, ScaledAligned | ScaledGroups)
    groups = -(-a.shape[2] // accumulator.scale_block)
    scales = tuple(np.ones((*v.shape[:2], groups), np.float32) for v in (a, b))
    return run_scaled(plan, accumulator, a, b, (scales[0], scales[1]), c)


def run_scaled(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    scales: tuple[Scales, Scales],
    c: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    """Return the sums ``(batch, m, n)`` of scaled operands, starting from ``c``."""
    if isinstance(accumulator, ScaledGroups):
        return _groups(accumulator, _prepare(accumulator, a, scales[0]), _prepare(accumulator, b, scales[1]), c)
    assert isinstance(accumulator, ScaledAligned)
    x, y = (
        _scaled_factors(accumulator, values, scale, minimum)
        for values, scale, minimum in zip((a, b), scales, accumulator.minimum_exponents, strict=True)
    )
    return chain_blocks(plan, accumulator, x, y, c)


def _scaled_factors(rules: ScaledAligned, values: Values, scale: Scales, minimum: int) -> Factors:
    """Return values times their scales, with the exponents of both, filled with zeros to whole blocks."""
    filled = fill_k(values, rules.block)
    per_element = np.repeat(np.abs(scale).astype(np.float64), rules.scale_block, axis=2)
    per_element = fill_k(per_element[:, :, : filled.shape[2]], rules.block)
    plain = Factors.of(filled, minimum)
    exponent = np.where(np.isfinite(per_element), np.frexp(per_element)[1] - 1, 0)
    with np.errstate(invalid="ignore"):
        product = np.where(np.isnan(per_element), np.nan, filled.astype(np.float64) * per_element)
    return Factors(values=product, exponents=(plain.exponents + exponent).astype(np.int16))


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """One operand in groups: elements ``(batch, rows, k)``, and per group, ``(batch, rows, groups)``, of its scale:
    significand, exponent, and a bit for each element that is not zero.
    """

    values: NDArray[np.float32]
    significands: NDArray[np.float64]
    exponents: NDArray[np.int16]
    nonzero: NDArray[np.uint32]

    def columns_last(self) -> Groups:
        """Return the same as contiguous arrays with rows last."""
        return Groups(
            values=columns_last(self.values),
            significands=columns_last(self.significands),
            exponents=columns_last(self.exponents),
            nonzero=columns_last(self.nonzero),
        )


def _prepare(rules: ScaledGroups, values: Values, scale: Scales) -> Groups:
    filled = np.ascontiguousarray(fill_k(values, rules.block), np.float32)
    groups = filled.shape[2] // rules.group
    spread = np.repeat(np.abs(scale).astype(np.float64), rules.scale_block // rules.group, axis=2)[:, :, :groups]
    spread = np.pad(spread, ((0, 0), (0, 0), (0, groups - spread.shape[2])))
    exponent = np.maximum(np.frexp(spread)[1] - 1, rules.scale_minimum_exponent)
    exponent = np.where(np.isfinite(spread) & (spread != 0), exponent, 0)
    bits = np.left_shift(np.uint32(1), np.arange(rules.group, dtype=np.uint32))
    nonzero = (filled != 0).reshape(*filled.shape[:2], groups, rules.group) & (spread != 0)[..., None]
    marks = np.where(nonzero, bits, np.uint32(0)).sum(axis=3, dtype=np.uint32)
    return Groups(
        values=filled,
        significands=np.ldexp(spread, -exponent),
        exponents=exponent.astype(np.int16),
        nonzero=marks,
    )


def _groups(rules: ScaledGroups, a: Groups, b: Groups, c: NDArray[np.float32] | None) -> NDArray[np.float32]:
    from simhw.gemm.kernels.scaled import scaled_groups

    y = b.columns_last()
    out = results(a.values, b.values, c)

    def work(i: int, first: int, last: int) -> None:
        scaled_groups(
            a.values[i, first:last],
            a.significands[i, first:last],
            a.exponents[i, first:last],
            a.nonzero[i, first:last],
            y.values[i],
            y.significands[i],
            y.exponents[i],
            y.nonzero[i],
            out[i, first:last],
            rules.group,
            rules.block // rules.group,
            rules.fraction_bits,
            rules.zero_exponent,
            *register(rules.result),
        )

    over_rows(work, *out.shape[:2])
    return out
