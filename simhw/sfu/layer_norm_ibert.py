"""Layer norm of I-BERT in integers: mean, integer root of the shifted sum of squares, a factor, a multiplier.

``y = q - round(mean)``; :mod:`simhw.sfu.integer_norm` has the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, Parameters, Signal, SpecialFunctionUnit, code_range
from simhw.sfu.integer_norm import (
    INPUT_FORMAT,
    INPUT_SCALE,
    MOST_BITS,
    OUTPUT_FORMAT,
    OUTPUT_SCALE,
    constants,
    fast_mean,
    fast_over_root,
    mean,
    over_root,
)
from simhw.sfu.multiplier import scaled

NAME = "layer_norm_ibert"


def normalize(row: Sequence[int], parameters: Parameters) -> list[int]:
    """Return the layer norm of a row of int26 codes."""
    middle = mean(row)
    return scaled(over_root([q - middle for q in row]), constants(parameters, len(row), NAME), OUTPUT_FORMAT)


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
        fast_over_root(x[row], out[row], fast_mean(x[row]), np.int64(0), multipliers, shifts, offsets, ends)


def compute(rows: NDArray[Any], parameters: Parameters) -> NDArray[Any]:
    """Return the codes of the layer norm of each row of ``(rows, k)`` int32 codes."""
    out = np.empty_like(rows)
    ends = np.array([*code_range(OUTPUT_FORMAT), MOST_BITS], np.int64)
    _norm(rows, out, *constants(parameters, rows.shape[1], NAME), ends)
    return out


def load(parameters: Parameters, name: str = NAME, function: str = "layer_norm") -> SpecialFunctionUnit:
    """Return the unit with parameters, under the name of a function that it normalises the rows of."""
    return SpecialFunctionUnit(
        name=name,
        description=f"{function.replace('_', ' ')} of I-BERT: integers, integer square root, one factor per row",
        source="S. Kim et al., I-BERT, arXiv 2101.01321, integer-only layer normalization, and kssteven418/I-BERT "
        "quant_modules.py. Choices: int26 codes of scale 2^-10; the mean is rounded half up; the shift of the squares "
        "follows the row, where I-BERT calibrates it; weight and bias come with the multiplier of the requantization "
        "behind it, so that results have one scale and a weight may be 0; eps is left out as there",
        function=function,
        extent=Extent.ROW,
        input_format=INPUT_FORMAT,
        output_format=OUTPUT_FORMAT,
        input_scale=INPUT_SCALE,
        output_scale=OUTPUT_SCALE,
        definition=lambda row: normalize(row, parameters),
        kernel=lambda rows: compute(rows, parameters),
        longest_row=1 << 16,
        signals=(
            Signal(name="sum", bits=42, worst_case="65,536 times -2^25"),
            Signal(name="deviation", bits=27, worst_case="-2^25 beside 65,535 times 2^25 - 1"),
            Signal(name="sum of squares", bits=32, worst_case="31 bits as the shift leaves them, terms rounded down"),
            Signal(name="root", bits=16, worst_case="of 32 bits"),
            Signal(name="deviation of the row", bits=35, worst_case="root times 2^19 at the largest squares"),
            Signal(name="factor", bits=32, worst_case="2^31 / 1, all values within 1 of the mean; 0 beyond 2^31"),
            Signal(
                name="quotient",
                bits=32,
                worst_case="a sign and 2^30, or 1 in 64 more, where one value is all of the sum",
            ),
            Signal(name="product", bits=63, worst_case="that times a multiplier of 31 bits"),
            Signal(name="result", bits=20, worst_case="held at 128"),
        ),
        # Sum, y, compare, sum of squares, rounding, bias, clamp; the square, the factor, the multiplier, y factor.
        work=VectorWork(adds=8, multiplies=4, passes=4),
        load=lambda given: load(given, name, function),
    )


UNIT = load(Parameters())
