"""Layer norm of I-ViT in integers: ten iterations of the integer root from 2**16, whatever the sum of squares.

``y = q - round(mean)``, ``var = sum(y**2)``, ten times ``s = floor((s + floor(var / s)) / 2)`` from ``2**16``,
``factor = floor((2**31 - 1) / s)``, ``z = floor(y * factor / 2)`` in units of ``sqrt(k) / 2**30``. Ten halvings reach
64: rows whose root is below are divided by up to 64 and come out too small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, Parameters, Signal, SpecialFunctionUnit, code_range
from simhw.sfu.integer_norm import OUTPUT_FORMAT, OUTPUT_SCALE, constants, fast_mean, mean
from simhw.sfu.multiplier import fast_scaled, scaled

NAME = "layer_norm_ivit"
INPUT_SCALE = 2.0**-8
START = 1 << 16
ITERATIONS = 10


def deviation(squares: int) -> int:
    """Return what ten iterations make of a sum of squares.

    >>> deviation(10**10), deviation(100)
    (100000, 64)
    """
    estimate = START
    for _ in range(ITERATIONS):
        estimate = (estimate + squares // estimate) // 2
    return estimate


def normalize(row: Sequence[int], parameters: Parameters) -> list[int]:
    """Return the layer norm of a row of int16 codes."""
    middle = mean(row)
    factor = ((1 << 31) - 1) // deviation(sum((q - middle) ** 2 for q in row))
    quotients = [(q - middle) * factor >> 1 for q in row]
    return scaled(quotients, constants(parameters, len(row), NAME), OUTPUT_FORMAT)


@kernel
def _norm(
    x: NDArray[np.int32],
    out: NDArray[np.int32],
    multipliers: NDArray[np.int64],
    shifts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> None:
    for row in range(x.shape[0]):
        middle = fast_mean(x[row])
        squares = np.int64(0)
        for i in range(x.shape[1]):
            squares += (np.int64(x[row, i]) - middle) ** 2
        estimate = ends[2]
        for _ in range(ends[3]):
            estimate = (estimate + squares // estimate) // 2
        factor = ((np.int64(1) << 31) - 1) // estimate
        for i in range(x.shape[1]):
            z = (np.int64(x[row, i]) - middle) * factor >> 1
            out[row, i] = fast_scaled(z, multipliers[i], shifts[i], offsets[i], ends[0], ends[1])


def compute(rows: NDArray[Any], parameters: Parameters) -> NDArray[Any]:
    """Return the codes of the layer norm of each row of ``(rows, k)`` int32 codes."""
    out = np.empty_like(rows)
    ends = np.array([*code_range(OUTPUT_FORMAT), START, ITERATIONS], np.int64)
    _norm(rows, out, *constants(parameters, rows.shape[1], NAME), ends)
    return out


def load(parameters: Parameters) -> SpecialFunctionUnit:
    """Return the unit with parameters."""
    return SpecialFunctionUnit(
        name=NAME,
        description="layer norm of I-ViT: integers, ten iterations of the integer square root",
        source="Z. Li and Q. Gu, I-ViT, arXiv 2207.01405, I-LayerNorm, and zkkli/I-ViT quant_modules.py. Choices: "
        "int16 codes of scale 2^-8; the mean is rounded half up; weight and bias come with the multiplier of the "
        "requantization behind it; eps is left out as there",
        function="layer_norm",
        extent=Extent.ROW,
        input_format="int16",
        output_format=OUTPUT_FORMAT,
        input_scale=INPUT_SCALE,
        output_scale=OUTPUT_SCALE,
        definition=lambda row: normalize(row, parameters),
        kernel=lambda rows: compute(rows, parameters),
        longest_row=1 << 12,
        signals=(
            Signal(name="sum", bits=28, worst_case="4,096 times -2^15"),
            Signal(name="deviation", bits=17, worst_case="-2^15 beside 4,095 times 2^15 - 1"),
            Signal(name="sum of squares", bits=42, worst_case="4,096 times 2^30, half of the row at either end"),
            Signal(name="estimate", bits=26, worst_case="(2^16 + 2^42 / 2^16) / 2 after the first iteration"),
            Signal(name="factor", bits=25, worst_case="(2^31 - 1) / 64, ten halvings of 2^16"),
            Signal(name="quotient", bits=32, worst_case="2^30 where one value is all of the sum, and its sign"),
            Signal(name="product", bits=63, worst_case="2^30 times a multiplier of 31 bits"),
            Signal(name="result", bits=20, worst_case="held at 128"),
        ),
        # Sum, y, sum of squares, rounding, bias, clamp; the square, y factor, the multiplier.
        work=VectorWork(adds=7, multiplies=3, passes=3),
        load=load,
    )


UNIT = load(Parameters())
