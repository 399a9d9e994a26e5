"""Pairs of byte products saturated to 16 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator
from simhw.accumulators.vpmaddubsw import PAIR_BITS, SUM_BITS
from simhw.errors import InputError
from simhw.gemm.extent import Extent
from simhw.gemm.integer_sums import addend_in_units, exact_in_units, in_units, largest_product, plan_exact
from simhw.gemm.operand import Values
from simhw.gemm.panels import over_panels
from simhw.gemm.plan import Plan, Sums

PAIRS = "saturating_pairs"
"""Numba: pairs in fp32, clamped and added; every so often the sums move into integers."""
PASS = 1024
"""Products after which sums of up to 512 pairs below 2^15 still are exact in fp32."""
_BYTE = 255
_LOW, _HIGH = -(1 << (PAIR_BITS - 1)), (1 << (PAIR_BITS - 1)) - 1


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:  # noqa: ARG001
    """Prove that no pair can saturate, or clamp every pair. Raises InputError for operands wider than a byte."""
    if max(a.largest, b.largest) > _BYTE:
        raise InputError(
            f"operands reach {max(a.largest, b.largest)} units, pairs of byte products take at most {_BYTE};"
            " choose formats of at most 8 bits"
        )
    product = largest_product(a, b)
    if 2 * product <= _HIGH:
        return plan_exact(k, a, b, f"two products of at most {product} fit 16 bits: no pair saturates")
    return Plan(
        kernel=PAIRS,
        why=f"pairs below 2^17 and sums of {PASS // 2} clamped pairs below 2^24 are exact in fp32; the sum of all "
        "wraps once at the end, which gives the same bits as wrapping after every addition",
    )


def run(
    plan: Plan,
    accumulator: Accumulator,  # noqa: ARG001
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the register's values in units."""
    total = addend_in_units(c, (a.shape[0], a.shape[1], b.shape[1]), extents)
    if plan.kernel == PAIRS:
        _add_pairs(total, *(in_units(v, extent, np.float32) for v, extent in zip((a, b), extents, strict=True)))
    else:
        total += exact_in_units(plan, a, b, extents)
    half = np.int64(1 << (SUM_BITS - 1))
    return ((total + half) & np.int64((1 << SUM_BITS) - 1)) - half


def _add_pairs(total: NDArray[np.int64], a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    from simhw.gemm.kernels.saturate import saturate_pairs

    bounds = np.array([_LOW, _HIGH], np.float32)

    def kernel(rows: NDArray[Any], panel: NDArray[Any], sums: NDArray[Any]) -> None:
        saturate_pairs(rows, panel, sums, bounds)

    for first in range(0, a.shape[2], PASS):
        x, y = (v[:, :, first : first + PASS] for v in (a, b))
        if x.shape[2] % 2:
            x, y = (np.pad(v, ((0, 0), (0, 0), (0, 1))) for v in (x, y))
        sums = np.zeros(total.shape, np.float32)
        over_panels(kernel, x, y, sums)
        total += sums.astype(np.int64)
