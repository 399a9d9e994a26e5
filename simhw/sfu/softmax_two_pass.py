"""Softmax in two passes: exponentials as mantissa and exponent, so that no pass for the largest value is needed.

Pass 1 sums (m, n) pairs: ``n' = max(n_s, n)``, ``m' = m_s * 2**(n_s - n') + m * 2**(n - n')``. Pass 2 computes the
pairs again: ``y = (m * (1 / m_s)) * 2**(n - n_s)``. Element i goes to partial sum ``i % 64``; the 64 are then
joined in their order, beginning with the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit
from simhw.sfu.exponential import CONSTANTS, exp_pair, fast_pair, fast_power, power
from simhw.sfu.lanes import LANES

START = -(2**24)
"""Exponent of an empty sum: below every other, and exact in float32."""

Pair = tuple[np.float32, int]


def definition(row: Sequence[np.float32]) -> list[np.float32]:
    """Return the softmax of a row of float32."""
    if not all(x < np.inf for x in row):
        return [np.float32(np.nan)] * len(row)
    lanes: list[Pair] = [(np.float32(0), START)] * LANES
    for i, x in enumerate(row):
        lanes[i % LANES] = _join(lanes[i % LANES], exp_pair(x))
    total = lanes[0]
    for lane in lanes[1:]:
        total = _join(total, lane)
    inverse = np.float32(1) / total[0]
    return [(m * inverse) * power(n - total[1]) for m, n in map(exp_pair, row)]


def _join(a: Pair, b: Pair) -> Pair:
    n = max(a[1], b[1])
    return a[0] * power(a[1] - n) + b[0] * power(b[1] - n), n


@kernel
def _join_block(x: FloatArray, mantissa: FloatArray, exponent: FloatArray, constants: NDArray[np.float32]) -> int:
    """Join one value to each partial sum; return how many of them are NaN or plus infinity."""
    e, h, l, c1, c2, c3, c4, c5 = constants  # noqa: E741
    undefined = 0
    for j in range(x.size):
        value = x[j]
        undefined += 0 if value < np.inf else 1
        m, n = fast_pair(value, e, h, l, c1, c2, c3, c4, c5)
        top = max(exponent[j], n)
        mantissa[j] = mantissa[j] * fast_power(exponent[j] - top) + m * fast_power(n - top)
        exponent[j] = top
    return undefined


@kernel
def _scale(x: FloatArray, out: FloatArray, constants: NDArray[np.float32], inverse: Any, exponent: Any) -> None:
    e, h, l, c1, c2, c3, c4, c5 = constants  # noqa: E741
    for i in range(x.size):
        m, n = fast_pair(x[i], e, h, l, c1, c2, c3, c4, c5)
        out[i] = (m * inverse) * fast_power(n - exponent)


@kernel
def _softmax(x: FloatArray, out: FloatArray, constants: NDArray[np.float32], lanes: int, start: Any) -> None:
    mantissa, exponent = np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    for row in range(x.shape[0]):
        mantissa[:], exponent[:] = np.float32(0), start
        values, undefined = x[row], 0
        for first in range(0, values.size, lanes):
            block = values[first : first + lanes]
            undefined += _join_block(block, mantissa, exponent, constants)
        m_sum, n_sum = mantissa[0], exponent[0]
        for j in range(1, lanes):
            top = max(n_sum, exponent[j])
            m_sum = m_sum * fast_power(n_sum - top) + mantissa[j] * fast_power(exponent[j] - top)
            n_sum = top
        inverse = np.float32(np.nan) if undefined else np.float32(1) / m_sum
        _scale(values, out[row], constants, inverse, n_sum)


def compute(rows: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return the softmax of each row of ``(rows, k)``, in ``out`` where it is given."""
    out = np.empty_like(rows) if out is None else out
    _softmax(rows, out, CONSTANTS, LANES, np.float32(START))
    return out


UNIT = SpecialFunctionUnit(
    name="softmax_two_pass",
    description="softmax in float32, two passes over (mantissa, exponent) pairs",
    source="M. Dukhan and A. Ablavatski, Two-pass softmax algorithm, arXiv 2001.04438; polynomial of XNNPACK's "
    "f32-raddextexp. Choices: no fused multiply-add, 64 partial sums",
    function="softmax",
    extent=Extent.ROW,
    definition=definition,
    kernel=compute,
    signals=(
        Signal(name="mantissa", bits=32, worst_case="float32, 0.7 to 1.42"),
        Signal(name="exponent", bits=24, worst_case="scores at the limit 2^22 have n = +-6,051,102"),
        Signal(name="sum", bits=56, worst_case="float32 mantissa, up to 1.42 times the row's length, and exponent"),
    ),
    # Twice: argument reduction (round, 2 subtractions; 3 products), degree 5. Pass 1: compare, 2 differences, add;
    # 2 products. Pass 2: difference; 2 products.
    work=VectorWork(adds=2 * 8 + 5, multiplies=2 * 8 + 4, passes=2),
)
