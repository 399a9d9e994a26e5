"""The first two steps of a datapath: sums of products group by group, scaled and added in fp32 where there are groups.

Everything that multiplies matrices goes through :func:`accumulate`: layers of networks (:mod:`simhw.gemm.engine`) and
``simhw.matmul``. What they add to it is what happens behind the accumulator.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Exact, Ieee
from simhw.errors import InputError
from simhw.formats import decode, get_element_format
from simhw.gemm.datapath import Datapath
from simhw.gemm.extent import Extent, extent_of
from simhw.gemm.integer_scales import SUM_BITS, fold_scales, sum_scaled_groups
from simhw.gemm.operand import Operand, Values
from simhw.gemm.paths.exact import BLOCK_FP32, BLOCK_FP64, SHORT_GROUP, block_sums, fuse_short_groups, plan_int8
from simhw.gemm.paths.int8 import (
    INT8_GROUPS,
    SHORTEST,
    WORD,
    exact_here,
    has_dot_products,
    scaled_dots,
    small_integers,
    worthwhile,
)
from simhw.gemm.plan import Plan, Sums, Tally, canonical_nan, counted_sums, is_integer, is_scaled, plan_sum
from simhw.gemm.register import fit, may_wrap, subtract, zero_term
from simhw.gemm.scaled_sums import scaled_sums
from simhw.gemm.threads import over_rows


@dataclass(frozen=True, kw_only=True, eq=False)
class Totals:
    """What the accumulator leaves, before row scales.

    Attributes:
        sums: ``(batch, m, n)``: values in fp32 or fp64, or integers in units of ``2**unit``.
        unit: exponent of the unit of integers.
        tally: what happened on the way, over all groups.
        plan: which kernel ran for a whole group, and why it gives the definition's bits.
    """

    sums: Sums
    unit: int
    tally: Tally = field(default_factory=Tally)
    plan: Plan

    def to_float32(self) -> NDArray[np.float32]:
        """Return each sum rounded once to fp32."""
        return np.asarray(self._values(np.float32), np.float32)

    def whole(self) -> NDArray[np.float64]:
        """Return each sum in fp64, which holds integer registers of up to 53 bits whole."""
        return np.asarray(self._values(np.float64), np.float64)

    def _values(self, kind: type[np.float32] | type[np.float64]) -> NDArray[Any]:
        values: NDArray[Any] = self.sums.astype(kind, copy=False)
        return np.ldexp(values, self.unit) if self.sums.dtype.kind == "i" and self.unit else values


def accumulate(
    a: Operand,
    b: Operand,
    datapath: Datapath,
    c: NDArray[np.float32] | None = None,
    *,
    chain: int | None = None,
) -> Totals:
    """Return the sums of ``a @ b.T (+ c)`` as the datapath's accumulator leaves them.

    Args:
        a: ``(batch, m, k)``.
        b: ``(batch, n, k)``, as the multiplier sees it (see :func:`simhw.gemm.engine.prepare_weights`).
        datapath: the numeric contract, of which steps 1 and 2 are done here.
        c: ``(batch, m, n)``, held by the accumulator at the start, or None.
        chain: see :func:`simhw.gemm.engine.multiply`.

    Raises:
        InputError: formats, shapes or groups that the datapath does not take, a sum that the accumulator cannot
            hold, an addend for an accumulator without one or with groups whose sums are scaled.
    """
    _check(a, b, datapath, c)
    if datapath.integer_scales and b.group_scale is not None:
        return _integer_scales(a, b, datapath, c)
    accumulator = datapath.accumulator
    slices = (b if b.group_size else a).group_slices()
    values, extents, plan = _prepare(a, b, accumulator, slices[0].stop, len(slices))
    if is_scaled(accumulator):
        plan, inside = scaled_sums(accumulator, (a, b), values, extents, c)
        return Totals(sums=inside, unit=0, plan=plan)
    scales = _group_scales(a, b)
    if scales is None:
        sums, tally = _group_sum(plan, datapath, values, extents, (slices[0], 0), b, c, chain)
        return Totals(sums=sums, unit=extents[0].unit + extents[1].unit, tally=tally, plan=plan)
    plan = fuse_short_groups(plan, accumulator, slices[0].stop, len(slices))
    if plan.kernel == INT8_GROUPS:
        done = scaled_dots(*values, scales, slices[0].stop, extents[0].unit + extents[1].unit)
        return Totals(sums=done, unit=0, plan=plan)
    if plan.kernel in (BLOCK_FP32, BLOCK_FP64):
        fused = canonical_nan(block_sums(plan, *values, scales, slices[0].stop))
        return Totals(sums=fused, unit=0, plan=plan)
    result = np.empty((*a.codes.shape[:2], b.codes.shape[1]), np.float32)
    total = Tally()
    for group, ks in enumerate(slices):
        sums, tally = _group_sum(plan, datapath, values, extents, (ks, group), b, None, chain)
        total += tally
        _add_scaled(sums, extents, (scales[0][:, :, group], scales[1][:, :, group]), group == 0, result)
    return Totals(sums=result, unit=0, tally=total, plan=plan)


def _integer_scales(a: Operand, b: Operand, datapath: Datapath, c: NDArray[np.float32] | None) -> Totals:
    """Return the int32 sums of groups that are scaled by integers."""
    if c is not None:
        raise InputError(
            f"an addend c was given, the sums of {datapath.name} are scaled by integers; add it to the result"
        )
    if not isinstance(datapath.accumulator, Exact):
        raise InputError(
            f"accumulator is {datapath.accumulator.name!r}, {datapath.name} sums groups in integer registers that wrap;"
            " choose 'exact' or a width"
        )
    bits = datapath.accumulator.bits
    folded = fold_scales(a, b, bits)
    if folded is not None:
        return accumulate(a, folded, replace(datapath, integer_scales=False, accumulator=Exact(bits=SUM_BITS)))
    sums, overflows = sum_scaled_groups(a, b, bits)
    why = "sums of a group and the integers that scale them are below 2^53; wrapped as the registers wrap"
    return Totals(sums=sums, unit=0, tally=Tally(overflows=overflows), plan=Plan(kernel="dgemm", why=why))


def _prepare(
    a: Operand, b: Operand, accumulator: Accumulator, k: int, groups: int
) -> tuple[tuple[Any, Any], tuple[Extent, Extent], Plan]:
    """Return the operands' values, what is known of them, and the plan for ``groups`` groups of ``k``."""
    if isinstance(accumulator, Exact):
        small = _small_integers(a, b, accumulator, k, groups)
        if small is not None:
            return small
    held = is_integer(accumulator)  # sums codes as they are, zero points come off behind it
    values = a.integers(), decode(b.codes, get_element_format(b.format)) if held else b.integers()
    extents = (extent_of(values[0], _unit(a)), extent_of(values[1], _unit(b)))
    return values, extents, plan_sum(accumulator, k, *extents)


