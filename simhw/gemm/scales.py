"""Scales and zero points as a caller gives them, turned into what an operand holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats.arrays import as_values
from simhw.gemm.operand import check_group_size

LARGEST_ZERO_POINT = 1 << 20
"""Far beyond any zero point in use, so that sums of products stay within an int64."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaling:
    """Scales of one operand, as :class:`simhw.gemm.operand.Operand` has them (None: all ones, or none).

    Attributes:
        group: ``(batch, rows, groups)`` float32, applied to each group's sum.
        row: ``(batch, rows)`` float32, applied to the finished sum.
        zero_point: ``(batch, rows, groups)`` int32.
    """

    group: NDArray[np.float32] | None = None
    row: NDArray[np.float32] | None = None
    zero_point: NDArray[np.int32] | None = None


@dataclass(frozen=True, kw_only=True)
class Axes:
    """Sizes that scales must fit.

    Attributes:
        lead: leading axes of the result.
        rows: rows of a, or columns of b.
        k: length of the sum.
        group_size: k per group, None where all of k is one.
    """

    lead: tuple[int, ...]
    rows: int
    k: int
    group_size: int | None

    @property
    def groups(self) -> int:
        """Number of groups along k."""
        return 1 if self.group_size is None else -(-self.k // self.group_size)


def choose_group_size(given: int | None, block: int | None, k: int) -> int | None:
    """Return the k per group: the caller's, or what the datapath's block formats fix.

    Raises:
        InputError: outside 1..k, or another than the formats have.
    """
    if given is None:
        return None if block is None else min(block, k)
    if block is not None and given != block:
        raise InputError(f"group_size is {given}, the datapath's block formats have {block}; leave it out")
    check_group_size(given, k)
    return given


def scale_rows(scales: Any, axes: Axes, *, factor: float, per_group: bool) -> Scaling:
    """Return the first operand's scales, given as ``(..., m, 1)`` or ``(..., m, groups)``.

    Args:
        scales: values, or None.
        axes: what they must fit.
        factor: of the whole tensor.
        per_group: whether one scale per row is still a group's scale (block formats).

    Raises:
        InputError: not values, not finite in fp32, or of another shape.
    """
    return _scaling(scales, None, axes, factor, per_group=per_group, columns=False)


def scale_columns(scales: Any, zero_points: Any, axes: Axes, *, factor: float) -> Scaling:
    """Return the second operand's scales, given as ``(..., 1, n)`` or ``(..., groups, n)``, and its zero points.

    Groups without scales have scales of one: their sums are rounded and added one by one all the same.

    Raises:
        InputError: as :func:`scale_rows`; zero points that are no integers.
    """
    grouped = axes.group_size is not None
    given = np.float32(1) if scales is None and grouped else scales
    return _scaling(given, zero_points, axes, factor, per_group=grouped, columns=True)


def _scaling(scales: Any, zero_points: Any, axes: Axes, factor: float, *, per_group: bool, columns: bool) -> Scaling:
    batch = math.prod(axes.lead)
    group = row = zero = None
    if scales is not None:
        spread = _fit(_float32(scales, "b_scales" if columns else "a_scales"), axes, columns)
        if spread.shape[2] > 1 or per_group:
            group = np.ascontiguousarray(np.broadcast_to(spread, (batch, axes.rows, axes.groups)))
        else:
            row = np.ascontiguousarray(spread[:, :, 0])
    if factor != 1.0:
        row = np.full((batch, axes.rows), factor, np.float32)
    if zero_points is not None:
        integers = _fit(_integers(zero_points), axes, columns)
        zero = np.ascontiguousarray(np.broadcast_to(integers, (batch, axes.rows, axes.groups)))
    return Scaling(group=group, row=row, zero_point=zero)


def _fit(array: NDArray[Any], axes: Axes, columns: bool) -> NDArray[Any]:
    """Return ``(batch, rows, groups or 1)``."""
    argument = "zero_points" if array.dtype.kind == "i" else "b_scales" if columns else "a_scales"
    wanted = f"(..., {axes.groups}, {axes.rows})" if columns else f"(..., {axes.rows}, {axes.groups})"
    single = f"(..., 1, {axes.rows})" if columns else f"(..., {axes.rows}, 1)"
    allowed = wanted if axes.groups == 1 else f"{wanted} or {single}"
    refused = InputError(
        f"{argument} have shape {array.shape}, must be {allowed} for k = {axes.k} "
        f"and group size {axes.group_size}; reshape them"
    )
    if array.ndim == 0:
        array = array.reshape(1, 1)
    if array.ndim < 2:
        raise refused
    rows = array.swapaxes(-1, -2) if columns else array
    if rows.shape[-1] not in (1, axes.groups) or rows.shape[-2] not in (1, axes.rows):
        raise refused
    try:
        spread = np.broadcast_to(rows, (*axes.lead, axes.rows, rows.shape[-1]))
    except ValueError:
        raise refused from None
    return spread.reshape(math.prod(axes.lead), axes.rows, rows.shape[-1])


def _float32(scales: Any, argument: str) -> NDArray[np.float32]:
    if getattr(getattr(scales, "dtype", None), "kind", "f") in "iub":
        raise InputError(f"{argument} have dtype {scales.dtype}, must be values; turn codes into values with decode")
    values = as_values(scales)
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    if np.any((rounded != values) & ~np.isnan(values)):
        raise InputError(f"{argument} hold values that fp32 has not; round them first (astype(np.float32))")
    return rounded


def _integers(zero_points: Any) -> NDArray[np.int32]:
    values = as_values(zero_points)
    if np.any(values != np.rint(values)) or np.any(np.abs(values) > LARGEST_ZERO_POINT):
        raise InputError("zero_points hold fractions or values beyond 2**20; give the integer code that means zero")
    return values.astype(np.int32)
