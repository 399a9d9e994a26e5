"""Softmax in three passes: largest value, exponentials and their sum, scaling.

``y = exp(x - max) * (1 / sum)``. The exponential is the polynomial of :mod:`simhw.sfu.exponential`, zero from 2**-127
down. Element i goes to partial sum ``i % 64``; the 64 are then added in their order, beginning with the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit
from simhw.sfu.exponential import CONSTANTS, LIMIT, exp_pair, fast_pair, fast_power, power
from simhw.sfu.lanes import LANES, fast_joined, joined


def definition(row: Sequence[np.float32]) -> list[np.float32]:
    """Return the softmax of a row of float32."""
    if not all(x < np.inf for x in row):
        return [np.float32(np.nan)] * len(row)
    largest = max(max(row), -LIMIT)
    exponentials = []
    lanes = [np.float32(0)] * LANES
    for i, x in enumerate(row):
        m, n = exp_pair(max(x, -LIMIT) - largest)
        exponentials.append(m * power(n))
        lanes[i % LANES] += exponentials[-1]
    inverse = np.float32(1) / joined(lanes)
    return [e * inverse for e in exponentials]


@kernel
def _largest(x: FloatArray, tops: FloatArray) -> int:
    """Hold the largest value of each lane; return how many values are NaN or plus infinity."""
    undefined = 0
    for j in range(x.size):
        undefined += 0 if x[j] < np.inf else 1
        tops[j] = max(tops[j], x[j])
    return undefined


@kernel
def _exponentials(
    x: FloatArray, out: FloatArray, sums: FloatArray, constants: NDArray[np.float32], largest: Any, lowest: Any
) -> None:
    e, h, l, c1, c2, c3, c4, c5 = constants  # noqa: E741
    for j in range(x.size):
        m, n = fast_pair(max(x[j], lowest) - largest, e, h, l, c1, c2, c3, c4, c5)
        value = m * fast_power(n)
        out[j] = value
        sums[j] += value


@kernel
def _softmax(x: FloatArray, out: FloatArray, constants: NDArray[np.float32], lanes: int, lowest: Any) -> None:
    sums = np.empty(lanes, np.float32)
    for row in range(x.shape[0]):
        values, results, undefined = x[row], out[row], 0
        sums[:] = lowest
        for first in range(0, values.size, lanes):
            undefined += _largest(values[first : first + lanes], sums)
        largest = sums.max()
        sums[:] = np.float32(0)
        for first in range(0, values.size, lanes):
            last = first + lanes
            _exponentials(values[first:last], results[first:last], sums, constants, largest, lowest)
        inverse = np.float32(np.nan) if undefined else np.float32(1) / fast_joined(sums)
        for i in range(results.size):
            results[i] *= inverse


def compute(rows: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return the softmax of each row of ``(rows, k)``, in ``out`` where it is given."""
    out = np.empty_like(rows) if out is None else out
    _softmax(rows, out, CONSTANTS, LANES, -LIMIT)
    return out


UNIT = SpecialFunctionUnit(
    name="softmax_three_pass",
    description="softmax in float32, three passes: largest value, exponentials, scaling",
    source="M. Dukhan and A. Ablavatski, Two-pass softmax algorithm, arXiv 2001.04438, the three-pass algorithm that "
    "stores its exponentials; polynomial of XNNPACK. Choices: no fused multiply-add, 64 partial sums",
    function="softmax",
    extent=Extent.ROW,
    definition=definition,
    kernel=compute,
    signals=(
        Signal(name="exponential", bits=32, worst_case="float32, 0 to 1"),
        Signal(name="sum", bits=32, worst_case="float32, up to the row's length"),
    ),
    # Compare; subtract, round, 2 subtractions, degree 5, sum; 3 + 5 + 1 products; the scaling.
    work=VectorWork(adds=11, multiplies=10, passes=3),
)
