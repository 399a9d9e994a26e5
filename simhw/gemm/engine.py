"""The GEMM of a datapath on whole matrices: bit for bit what the hardware returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import ElementFormat, get_element_format, round_to
from simhw.gemm.accumulate import Totals, accumulate
from simhw.gemm.datapath import Datapath
from simhw.gemm.dequantize_first import dequantize_before_multiplier
from simhw.gemm.operand import Operand
from simhw.gemm.plan import Plan, Tally
from simhw.gemm.stored import StoredScale, store
from simhw.gemm.threads import over_rows


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """Result of a GEMM.

    Attributes:
        values: ``(batch, m, n)`` float32, each a value of the datapath's output format, times the output's scale
            where the datapath requantizes; of :func:`multiply_codes` float64.
        tally: what happened on the way: group sums that did not fit the integer accumulator, steps without a bound.
        saturations: results beyond the output format's largest value (they have become that value).
        plan: which kernel ran for a whole group, and why it gives the same bits.
    """

    values: NDArray[Any]
    tally: Tally
    saturations: int
    plan: Plan

    @property
    def overflows(self) -> int:
        """Group sums that did not fit the integer accumulator (they have wrapped or were clamped)."""
        return self.tally.overflows


def multiply(
    a: Operand,
    b: Operand,
    datapath: Datapath,
    *,
    bias: NDArray[np.float32] | None = None,
    chain: int | None = None,
    stored: StoredScale | None = None,
    minimum: Operand | None = None,
) -> Product:
    """Return ``a @ b.T (+ bias)`` as ``datapath`` computes it (see :class:`Datapath` for the order of steps).

    Args:
        a: activations, ``(batch, m, k)``.
        b: weights (or keys, or values), ``(batch, n, k)``.
        datapath: the numeric contract.
        bias: ``(n,)`` or ``(batch, 1, n)`` float32, or None.
        chain: longest run of k that a rounding accumulator sums before the run's sum joins the output in fp32
            (weight-stationary arrays: their rows); None: all of a group. Exact accumulators are not affected.
        stored: scale and zero point of the results, for datapaths that requantize and only for them.
        minimum: of weights that are ``scale * code + minimum``: codes of 1 whose group scales are the minima. Their
            products have a running sum of their own, in the same order, which joins that of the codes at the end, in
            fp32; the array has the sums of activations that it takes in any case.

    Raises:
        InputError: formats that the datapath does not take, shapes or groups that do not match, a sum that the
            accumulator cannot hold, a scale of the results that is missing or has no use.
    """
    check_stored(datapath, stored)
    b = prepare_weights(b, datapath)
    totals = total_sums(a, b, datapath, chain=chain, minimum=minimum)
    if stored is not None:
        result, saturations = store(totals, a, b, datapath, stored, bias)
    else:
        output = get_element_format(datapath.output)
        result, saturations = behind_accumulator(totals, a, b, bias, output)
    return Product(values=result, tally=totals.tally, saturations=saturations, plan=totals.plan)


def check_stored(datapath: Datapath, stored: StoredScale | None) -> None:
    """Raise InputError unless a scale of the results is given exactly where the datapath requantizes."""
    if (stored is None) != (datapath.requantize is None):
        raise InputError(
            f"datapath {datapath.name} requantizes its sums by {datapath.requantize}; give the scale of the results"
            if stored is None
            else f"a scale of the results was given, datapath {datapath.name} does not requantize; leave it out"
        )


def total_sums(
    a: Operand, b: Operand, datapath: Datapath, *, chain: int | None = None, minimum: Operand | None = None
) -> Totals:
    """Return what the accumulator leaves of prepared weights and, joined with it, of their minima."""
    totals = accumulate(a, b, datapath, chain=chain)
    if minimum is None:
        return totals
    below = accumulate(a, minimum, datapath, chain=chain)
    joined = totals.to_float32() + below.to_float32()
    return replace(totals, sums=joined, unit=0, tally=totals.tally + below.tally)


def multiply_codes(a: Operand, b: Operand, datapath: Datapath, *, chain: int | None = None) -> Product:
    """Return the sums of ``a @ b.T`` as the accumulator leaves them, in float64: what follows is not the datapath's.

    Args and errors as in :func:`multiply`.
    """
    totals = accumulate(a, prepare_weights(b, datapath), datapath, chain=chain)
    return Product(values=totals.whole(), tally=totals.tally, saturations=0, plan=totals.plan)


def behind_accumulator(
    totals: Totals,
    a: Operand,
    b: Operand,
    bias: NDArray[np.float32] | None = None,
    output: ElementFormat | None = None,
) -> tuple[NDArray[np.float32], int]:
    """Return the sums in fp32 with row scales and bias, rounded to ``output``, and how many lie beyond its range."""
    from simhw.gemm.kernels.finish import KEPT, finish

    batch, m, n = totals.sums.shape
    left = np.ones((batch, m), np.float32) if a.row_scale is None else np.ascontiguousarray(a.row_scale)
    right = np.ones((batch, n), np.float32) if b.row_scale is None else np.ascontiguousarray(b.row_scale)
    added = np.zeros((batch, n), np.float32)
    if bias is not None:
        added[:] = bias.reshape(-1, n)
    rounding, largest = output_rounding(None if output is None else output.name)
    sums: NDArray[Any] = np.ascontiguousarray(totals.sums)
    result = sums.view(np.float32) if sums.dtype in (np.float32, np.int32) else np.empty(sums.shape, np.float32)
    unit = np.float32(2.0**totals.unit if sums.dtype.kind == "i" else 1.0)
    beyond = np.zeros((batch, m), np.int64)
    nans: list[int] = []

    def work(i: int, r0: int, r1: int) -> None:
        rows = slice(r0, r1)
        behind = (left[i, rows], right[i], added[i], bias is not None, largest, rounding)
        nans.append(finish(sums[i, rows], unit, *behind, result[i, rows], beyond[i, rows]))

    over_rows(work, batch, m)
    if output is not None and rounding == KEPT:
        result = round_to(result, output).astype(np.float32, copy=False)
    elif any(nans):
        result[np.isnan(result)] = np.copysign(np.float32(np.nan), result[np.isnan(result)])
    return result, int(beyond.sum())


@cache
def output_rounding(name: str | None) -> tuple[int, np.float32]:
    """Return how a kernel rounds to an output format, and its largest number."""
    from simhw.gemm.kernels.finish import CLAMPED, HALF, KEPT, UPPER_HALF
    from simhw.kernel import has_half_conversion

    if name is None:
        return KEPT, np.float32(np.inf)
    fused = {"fp32": CLAMPED, "bf16": UPPER_HALF, **({"fp16": HALF} if has_half_conversion() else {})}
    return fused.get(name, KEPT), np.float32(float(get_element_format(name).max_value))


def prepare_weights(b: Operand, datapath: Datapath) -> Operand:
    """Return the weights as the multiplier sees them (they differ where dequantization comes first)."""
    if datapath.multiplier_weight is not None and b.format != datapath.multiplier_weight:
        return dequantize_before_multiplier(b, datapath.multiplier_weight)
    return b
