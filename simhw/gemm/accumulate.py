"""A GEMM up to what its accumulator returns, before any output format: results, infinities and NaN included."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Exact, IntegerAccumulator
from simhw.accumulators.scaled import ScaledAccumulator
from simhw.errors import InputError
from simhw.formats import IntegerFormat, get_element_format
from simhw.formats.arrays import as_values
from simhw.gemm.datapath import Datapath
from simhw.gemm.extent import Extent, extent_of
from simhw.gemm.operand import Operand, Values
from simhw.gemm.plan import Sums, group_sums, plan_sum
from simhw.gemm.scaled_sums import scaled_sums
from simhw.pes import get_pe

FLOAT32_INTEGERS = 24
"""Integers of up to 24 bits are exact in float32."""


def accumulate(a: Operand, b: Operand, datapath: Datapath, c: NDArray[np.float32] | None = None) -> NDArray[Any]:
    """Return ``a @ b.T (+ c)`` as the accumulator leaves it, scaled by the operands' scales in fp32.

    Args:
        a: ``(batch, m, k)``.
        b: ``(batch, n, k)``, as the multiplier sees it (see :func:`simhw.gemm.engine.prepare_weights`).
        datapath: the numeric contract, up to its step 3.
        c: ``(batch, m, n)``, or None.

    Returns:
        ``(batch, m, n)`` float32; float64 where an unscaled integer register needs it (:func:`integer_bits`).

    Raises:
        InputError: formats that the datapath does not take, a sum that the accumulator cannot hold, an addend for
            an accumulator without one.
    """
    datapath.check_formats(a.format, b.format)
    if c is not None and _is_scaled(a, b, datapath.accumulator):
        raise InputError(
            "an addend c was given with scales or groups of k, which are applied to what the accumulator returns; "
            "add it to the result"
        )
    if b.zero_point is not None and isinstance(datapath.accumulator, IntegerAccumulator):
        raise InputError(
            f"zero points were given, the register of {datapath.accumulator.name!r} sums codes before they are "
            "subtracted; quantize symmetrically or choose an exact accumulator"
        )
    x, y = a.integers(), b.integers()
    extents = (extent_of(x, _unit(a)), extent_of(y, _unit(b)))
    if isinstance(datapath.accumulator, ScaledAccumulator):
        total: NDArray[Any] = scaled_sums(datapath.accumulator, (a, b), (x, y), extents, c)[1]
    else:
        total = _over_groups(a, b, (x, y), extents, datapath.accumulator, c)
    if a.row_scale is not None:
        total = total * a.row_scale[:, :, None]
    if b.row_scale is not None:
        total = total * b.row_scale[:, None, :]
    return total


def _over_groups(
    a: Operand,
    b: Operand,
    values: tuple[Values, Values],
    extents: tuple[Extent, Extent],
    accumulator: Accumulator,
    c: NDArray[np.float32] | None,
) -> NDArray[Any]:
    """Return the sum over groups of k of the accumulator's sums times the groups' scales."""
    x, y = values
    slices = (b if b.group_size else a).group_slices()
    chosen = plan_sum(accumulator, slices[0].stop, *extents)
    wide = returns_register(a, b) and integer_bits(a, b) > FLOAT32_INTEGERS
    total: NDArray[Any] | None = None
    for group, ks in enumerate(slices):
        sums = group_sums(chosen, accumulator, x[:, :, ks], y[:, :, ks], extents, c)
        term = _values(sums, accumulator, extents, wide=wide)
        if a.group_scale is not None or b.group_scale is not None:
            term = term * (_group(a, group)[:, :, None] * _group(b, group)[:, None, :])
        total = term if total is None else total + term
    assert total is not None
    return total


def _is_scaled(a: Operand, b: Operand, accumulator: Accumulator) -> bool:
    """Return whether anything is applied to sums behind the accumulator."""
    rows = a.row_scale is not None or b.row_scale is not None
    groups = max(a.groups, b.groups) > 1 or a.group_scale is not None or b.group_scale is not None
    return rows or (groups and not isinstance(accumulator, ScaledAccumulator))


def block_size(datapath: Datapath) -> int | None:
    """Return the k per scale that a datapath's formats or its accumulator fix, or None."""
    if isinstance(datapath.accumulator, ScaledAccumulator):
        return datapath.accumulator.scale_block
    return get_pe(datapath.pe).block_size


def returns_register(a: Operand, b: Operand) -> bool:
    """Return whether the result is one integer sum as it stands: integer formats, nothing scaled, one group."""
    integers = all(isinstance(get_element_format(o.format), IntegerFormat) for o in (a, b))
    scaled = any(s is not None for o in (a, b) for s in (o.group_scale, o.row_scale))
    return integers and not scaled and max(a.groups, b.groups) == 1


def integer_bits(a: Operand, b: Operand) -> int:
    """Return the bits of the largest sum of products that the operands' formats allow."""
    largest_a, largest_b = (get_element_format(operand.format).max_integer for operand in (a, b))
    if b.zero_point is not None:
        largest_b += int(np.abs(b.zero_point).max())
    return int(a.codes.shape[2] * largest_a * largest_b).bit_length()


def take_addend(c: Any, shape: tuple[int, ...], accumulator: Accumulator) -> NDArray[np.float32]:
    """Return the addend broadcast to the result's shape.

    Raises:
        InputError: no numbers, a shape that does not broadcast, or values that the result's format has not.
    """
    given = as_values(c)
    try:
        values = np.broadcast_to(given, shape)
    except ValueError:
        raise InputError(f"c has shape {given.shape}, must broadcast to the result's {shape}; reshape it") from None
    precision = getattr(accumulator, "result", None)
    narrow = precision is not None and precision.significand_bits == 11
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16 if narrow else np.float32)
    if np.any((rounded != values) & ~np.isnan(values)):
        name = "fp16" if narrow else "fp32"
        raise InputError(f"c holds values that {name}, the format of the result, has not; round it first")
    return np.ascontiguousarray(rounded, np.float32).reshape(shape)


def _unit(operand: Operand) -> int:
    return int(get_element_format(operand.format).lsb_exponent)


def _group(operand: Operand, group: int) -> NDArray[np.float32]:
    if operand.group_scale is None:
        return np.ones(operand.codes.shape[:2], np.float32)
    return np.asarray(operand.group_scale[:, :, group], np.float32)


def _values(sums: Sums, accumulator: Accumulator, extents: tuple[Extent, Extent], *, wide: bool) -> NDArray[Any]:
    """Return sums as values: rounded once to fp32, or whole in float64."""
    unit = extents[0].unit + extents[1].unit
    kind = np.float64 if wide else np.float32
    if isinstance(accumulator, Exact) and accumulator.bits is not None and accumulator.bits < 64:
        exact = sums if sums.dtype.kind == "i" else np.ldexp(sums.astype(np.float64), -unit)
        half = np.int64(1 << (accumulator.bits - 1))
        held = ((exact.astype(np.int64) + half) & np.int64((1 << accumulator.bits) - 1)) - half
        return np.asarray(np.ldexp(held.astype(kind), unit))
    values: NDArray[Any] = sums.astype(kind, copy=False)
    return np.asarray(np.ldexp(values, unit)) if sums.dtype.kind == "i" else values
