"""The GEMM of a datapath on whole matrices: bit for bit what the hardware returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import get_element_format, round_to
from simhw.gemm.accumulate import Totals, accumulate
from simhw.gemm.datapath import Datapath
from simhw.gemm.dequantize_first import dequantize_before_multiplier
from simhw.gemm.operand import Operand
from simhw.gemm.plan import Plan
from simhw.gemm.stored import StoredScale, store
from simhw.gemm.threads import over_rows


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """Result of a GEMM.

    Attributes:
        values: ``(batch, m, n)`` float32, each a value of the datapath's output format, times the output's scale
            where the datapath requantizes.
        overflows: group sums that did not fit the integer accumulator (they have wrapped or were clamped).
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
    stored: StoredScale | None = None,
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

    Raises:
        InputError: formats that the datapath does not take, shapes or groups that do not match, a sum that the
            accumulator cannot hold, a scale of the results that is missing or has no use.
    """
    if (stored is None) != (datapath.requantize is None):
        raise InputError(
            f"datapath {datapath.name} requantizes its sums by {datapath.requantize}; give the scale of the results"
            if stored is None
            else f"a scale of the results was given, datapath {datapath.name} does not requantize; leave it out"
        )
    b = prepare_weights(b, datapath)
    totals = accumulate(a, b, datapath, chain=chain)
    if stored is not None:
        result, saturations = store(totals, a, b, datapath, stored, bias)
    else:
        output = get_element_format(datapath.output)
        scaled, saturations = behind_accumulator(totals, a, b, bias, float(output.max_value))
        result = round_to(scaled, output).astype(np.float32, copy=False)
    return Product(values=result, overflows=totals.overflows, saturations=saturations, plan=totals.plan)


def behind_accumulator(
    totals: Totals,
    a: Operand,
    b: Operand,
    bias: NDArray[np.float32] | None = None,
    largest: float = np.inf,
) -> tuple[NDArray[np.float32], int]:
    """Return the sums in fp32 with row scales and bias, and how many of them lie beyond ``largest``."""
    from simhw.gemm.kernels.scale import finish

    result = totals.to_float32()
    batch, m, n = result.shape
    left = np.ones((batch, m), np.float32) if a.row_scale is None else np.ascontiguousarray(a.row_scale)
    right = np.ones((batch, n), np.float32) if b.row_scale is None else np.ascontiguousarray(b.row_scale)
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
    return result, int(beyond.sum())


def prepare_weights(b: Operand, datapath: Datapath) -> Operand:
    """Return the weights as the multiplier sees them (they differ where dequantization comes first)."""
    if datapath.multiplier_weight is not None and b.format != datapath.multiplier_weight:
        return dequantize_before_multiplier(b, datapath.multiplier_weight)
    return b