def _small_integers(
    a: Operand, b: Operand, accumulator: Exact, k: int, groups: int
) -> tuple[tuple[Any, Any], tuple[Extent, Extent], Plan] | None:
    """Return what :func:`_prepare` does where operands are int8 in units and kernels of int8 are worth it."""
    scaled = groups > 1 and k % WORD == 0 and has_dot_products()
    least = SHORTEST if groups == 1 else SHORT_GROUP + 1
    if not scaled and (k < least or not worthwhile(a.codes.shape[1], b.codes.shape[1], k)):
        return None
    first, second = small_integers(a), small_integers(b)
    if first is None or second is None or not exact_here():
        return None
    extents = first[1], second[1]
    plan = plan_int8(k, *extents, scaled=scaled and not may_wrap(accumulator, extents, k, b))
    if plan is None or (plan.kernel != INT8_GROUPS and k < least):
        return None
    return (first[0], second[0]), extents, plan


def _group_sum(
    plan: Plan,
    datapath: Datapath,
    values: tuple[Values, Values],
    extents: tuple[Extent, Extent],
    at: tuple[slice, int],
    b: Operand,
    c: NDArray[np.float32] | None,
    chain: int | None,
) -> tuple[Sums, Tally]:
    """Return one group's sums with zero points subtracted, and what happened on the way."""
    x, y = values
    ks, group = at
    accumulator = datapath.accumulator
    sums, tally = _chained(plan, accumulator, (x[:, :, ks], y[:, :, ks]), extents, c, chain)
    if may_wrap(accumulator, extents, ks.stop - ks.start, b):
        assert isinstance(accumulator, Exact)
        held, overflows = fit(sums, accumulator, extents, zero_term(x, b, ks, group))
        return held, Tally(overflows=overflows)
    if is_integer(accumulator):
        sums = subtract(sums, extents, zero_term(x, b, ks, group))
    return sums, tally


