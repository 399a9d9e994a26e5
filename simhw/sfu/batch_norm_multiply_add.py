"""Batch norm with stored statistics in float32: one scale and one shift per channel, ``y = x * scale + shift``.

``scale = (1 / sqrt(variance + eps)) * w``, ``shift = b - mean * scale``, computed once; every operation is rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Parameters, Signal, SpecialFunctionUnit


def channel_scale(parameters: Parameters, channels: int) -> tuple[FloatArray, FloatArray]:
    """Return scale and shift of each channel; without statistics they are weight and bias."""
    weight, bias = parameters.scale_and_shift(channels)
    if parameters.mean is None or parameters.variance is None:
        return weight, bias
    scale = (np.float32(1) / np.sqrt(parameters.variance + np.float32(parameters.eps))) * weight
    return scale, bias - parameters.mean * scale


def normalize(row: Sequence[np.float32], scale: FloatArray, shift: FloatArray) -> list[np.float32]:
    """Return the batch norm of a row: one value of each channel."""
    return [x * factor + offset for x, factor, offset in zip(row, scale, shift, strict=True)]


@kernel
def _norm(x: FloatArray, out: FloatArray, scale: FloatArray, shift: FloatArray) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            out[row, i] = x[row, i] * scale[i] + shift[i]


def compute(rows: FloatArray, parameters: Parameters) -> FloatArray:
    """Return the batch norm of ``(rows, channels)``."""
    out = np.empty_like(rows)
    _norm(rows, out, *channel_scale(parameters, rows.shape[1]))
    return out


def load(parameters: Parameters) -> SpecialFunctionUnit:
    """Return the unit with parameters."""
    return SpecialFunctionUnit(
        name="batch_norm_multiply_add",
        description="batch norm in float32: a product and a sum per value",
        source="S. Ioffe and C. Szegedy, Batch normalization, arXiv 1502.03167, algorithm 2: inference as one linear "
        "transform per channel. Choice: no fused multiply-add",
        function="batch_norm",
        extent=Extent.ELEMENT,
        definition=lambda row: normalize(row, *channel_scale(parameters, len(row))),
        kernel=lambda rows: compute(rows, parameters),
        signals=(Signal(name="product", bits=32, worst_case="float32"),),
        work=VectorWork(adds=1, multiplies=1),
        load=load,
    )


UNIT = load(Parameters())
