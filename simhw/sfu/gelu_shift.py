"""ShiftGELU of I-ViT: ``x sigmoid(1.702 x)`` by integers and shifts, over a row.

The row's largest value, at least 0, is subtracted before the exponential.

``sigmoid = e**(x - max) / (e**(x - max) + e**-max)`` with the exponentials of :mod:`simhw.sfu.softmax_ivit` at scale
1.702 S and 23 halvings; ``factor = floor((2**31 - 1) / sum)``, ``sigmoid = floor(exp * factor / 2**24)`` in units of
2**-7; the result is x times it.
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
from simhw.sfu.softmax_ivit import fast_exponential, shift_exponential

SCALE = 2.0**-4
X0 = floor(-1 / (1.702 * SCALE))
STEPS = 23
OUTPUT_BITS = 8
DROP = 31 - OUTPUT_BITS + 1
MOST = (1 << 31) - 1


def definition(row: Sequence[int]) -> list[int]:
    """Return the ShiftGELU of a row of int16 codes."""
    largest = max(*row, 0)
    least = shift_exponential(-largest, X0, STEPS)
    results = []
    for x in row:
        e = shift_exponential(x - largest, X0, STEPS)
        factor = MOST // min(e + least, MOST)
        results.append(x * (e * factor >> DROP))
    return results


@kernel
def _gelu(x: NDArray[np.int32], out: NDArray[np.int32], x0: Any, steps: Any, drop: Any, most: Any) -> None:
    for row in range(x.shape[0]):
        largest = max(np.int64(x[row].max()), np.int64(0))
        least = fast_exponential(-largest, x0, steps)
        for i in range(x.shape[1]):
            e = fast_exponential(x[row, i] - largest, x0, steps)
            factor = most // min(e + least, most)
            out[row, i] = x[row, i] * (e * factor >> drop)


def compute(rows: NDArray[Any]) -> NDArray[Any]:
    """Return the codes of the ShiftGELU of each row of ``(rows, k)`` int32 codes."""
    out = np.empty_like(rows)
    _gelu(rows, out, np.int64(X0), np.int64(STEPS), np.int64(DROP), np.int64(MOST))
    return out


UNIT = SpecialFunctionUnit(
    name="gelu_shift",
    description="ShiftGELU of I-ViT: x sigmoid(1.702 x) by integers and shifts, 8-bit sigmoid",
    source="Z. Li and Q. Gu, I-ViT, arXiv 2207.01405, ShiftGELU. Choices: int16 codes of scale 2^-4; the largest value "
    "is at least 0, exponents are held at -23, so that no shift is negative and no exponential above 1; the sum "
    "saturates at 2^31 - 1. A row whose largest value passes 23 ln 2 / 1.702 = 9.4 loses e^-max to that limit",
    function="gelu",
    extent=Extent.ROW,
    input_format="int16",
    output_format="int23",
    input_scale=SCALE,
    output_scale=SCALE * 2.0 ** -(OUTPUT_BITS - 1),
    definition=definition,
    kernel=compute,
    signals=(
        Signal(name="difference", bits=17, worst_case="-32768 - 32767"),
        Signal(name="exponential", bits=27, worst_case="10 * 2^23 = 83,886,080 at 0"),
        Signal(name="sum", bits=28, worst_case="twice that, where the largest value is 0"),
        Signal(name="factor", bits=5, worst_case="(2^31 - 1) / (10 * 2^23 + 10) = 25"),
        Signal(name="sigmoid", bits=7, worst_case="25 * 10 * 2^23 / 2^24 = 125"),
        Signal(name="result", bits=23, worst_case="-32768 x 127, the widest sigmoid of 7 bits"),
    ),
    # Compare; difference, 2 for log2(e), clamp, r, - x0, sum; quotient by x0, factor, sigmoid, product.
    work=VectorWork(adds=8, multiplies=4, passes=2),
)
