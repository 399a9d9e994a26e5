"""SiLU in float32: ``x * sigmoid(x)``, the sigmoid as in :mod:`simhw.sfu.sigmoid_float`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit
from simhw.sfu.exponential import CONSTANTS
from simhw.sfu.sigmoid_float import fast_sigmoid, sigmoid


def definition(row: Sequence[np.float32]) -> list[np.float32]:
    """Return the SiLU of float32 values."""
    return [x * sigmoid(x) for x in row]


@kernel
def _silu(x: FloatArray, out: FloatArray, constants: FloatArray) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            out[row, i] = x[row, i] * fast_sigmoid(x[row, i], constants)


def compute(rows: FloatArray) -> FloatArray:
    """Return the SiLU of ``(rows, k)`` float32."""
    out = np.empty_like(rows)
    _silu(rows, out, CONSTANTS)
    return out


UNIT = SpecialFunctionUnit(
    name="silu_float",
    description="SiLU in float32: x times the sigmoid by an exponential and a division",
    source="S. Elfwing et al., Sigmoid-weighted linear units, arXiv 1702.03118; exponential of exp_polynomial",
    function="silu",
    extent=Extent.ELEMENT,
    definition=definition,
    kernel=compute,
    signals=(
        Signal(name="exponential", bits=32, worst_case="float32, 0 to 1"),
        Signal(name="sigmoid", bits=32, worst_case="float32, 0 to 1"),
    ),
    # The sigmoid, and the product.
    work=VectorWork(adds=9, multiplies=13),
)
