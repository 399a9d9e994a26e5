"""The GEMM of a datapath on whole matrices: bit for bit what the hardware returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Exact, Ieee, IntegerAccumulator
from simhw.accumulators.scaled import ScaledAccumulator
from simhw.errors import InputError
from simhw.formats import decode, get_element_format, round_to
from simhw.gemm.datapath import Datapath
from simhw.gemm.dequantize_first import dequantize_before_multiplier
from simhw.gemm.extent import Extent, extent_of
from simhw.gemm.operand import Operand, Values
from simhw.gemm.paths.exact import BLOCK_FP32, BLOCK_FP64, SHORT_GROUP, block_sums, fuse_short_groups, plan_int8
from simhw.gemm.paths.int8 import exact_here, small_integers, worthwhile
from simhw.gemm.plan import Plan, Sums, group_sums, plan_sum
from simhw.gemm.scaled_sums import scaled_sums
from simhw.gemm.threads import over_rows


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """Result of a GEMM.

    Attributes:
        values: ``(batch, m, n)`` float32, each a value of the datapath's output format.
        overflows: group sums that did not fit the integer accumulator (they have wrapped).
        saturations: results beyond the output format's largest value (they have become that value).
        plan: which kernel ran for a whole group, and why it gives the same bits.
    """

    values: NDArray[np.float32]
    overflows: int
    saturations: int
    plan: Plan


def multiply(
    a: Operand,
    b: Operand,
    datapath: Datapath,
    *,
    bias: NDArray[np.float32] | None = None,
    chain: int | None = None,
) -> Product:
    """Return ``a @ b.T (+ bias)`` as ``datapath`` computes it (see :class:`Datapath` for the order of steps).

    Args:
        a: activations, ``(batch, m, k)``.
        b: weights (or keys, or values), ``(batch, n, k)``.
        datapath: the numeric contract.
        bias: ``(n,)`` or ``(batch, 1, n)`` float32, or None.
        chain: longest run of k that a rounding accumulator sums before the run's sum joins the output in fp32
            (weight-stationary arrays: their rows); None: all of a group. Exact accumulators are not affected.

    Raises:
        InputError: formats that the datapath does not take, shapes or groups that do not match, a sum that the
            accumulator cannot hold.
    """
    b = prepare_weights(b, datapath)
    _check(a, b, datapath)
    slices = (b if b.group_size else a).group_slices()
    (x, y), extents, plan = _prepare(a, b, datapath.accumulator, slices[0].stop)
    scales = _group_scales(a, b)
    overflows = 0
    if scales is not None:
        plan = fuse_short_groups(plan, datapath.accumulator, slices[0].stop, len(slices))
    if isinstance(datapath.accumulator, ScaledAccumulator):
        plan, result = scaled_sums(datapath.accumulator, (a, b), (x, y), extents)
    elif scales is not None and plan.kernel in (BLOCK_FP32, BLOCK_FP64):
        result = block_sums(plan, x, y, scales, slices[0].stop)
    else:
        result, overflows = _sum_groups(plan, datapath, (x, y), extents, slices, scales, b, chain)
    output = get_element_format(datapath.output)
    saturations = _finish(result, a.row_scale, b.row_scale, bias, float(output.max_value))
    return Product(
        values=round_to(result, output).astype(np.float32, copy=False),
        overflows=overflows,
        saturations=saturations,
        plan=plan,
    )


def _finish(
    result: NDArray[np.float32],
    a_scale: NDArray[np.float32] | None,
    b_scale: NDArray[np.float32] | None,
    bias: NDArray[np.float32] | None,
    largest: float,
) -> int:
    """Apply row scales and bias in place; return how many results the output format cannot hold."""
    from simhw.gemm.kernels.scale import finish

    batch, m, n = result.shape
    left = np.ones((batch, m), np.float32) if a_scale is None else np.ascontiguousarray(a_scale)
    right = np.ones((batch, n), np.float32) if b_scale is None else np.ascontiguousarray(b_scale)
    added = np.zeros((batch, n), np.float32)
    if bias is not None:
        added[:] = bias.reshape(-1, n)
    beyond = np.zeros((batch, m), np.int64)
    over_rows(
        lambda i, r0, r1: finish(
            result[i, r0:r1],
            left[i, r0:r1],
            right[i],
            added[i],
            bias is not None,
            np.float32(largest),
            beyond[i, r0:r1],
        ),
        batch,
        m,
    )
    return int(beyond.sum())


def _prepare(
    a: Operand, b: Operand, accumulator: Accumulator, k: int
) -> tuple[tuple[Any, Any], tuple[Extent, Extent], Plan]:
    """Return the operands' values, what is known of them, and the plan for groups of ``k``."""
    if isinstance(accumulator, Exact) and k > SHORT_GROUP and worthwhile(a.codes.shape[1], b.codes.shape[1], k):
        first, second = small_integers(a), small_integers(b)
        if first is not None and second is not None and exact_here():
            plan = plan_int8(k, first[1], second[1])
            if plan is not None:
                return (first[0], second[0]), (first[1], second[1]), plan
    held = isinstance(accumulator, IntegerAccumulator)  # sums codes as they are, zero points come off behind it
    values = a.integers(), decode(b.codes, get_element_format(b.format)) if held else b.integers()
    extents = (extent_of(values[0], _unit(a)), extent_of(values[1], _unit(b)))
    return values, extents, plan_sum(accumulator, k, *extents)