def _chained(
    plan: Plan,
    accumulator: Accumulator,
    values: tuple[Values, Values],
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
    chain: int | None,
) -> tuple[Sums, Tally]:
    """Return the sums over k, for a rounding accumulator in runs of ``chain`` whose sums are added in order."""
    x, y = values
    k = x.shape[2]
    if chain is None or chain >= k or not isinstance(accumulator, Ieee):
        return counted_sums(plan, accumulator, x, y, extents, c)
    runs = [slice(start, start + chain) for start in range(0, k, chain)]
    total, _ = counted_sums(plan, accumulator, x[:, :, runs[0]], y[:, :, runs[0]], extents, c)
    for run in runs[1:]:
        total = total + counted_sums(plan, accumulator, x[:, :, run], y[:, :, run], extents, None)[0]
    return total, Tally()


def _add_scaled(
    sums: Sums,
    extents: tuple[Extent, Extent],
    scales: tuple[NDArray[np.float32], NDArray[np.float32]],
    first: bool,
    result: NDArray[np.float32],
) -> None:
    """Add one group's sums, rounded to fp32 and scaled, to the result."""
    from simhw.gemm.kernels.scale import add_scaled

    unit = np.float32(2.0 ** (extents[0].unit + extents[1].unit) if sums.dtype.kind == "i" else 1.0)
    left, right = (np.ascontiguousarray(scale) for scale in scales)
    terms: Any = sums
    over_rows(
        lambda i, r0, r1: add_scaled(terms[i, r0:r1], unit, left[i, r0:r1], right[i], first, result[i, r0:r1]),
        sums.shape[0],
        sums.shape[1],
    )


def _check(a: Operand, b: Operand, datapath: Datapath, c: NDArray[np.float32] | None) -> None:
    if a.codes.shape[2] != b.codes.shape[2] or a.codes.shape[0] != b.codes.shape[0]:
        raise InputError(
            f"operands have shapes {a.codes.shape} and {b.codes.shape}, must be (batch, m, k) and (batch, n, k)"
            " with the same batch and k; transpose or reshape one of them"
        )
    datapath.check_formats(a.format, b.format)
    if a.group_size is not None and b.group_size is not None and a.group_size != b.group_size:
        raise InputError(
            f"group sizes are {a.group_size} and {b.group_size}, must be equal along k; quantize both with one"
        )
    if c is not None and _is_scaled(a, b, datapath.accumulator):
        raise InputError(
            "an addend c was given with scales or groups of k, which are applied to what the accumulator returns; "
            "add it to the result"
        )


def _is_scaled(a: Operand, b: Operand, accumulator: Accumulator) -> bool:
    """Return whether anything is applied to sums behind the accumulator."""
    rows = a.row_scale is not None or b.row_scale is not None
    groups = max(a.groups, b.groups) > 1 or a.group_scale is not None or b.group_scale is not None
    return rows or (groups and not is_scaled(accumulator))


def _unit(operand: Operand) -> int:
    return int(get_element_format(operand.format).lsb_exponent)


def _group_scales(a: Operand, b: Operand) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return the group scales of both operands, ones where an operand has none; None where there is one group."""
    groups = max(a.groups, b.groups)
    if a.group_scale is None and b.group_scale is None and groups == 1:
        return None

    def of(operand: Operand) -> NDArray[np.float32]:
        if operand.group_scale is None:
            return np.ones((*operand.codes.shape[:2], groups), np.float32)
        return np.array(np.broadcast_to(operand.group_scale, (*operand.codes.shape[:2], groups)), np.float32)

    return of(a), of(b)
