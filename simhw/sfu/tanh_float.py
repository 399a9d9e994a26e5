"""tanh in float32: a polynomial below 0.625, an exponential and a division from there on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit
from simhw.sfu.tangent import NEAR, TANGENT, fast_tangent, tangent


def definition(row: Sequence[np.float32]) -> list[np.float32]:
    """Return the tanh of float32 values."""
    return [tangent(x) for x in row]


@kernel
def _tanh(x: FloatArray, out: FloatArray, constants: FloatArray, near: Any) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            out[row, i] = fast_tangent(x[row, i], constants, near)


def compute(rows: FloatArray) -> FloatArray:
    """Return the tanh of ``(rows, k)`` float32."""
    out = np.empty_like(rows)
    _tanh(rows, out, TANGENT, NEAR)
    return out


UNIT = SpecialFunctionUnit(
    name="tanh_float",
    description="tanh in float32: a polynomial near 0, an exponential and a division elsewhere",
    source="S. L. Moshier, Cephes Mathematical Library, tanhf.c, with the exponential of XNNPACK (exp_polynomial)",
    function="tanh",
    extent=Extent.ELEMENT,
    definition=definition,
    kernel=compute,
    signals=(
        Signal(name="exponential", bits=32, worst_case="float32, 0 to exp(-1.25)"),
        Signal(name="polynomial", bits=32, worst_case="float32, -1/3 at 0"),
    ),
    # The exponential, 1 + e, 1 - q; 2 |x|, 2 e, the division.
    work=VectorWork(adds=10, multiplies=13),
)
