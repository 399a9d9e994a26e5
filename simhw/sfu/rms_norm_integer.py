"""RMS norm in integers: I-BERT's layer norm without its mean, eps in the sum of squares.

``sum = round(k eps / S**2) + sum(q**2)``, shifted as :mod:`simhw.sfu.integer_norm` says, which has the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
    fast_over_root,
    over_root,
)
from simhw.sfu.multiplier import scaled

NAME = "rms_norm_integer"
MOST_EPSILON = 1 << 56
"""More would not fit beside the largest sum of squares."""


def epsilon_code(parameters: Parameters, length: int) -> int:
    """Return eps in the units of a sum of squares."""
    return min(round(length * float(parameters.eps) / INPUT_SCALE**2), MOST_EPSILON)


def normalize(row: Sequence[int], parameters: Parameters) -> list[int]:
    """Return the RMS norm of a row of int26 codes."""
    quotients = over_root(row, epsilon_code(parameters, len(row)))
    return scaled(quotients, constants(parameters, len(row), NAME), OUTPUT_FORMAT)


@kernel
def _norm(
    x: NDArray[np.int32],
    out: NDArray[np.int32],
    epsilon: Any,
    multipliers: NDArray[np.int64],
    shifts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> None:
    for row in range(x.shape[0]):
        fast_over_root(x[row], out[row], np.int64(0), epsilon, multipliers, shifts, offsets, ends)


def compute(rows: NDArray[Any], parameters: Parameters) -> NDArray[Any]:
    """Return the codes of the RMS norm of each row of ``(rows, k)`` int32 codes."""
    out = np.empty_like(rows)
    length = rows.shape[1]
    ends = np.array([*code_range(OUTPUT_FORMAT), MOST_BITS], np.int64)
    _norm(rows, out, np.int64(epsilon_code(parameters, length)), *constants(parameters, length, NAME), ends)
    return out


def load(parameters: Parameters) -> SpecialFunctionUnit:
    """Return the unit with parameters; it has no bias."""
    parameters = replace(parameters, bias=None)
    return SpecialFunctionUnit(
        name=NAME,
        description="RMS norm in integers: integer square root, one factor per row",
        source="the integer layer norm of I-BERT (S. Kim et al., arXiv 2101.01321) without the mean. Choices: int26 "
        "codes of scale 2^-10; eps joins the sum of squares; weights come with the multiplier behind it",
        function="rms_norm",
        extent=Extent.ROW,
        input_format=INPUT_FORMAT,
        output_format=OUTPUT_FORMAT,
        input_scale=INPUT_SCALE,
        output_scale=OUTPUT_SCALE,
        definition=lambda row: normalize(row, parameters),
        kernel=lambda rows: compute(rows, parameters),
        longest_row=1 << 16,
        signals=(
            Signal(name="sum of squares", bits=32, worst_case="31 bits as the shift leaves them, terms rounded down"),
            Signal(name="root", bits=16, worst_case="of 32 bits"),
            Signal(name="deviation of the row", bits=35, worst_case="root times 2^19 at the largest squares"),
            Signal(name="factor", bits=32, worst_case="2^31 / 1 in a row of zeros without eps; 0 beyond 2^31"),
            Signal(
                name="quotient",
                bits=32,
                worst_case="a sign and 2^30, or 1 in 64 more, where one value is all of the sum",
            ),
            Signal(name="product", bits=63, worst_case="that times a multiplier of 31 bits"),
            Signal(name="result", bits=20, worst_case="held at 128"),
        ),
        # Compare, sum of squares, rounding, clamp; the square, q factor, the multiplier.
        work=VectorWork(adds=5, multiplies=3, passes=3),
        load=load,
    )


UNIT = load(Parameters())
