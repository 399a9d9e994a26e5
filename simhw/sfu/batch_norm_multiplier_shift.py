"""Batch norm with stored statistics in integers: a multiplier, a shift and an offset per channel.

``y = ((q m + 2**(e - 1)) >> e) + round(shift / S)`` with ``m / 2**e`` the channel's scale, held in 16 bits. The form
of every norm by stored statistics: PowerNorm without its group scaling and Unified Normalization have mean 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, Parameters, Signal, SpecialFunctionUnit, code_range
from simhw.sfu.batch_norm_multiply_add import channel_scale
from simhw.sfu.multiplier import Constants, fast_scaled, scaled, scaling

NAME = "batch_norm_multiplier_shift"
FORMAT = "int16"
SCALE = 2.0**-8


def constants(parameters: Parameters, channels: int) -> Constants:
    """Return multiplier, shift and offset of each channel."""
    scale, shift = channel_scale(parameters, channels)
    return scaling(scale.astype(np.float64), shift, SCALE, NAME)


def normalize(row: Sequence[int], parameters: Parameters) -> list[int]:
    """Return the batch norm of a row of int16 codes: one of each channel."""
    return scaled(row, constants(parameters, len(row)), FORMAT)


@kernel
def _norm(
    x: NDArray[np.int32],
    out: NDArray[np.int32],
    multipliers: NDArray[np.int64],
    shifts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    lowest: Any,
    highest: Any,
) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            q = np.int64(x[row, i])
            out[row, i] = fast_scaled(q, multipliers[i], shifts[i], offsets[i], lowest, highest)


def compute(rows: NDArray[Any], parameters: Parameters) -> NDArray[Any]:
    """Return the codes of the batch norm of ``(rows, channels)`` int32 codes."""
    out = np.empty_like(rows)
    _norm(rows, out, *constants(parameters, rows.shape[1]), *map(np.int64, code_range(FORMAT)))
    return out


def load(parameters: Parameters) -> SpecialFunctionUnit:
    """Return the unit with parameters."""
    return SpecialFunctionUnit(
        name=NAME,
        description="batch norm in integers: multiplier, shift and offset per channel",
        source="batch norm's linear transform (S. Ioffe and C. Szegedy, arXiv 1502.03167, algorithm 2) as integer "
        "hardware requantizes, with I-BERT's multiplier of 31 bits. Choice: int16 codes of scale 2^-8 on both sides",
        function="batch_norm",
        extent=Extent.ELEMENT,
        input_format=FORMAT,
        output_format=FORMAT,
        input_scale=SCALE,
        output_scale=SCALE,
        definition=lambda row: normalize(row, parameters),
        kernel=lambda rows: compute(rows, parameters),
        signals=(
            Signal(name="product", bits=47, worst_case="-2^15 times a multiplier of 31 bits"),
            Signal(name="offset", bits=32, worst_case="held in 32 bits"),
            Signal(name="result", bits=16, worst_case="held at 128"),
        ),
        # Rounding, offset, clamp; the product.
        work=VectorWork(adds=4, multiplies=1),
        load=load,
    )


UNIT = load(Parameters())
