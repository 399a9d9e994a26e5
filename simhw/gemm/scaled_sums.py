"""Sums of operands whose block scales the accumulator itself takes, all of k in one chain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators.scaled import ScaledAccumulator
from simhw.errors import InputError
from simhw.formats import round_to
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Operand, Values
from simhw.gemm.plan import Plan, canonical_nan


def scaled_sums(
    accumulator: ScaledAccumulator,
    operands: tuple[Operand, Operand],
    values: tuple[Values, Values],
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None = None,
) -> tuple[Plan, NDArray[np.float32]]:
    """Return the plan and the sums ``(batch, m, n)`` of decoded operands with their group scales, starting from ``c``.

    Raises InputError for zero points, for groups that are not the accumulator's, and for scales that its scale format
    has not.
    """
    from simhw.gemm.paths.scaled import plan_scaled, run_scaled

    a_scale, b_scale = (block_scales(operand, accumulator) for operand in operands)
    k = operands[0].codes.shape[2]
    plan = plan_scaled(accumulator, k, *extents, (a_scale, b_scale))
    sums = run_scaled(plan, accumulator, *values, (a_scale, b_scale), c)
    canonical_nan(sums)
    return plan, sums


def block_scales(operand: Operand, accumulator: ScaledAccumulator) -> NDArray[np.float32]:
    """Return an operand's scales, one per block of the accumulator, checked; ones where it has none."""
    batch, rows, k = operand.codes.shape
    size = accumulator.scale_block
    if operand.zero_point is not None:
        raise InputError("zero points were given, this accumulator has none; quantize symmetrically")
    if operand.group_scale is None:
        return np.ones((batch, rows, -(-k // size)), np.float32)
    if operand.group_size != size and not (operand.groups == 1 and k <= size):
        raise InputError(
            f"group size is {operand.group_size}, the accumulator takes one scale per {size} elements of k; "
            "quantize in such blocks"
        )
    form = accumulator.scale_format
    scale = np.abs(operand.group_scale)
    known = scale[~np.isnan(scale)]
    wrong = known[round_to(known, form) != known]
    if wrong.size:
        raise InputError(f"a scale is {wrong[0]}, which {form} has not; take scales of that format")
    return scale
