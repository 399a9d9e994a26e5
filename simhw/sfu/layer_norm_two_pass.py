"""Layer norm in float32 with the mean first: ``c = x - mean``, variance of c, ``y = (c / sqrt(v + eps)) * w + b``.

Every operation is rounded, in this order; both sums are those of :mod:`simhw.sfu.lanes`, divided by the length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Parameters, Signal, SpecialFunctionUnit
from simhw.sfu.lanes import LANES, fast_sum, fast_sum_of_squares, lane_sum


def normalize(row: Sequence[np.float32], parameters: Parameters) -> list[np.float32]:
    """Return the layer norm of a row of float32."""
    length = np.float32(len(row))
    mean = lane_sum(row) / length
    centred = [x - mean for x in row]
    root = np.sqrt(lane_sum(c * c for c in centred) / length + np.float32(parameters.eps))
    scales = zip(centred, *parameters.scale_and_shift(len(row)), strict=True)
    return [(c / root) * weight + bias for c, weight, bias in scales]


@kernel
def _norm(x: FloatArray, out: FloatArray, weight: FloatArray, bias: FloatArray, eps: Any, lanes: int) -> None:
    sums = np.empty(lanes, np.float32)
    length = np.float32(x.shape[1])
    for row in range(x.shape[0]):
        results = out[row]
        mean = fast_sum(x[row], sums) / length
        for i in range(results.size):
            results[i] = x[row, i] - mean
        root = np.sqrt(fast_sum_of_squares(results, sums) / length + eps)
        for i in range(results.size):
            results[i] = np.divide(results[i], root) * weight[i] + bias[i]


def compute(rows: FloatArray, parameters: Parameters) -> FloatArray:
    """Return the layer norm of each row of ``(rows, k)``."""
    out = np.empty_like(rows)
    _norm(rows, out, *parameters.scale_and_shift(rows.shape[1]), np.float32(parameters.eps), LANES)
    return out


def load(
    parameters: Parameters, name: str = "layer_norm_two_pass", function: str = "layer_norm"
) -> SpecialFunctionUnit:
    """Return the unit with parameters, under the name of a function that it normalises the rows of."""
    return SpecialFunctionUnit(
        name=name,
        description=f"{function.replace('_', ' ')} in float32: mean, then the variance of what is left",
        source="J. Ba et al., Layer normalization, arXiv 1607.06450, in the order of its equations. "
        "Choices: no fused multiply-add, 64 partial sums, a division per element as in the float reference",
        function=function,
        extent=Extent.ROW,
        definition=lambda row: normalize(row, parameters),
        kernel=lambda rows: compute(rows, parameters),
        signals=(
            Signal(name="sum", bits=32, worst_case="float32"),
            Signal(name="centred", bits=32, worst_case="float32"),
            Signal(name="sum of squares", bits=32, worst_case="float32, infinite beyond 2^64 in a row"),
        ),
        # Sum, x - mean, sum of squares, + b; the square, the division, w.
        work=VectorWork(adds=4, multiplies=3, passes=3),
        load=lambda given: load(given, name, function),
    )


UNIT = load(Parameters())