def _sum_groups(
    plan: Plan,
    datapath: Datapath,
    values: tuple[Values, Values],
    extents: tuple[Extent, Extent],
    slices: list[slice],
    scales: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    b: Operand,
    chain: int | None,
) -> tuple[NDArray[np.float32], int]:
    """Return the fp32 sum over groups, group after group, and how many group sums did not fit the accumulator."""
    x, y = values
    result: NDArray[np.float32] | None = None
    overflows = 0
    may_wrap = _may_wrap(datapath.accumulator, extents, slices[0].stop, b)
    for group, ks in enumerate(slices):
        sums = _chained(plan, datapath.accumulator, x[:, :, ks], y[:, :, ks], extents, chain)
        if may_wrap:
            sums, lost = _fit(sums, datapath, extents, _zero_term(x, b, ks, group))
            overflows += lost
        elif isinstance(datapath.accumulator, IntegerAccumulator):
            sums = _subtract(sums, extents, _zero_term(x, b, ks, group))
        if scales is None:
            return _to_float32(sums, extents), overflows
        if result is None:
            result = np.empty(sums.shape, np.float32)
        _add_scaled(sums, extents, (scales[0][:, :, group], scales[1][:, :, group]), group == 0, result)
    assert result is not None
    return result, overflows


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


def _chained(
    plan: Plan,
    accumulator: Accumulator,
    x: Values,
    y: Values,
    extents: tuple[Extent, Extent],
    chain: int | None,
) -> Sums:
    """Return the sums over k, for a rounding accumulator in runs of ``chain`` whose sums are added in order."""
    k = x.shape[2]
    if chain is None or chain >= k or not isinstance(accumulator, Ieee):
        return group_sums(plan, accumulator, x, y, extents)
    runs = [slice(start, start + chain) for start in range(0, k, chain)]
    total = group_sums(plan, accumulator, x[:, :, runs[0]], y[:, :, runs[0]], extents)
    for run in runs[1:]:
        total = total + group_sums(plan, accumulator, x[:, :, run], y[:, :, run], extents)
    return total


def prepare_weights(b: Operand, datapath: Datapath) -> Operand:
    """Return the weights as the multiplier sees them (they differ where dequantization comes first)."""
    if datapath.multiplier_weight is not None and b.format != datapath.multiplier_weight:
        return dequantize_before_multiplier(b, datapath.multiplier_weight)
    return b


