"""RMS norm in float32: ``y = (x * (1 / sqrt(mean(x**2) + eps))) * w``, every operation rounded, in this order.

The sum is that of :mod:`simhw.sfu.lanes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Parameters, Signal, SpecialFunctionUnit
from simhw.sfu.lanes import LANES, fast_sum_of_squares, lane_sum


def normalize(row: Sequence[np.float32], parameters: Parameters) -> list[np.float32]:
    """Return the RMS norm of a row of float32; it has no shift."""
    mean = lane_sum(x * x for x in row) / np.float32(len(row))
    inverse = np.float32(1) / np.sqrt(mean + np.float32(parameters.eps))
    weights, _ = parameters.scale_and_shift(len(row))
    return [(x * inverse) * weight for x, weight in zip(row, weights, strict=True)]


@kernel
def _norm(x: FloatArray, out: FloatArray, weight: FloatArray, eps: Any, lanes: int) -> None:
    sums = np.empty(lanes, np.float32)
    for row in range(x.shape[0]):
        mean = fast_sum_of_squares(x[row], sums) / np.float32(x.shape[1])
        inverse = np.divide(np.float32(1), np.sqrt(mean + eps))
        for i in range(x.shape[1]):
            out[row, i] = (x[row, i] * inverse) * weight[i]


def compute(rows: FloatArray, parameters: Parameters) -> FloatArray:
    """Return the RMS norm of each row of ``(rows, k)``."""
    out = np.empty_like(rows)
    _norm(rows, out, parameters.scale_and_shift(rows.shape[1])[0], np.float32(parameters.eps), LANES)
    return out


def load(parameters: Parameters) -> SpecialFunctionUnit:
    """Return the unit with parameters."""
    return SpecialFunctionUnit(
        name="rms_norm_float",
        description="RMS norm in float32: sum of squares, one reciprocal root per row, scaling",
        source="B. Zhang and R. Sennrich, Root mean square layer normalization, arXiv 1910.07467, equation 4. "
        "Choices: no fused multiply-add, 64 partial sums",
        function="rms_norm",
        extent=Extent.ROW,
        definition=lambda row: normalize(row, parameters),
        kernel=lambda rows: compute(rows, parameters),
        signals=(
            Signal(name="sum of squares", bits=32, worst_case="float32, infinite beyond 2^64 in a row"),
            Signal(name="reciprocal root", bits=32, worst_case="float32, 1 / sqrt(eps) in a row of zeros"),
        ),
        # The sum; the square, the root, w.
        work=VectorWork(adds=1, multiplies=3, passes=2),
        load=load,
    )


UNIT = load(Parameters())
