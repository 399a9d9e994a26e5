"""Layer norm in float32 with Welford's running mean and variance, one value after the other.

``d = x - mean``, ``mean' = mean + d * (1 / i)``, ``m2' = m2 + d * (x - mean')`` for the i-th value, the reciprocals
rounded to float32 (a stored table); ``y = ((x - mean) * (1 / sqrt(m2 / k + eps))) * w + b``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Parameters, Signal, SpecialFunctionUnit


def normalize(row: Sequence[np.float32], parameters: Parameters) -> list[np.float32]:
    """Return the layer norm of a row of float32."""
    one, mean, squares = np.float32(1), np.float32(0), np.float32(0)
    for i, x in enumerate(row):
        difference = x - mean
        mean = mean + difference * (one / np.float32(i + 1))
        squares = squares + difference * (x - mean)
    inverse = one / np.sqrt(squares / np.float32(len(row)) + np.float32(parameters.eps))
    scales = zip(row, *parameters.scale_and_shift(len(row)), strict=True)
    return [((x - mean) * inverse) * weight + bias for x, weight, bias in scales]


@kernel
def _norm(
    x: FloatArray, out: FloatArray, weight: FloatArray, bias: FloatArray, eps: Any, reciprocals: FloatArray
) -> None:
    length = np.float32(x.shape[1])
    for row in range(x.shape[0]):
        mean, squares = np.float32(0), np.float32(0)
        for i in range(x.shape[1]):
            difference = x[row, i] - mean
            mean = mean + difference * reciprocals[i]
            squares = squares + difference * (x[row, i] - mean)
        inverse = np.divide(np.float32(1), np.sqrt(squares / length + eps))
        for i in range(x.shape[1]):
            out[row, i] = ((x[row, i] - mean) * inverse) * weight[i] + bias[i]


def compute(rows: FloatArray, parameters: Parameters) -> FloatArray:
    """Return the layer norm of each row of ``(rows, k)``."""
    out = np.empty_like(rows)
    reciprocals = np.reciprocal(np.arange(1, rows.shape[1] + 1, dtype=np.float32))
    _norm(rows, out, *parameters.scale_and_shift(rows.shape[1]), np.float32(parameters.eps), reciprocals)
    return out


def load(parameters: Parameters) -> SpecialFunctionUnit:
    """Return the unit with parameters."""
    return SpecialFunctionUnit(
        name="layer_norm_welford",
        description="layer norm in float32, statistics in one pass by Welford's updates",
        source="B. P. Welford, Note on a method for calculating corrected sums of squares and products, Technometrics "
        "4(3), 1962. Choices: one value per step, stored reciprocals of the count, no fused multiply-add",
        function="layer_norm",
        extent=Extent.ROW,
        definition=lambda row: normalize(row, parameters),
        kernel=lambda rows: compute(rows, parameters),
        longest_row=1 << 24,
        signals=(
            Signal(name="running mean", bits=32, worst_case="float32, within the values"),
            Signal(name="running sum of squares", bits=32, worst_case="float32, infinite beyond 2^64 in a row"),
            Signal(name="count", bits=24, worst_case="2^24, the last that float32 counts to"),
        ),
        # d, mean, x - mean', sum, x - mean, + b; d / i, the product, the root, w.
        work=VectorWork(adds=6, multiplies=4, passes=2),
        load=load,
    )


UNIT = load(Parameters())