def _check(a: Operand, b: Operand, datapath: Datapath) -> None:
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


def _unit(operand: Operand) -> int:
    return int(get_element_format(operand.format).lsb_exponent)


def _zero_term(x: Values, b: Operand, ks: slice, group: int) -> NDArray[np.float64] | None:
    """Return ``zero point * sum of x``, which the dequantizer subtracts from the accumulator's sum of ``q * x``."""
    if b.zero_point is None:
        return None
    totals = x[:, :, ks].astype(np.float64).sum(axis=2)
    zeros = b.zero_point[:, None, :, group if b.group_size else 0].astype(np.float64)
    return np.asarray(totals[:, :, None] * zeros)


def _may_wrap(accumulator: Accumulator, extents: tuple[Extent, Extent], k: int, b: Operand) -> bool:
    """Return whether a sum of k products might not fit the accumulator's stated width."""
    if not isinstance(accumulator, Exact) or accumulator.bits is None or not (extents[0].finite and extents[1].finite):
        return False
    largest = extents[1].largest
    if b.zero_point is not None:  # |q| <= |q - zero| + |zero|
        largest += int(np.abs(b.zero_point).max())
    return k * extents[0].largest * largest >= 1 << (accumulator.bits - 1)


def _subtract(sums: Sums, extents: tuple[Extent, Extent], zero_term: NDArray[np.float64] | None) -> Sums:
    """Return an integer register's sums less the zero points' share, exactly."""
    if zero_term is None:
        return sums
    unit = extents[0].unit + extents[1].unit
    exact = sums if sums.dtype.kind == "i" else np.ldexp(sums.astype(np.float64), -unit)
    return np.asarray(exact.astype(np.int64) - np.ldexp(zero_term, -unit).astype(np.int64), np.int64)


def _fit(
    sums: Sums, datapath: Datapath, extents: tuple[Extent, Extent], zero_term: NDArray[np.float64] | None
) -> tuple[Sums, int]:
    """Wrap the accumulator's sums to its width; return what the dequantizer makes of them and how many wrapped.

    The accumulator holds ``sum(q * x)``; a zero point is subtracted behind it, in an adder that never overflows.
    """
    assert isinstance(datapath.accumulator, Exact)
    bits = datapath.accumulator.bits
    assert bits is not None
    unit = extents[0].unit + extents[1].unit
    exact = sums if sums.dtype.kind == "i" else np.ldexp(sums.astype(np.float64), -unit)
    integers = exact.astype(np.int64)
    subtracted = np.int64(0) if zero_term is None else np.ldexp(zero_term, -unit).astype(np.int64)
    held = integers + subtracted
    half = np.int64(1 << (bits - 1))
    wrapped = ((held + half) & np.int64((1 << bits) - 1)) - half
    return wrapped - subtracted, int(np.count_nonzero(wrapped != held))


def _to_float32(sums: Sums, extents: tuple[Extent, Extent]) -> NDArray[np.float32]:
    """Round each sum once to fp32 (integers are in units of the product of the operands' units)."""
    if sums.dtype.kind == "i":
        rounded = sums.astype(np.float32)
        unit = extents[0].unit + extents[1].unit
        return np.ldexp(rounded, unit) if unit else rounded
    return sums.astype(np.float32, copy=False)


def _group_scales(a: Operand, b: Operand) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return the group scales of both operands, ones where an operand has none; None where there is one group."""
    groups = max(a.groups, b.groups)
    if a.group_scale is None and b.group_scale is None and groups == 1:
        return None

    def of(operand: Operand) -> NDArray[np.float32]:
        if operand.group_scale is None:
            return np.ones((*operand.codes.shape[:2], groups), np.float32)
        return np.broadcast_to(operand.group_scale, (*operand.codes.shape[:2], groups))

    return of(a), of(b)
