"""Layer norm in float32 with one pass for its statistics: variance as ``mean(x**2) - mean**2``, at least 0.

``y = ((x - mean) * (1 / sqrt(v + eps))) * w + b``, every operation rounded. Where the mean is large beside the
deviation, the difference cancels: of a row at 1000 with deviation 1 most bits of the variance are lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Parameters, Signal, SpecialFunctionUnit
from simhw.sfu.lanes import LANES, fast_joined, lane_sum


def normalize(row: Sequence[np.float32], parameters: Parameters) -> list[np.float32]:
    """Return the layer norm of a row of float32."""
    length, zero = np.float32(len(row)), np.float32(0)
    mean = lane_sum(row) / length
    variance = lane_sum(x * x for x in row) / length - mean * mean
    variance = zero if variance < zero else variance
    inverse = np.float32(1) / np.sqrt(variance + np.float32(parameters.eps))
    scales = zip(row, *parameters.scale_and_shift(len(row)), strict=True)
    return [((x - mean) * inverse) * weight + bias for x, weight, bias in scales]


@kernel
def _norm(x: FloatArray, out: FloatArray, weight: FloatArray, bias: FloatArray, eps: Any, lanes: int) -> None:
    sums, squares = np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    length = np.float32(x.shape[1])
    for row in range(x.shape[0]):
        values, results = x[row], out[row]
        sums[:], squares[:] = np.float32(0), np.float32(0)
        for first in range(0, values.size, lanes):
            part = values[first : first + lanes]
            for j in range(part.size):
                sums[j] += part[j]
                squares[j] += part[j] * part[j]
        mean = fast_joined(sums) / length
        variance = fast_joined(squares) / length - mean * mean
        if variance < np.float32(0):
            variance = np.float32(0)
        inverse = np.divide(np.float32(1), np.sqrt(variance + eps))
        for i in range(results.size):
            results[i] = ((values[i] - mean) * inverse) * weight[i] + bias[i]


def compute(rows: FloatArray, parameters: Parameters) -> FloatArray:
    """Return the layer norm of each row of ``(rows, k)``."""
    out = np.empty_like(rows)
    _norm(rows, out, *parameters.scale_and_shift(rows.shape[1]), np.float32(parameters.eps), LANES)
    return out


def load(parameters: Parameters) -> SpecialFunctionUnit:
    """Return the unit with parameters."""
    return SpecialFunctionUnit(
        name="layer_norm_one_pass",
        description="layer norm in float32, both sums in one pass: variance as mean of squares less square of mean",
        source="common practice where a second pass costs a reading of memory; the variance's equation is elementary. "
        "Choices: no fused multiply-add, 64 partial sums, one reciprocal root per row, no negative variance",
        function="layer_norm",
        extent=Extent.ROW,
        definition=lambda row: normalize(row, parameters),
        kernel=lambda rows: compute(rows, parameters),
        signals=(
            Signal(name="sum", bits=32, worst_case="float32"),
            Signal(name="sum of squares", bits=32, worst_case="float32, infinite beyond 2^64 in a row"),
            Signal(name="variance", bits=32, worst_case="float32; its error is that of the mean square"),
        ),
        # Two sums, x - mean, + b; the square, the root, w.
        work=VectorWork(adds=4, multiplies=3, passes=2),
        load=load,
    )


UNIT = load(Parameters())
