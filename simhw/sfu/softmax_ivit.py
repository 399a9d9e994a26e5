"""Shiftmax of I-ViT: integers and shifts, 2**x by a line between powers, an 8-bit result.

``x log2(e)`` is taken as ``x + floor(x / 2) - floor(x / 16)``; ``x0 = floor(-1 / S)``, ``z = floor(x / x0)``,
``r = x - z x0``, ``exp = (floor(r / 2) - x0) * 2**(15 - z)``; ``factor = floor((2**31 - 1) / sum)``;
``y = floor(exp * factor / 2**24)`` in units of 2**-7.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, Signal, SpecialFunctionUnit

SCALE = 2.0**-4
X0 = floor(-1 / SCALE)
STEPS = 15
OUTPUT_BITS = 8


def shift_exponential(x: int, x0: int, steps: int) -> int:
    """Return ``exp(x / -x0)`` for x up to 0, in units of ``2**-steps / -x0``."""
    x = max(x + (x >> 1) - (x >> 4), steps * x0)
    z = x // x0
    r = x - z * x0
    return max(((r >> 1) - x0) << steps - z, 0)


def definition(row: Sequence[int]) -> list[int]:
    """Return the softmax of a row of int16 codes, in units of 2**-7."""
    largest = max(row)
    exponentials = [shift_exponential(x - largest, X0, STEPS) for x in row]
    factor = ((1 << 31) - 1) // min(sum(exponentials), (1 << 31) - 1)
    return [(e * factor) >> 31 - OUTPUT_BITS + 1 for e in exponentials]


@kernel
def fast_exponential(x: Any, x0: Any, steps: Any) -> Any:
    """Return ``shift_exponential`` in int64."""
    x = max(x + (x >> 1) - (x >> 4), steps * x0)
    z = x // x0
    r = x - z * x0
    return max(((r >> 1) - x0) << (steps - z), 0)


@kernel
def _softmax(x: NDArray[np.int32], out: NDArray[np.int32], x0: Any, steps: Any, drop: Any) -> None:
    most = (np.int64(1) << 31) - 1
    for row in range(x.shape[0]):
        largest = np.int64(x[row].max())
        total = np.int64(0)
        for i in range(x.shape[1]):
            e = fast_exponential(x[row, i] - largest, x0, steps)
            out[row, i] = e
            total += e
        factor = most // min(total, most)
        for i in range(x.shape[1]):
            out[row, i] = (out[row, i] * factor) >> drop


def compute(rows: NDArray[Any]) -> NDArray[Any]:
    """Return the codes of the softmax of each row of ``(rows, k)`` int32 codes."""
    out = np.empty_like(rows)
    _softmax(rows, out, np.int64(X0), np.int64(STEPS), np.int64(31 - OUTPUT_BITS + 1))
    return out


UNIT = SpecialFunctionUnit(
    name="softmax_ivit",
    description="Shiftmax of I-ViT: integers and shifts, 2^x by a line between powers, 8-bit result",
    source="Z. Li and Q. Gu, I-ViT, arXiv 2207.01405, Shiftmax. Choices: int16 codes of scale 2^-4; exponents held at "
    "-15, so that no shift is negative; the sum saturates at 2^31 - 1",
    function="softmax",
    extent=Extent.ROW,
    input_format="int16",
    output_format="int8",
    input_scale=SCALE,
    output_scale=2.0 ** -(OUTPUT_BITS - 1),
    definition=definition,
    kernel=compute,
    longest_row=1 << 12,
    signals=(
        Signal(name="difference", bits=17, worst_case="-32768 - 32767"),
        Signal(name="difference by log2(e)", bits=18, worst_case="-65,535 - 32,768 + 4,096 = -94,207"),
        Signal(name="exponential", bits=20, worst_case="16 * 2^15 = 2^19 at 0"),
        Signal(name="sum", bits=31, worst_case="4,096 times 2^19 saturates at 2^31 - 1"),
        Signal(name="factor", bits=12, worst_case="(2^31 - 1) / 2^19 = 4,095, one element in the row"),
        Signal(name="result", bits=7, worst_case="127, where one exponential is nearly the whole sum"),
    ),
    # Compare; difference, 2 for log2(e), clamp, r, - x0, sum; quotient by shift (a choice of x0), the factor.
    work=VectorWork(adds=8, multiplies=1, passes=3),
)
