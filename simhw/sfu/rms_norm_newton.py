"""RMS norm in float32 with a reciprocal root by table and Newton's iteration; ``rms_norm_newton_256`` has 256 entries.

``y = (x * rsqrt(mean(x**2) + eps)) * w``; the sum is that of :mod:`simhw.sfu.lanes`, the root that of
:mod:`simhw.sfu.rsqrt_newton`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Parameters, Signal, SpecialFunctionUnit
from simhw.sfu.lanes import LANES, fast_sum_of_squares, lane_sum
from simhw.sfu.rsqrt_newton import fast_value, roots, steps, value
from simhw.sfu.table import ENTRIES


def normalize(row: Sequence[np.float32], parameters: Parameters, table: FloatArray) -> list[np.float32]:
    """Return the RMS norm of a row of float32; it has no shift."""
    inverse = value(lane_sum(x * x for x in row) / np.float32(len(row)) + np.float32(parameters.eps), table)
    weights, _ = parameters.scale_and_shift(len(row))
    return [(x * inverse) * weight for x, weight in zip(row, weights, strict=True)]


@kernel
def _norm(
    x: FloatArray, out: FloatArray, weight: FloatArray, eps: Any, lanes: int, table: FloatArray, iterations: int
) -> None:
    sums = np.empty(lanes, np.float32)
    for row in range(x.shape[0]):
        mean = fast_sum_of_squares(x[row], sums) / np.float32(x.shape[1])
        inverse = fast_value(mean + eps, table, iterations)
        for i in range(x.shape[1]):
            out[row, i] = (x[row, i] * inverse) * weight[i]


def sized(entries: int, parameters: Parameters | None = None) -> SpecialFunctionUnit:
    """Return the unit with another number of entries, and with parameters.

    Raises:
        InputError: the number is no power of two, or out of range.
    """
    given = Parameters() if parameters is None else parameters
    table, count = roots("rms_norm_newton", entries), steps(entries)

    def compute(rows: FloatArray) -> FloatArray:
        out = np.empty_like(rows)
        weight, _ = given.scale_and_shift(rows.shape[1])
        _norm(rows, out, weight, np.float32(given.eps), LANES, table, count)
        return out

    return SpecialFunctionUnit(
        name="rms_norm_newton" + ("" if entries == ENTRIES else f"_{entries}"),
        description=f"RMS norm in float32, the reciprocal root by a table of {entries} entries and {count} iterations",
        source="B. Zhang and R. Sennrich, Root mean square layer normalization, arXiv 1910.07467, equation 4; "
        "Newton's iteration as in rsqrt_newton. Choices: no fused multiply-add, 64 partial sums",
        function="rms_norm",
        extent=Extent.ROW,
        definition=lambda row: normalize(row, given, table),
        kernel=compute,
        signals=(
            Signal(name="sum of squares", bits=32, worst_case="float32, infinite beyond 2^64 in a row"),
            Signal(name="reciprocal root", bits=32, worst_case="float32, 1 / sqrt(eps) in a row of zeros"),
        ),
        # The sum; the square, the root's share, w.
        work=VectorWork(adds=1, multiplies=3, passes=2),
        load=lambda more: sized(entries, more),
    )


UNIT = sized(ENTRIES)
