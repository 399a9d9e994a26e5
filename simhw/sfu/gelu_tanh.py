"""GELU in float32 by its tanh approximation: ``(0.5 x) * (1 + tanh(c * (x + ((k x) x) x)))``, in this order.

``c = sqrt(2 / pi)``, ``k = 0.044715``; tanh as in :mod:`simhw.sfu.tangent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit
from simhw.sfu.tangent import NEAR, TANGENT, fast_tangent, tangent

ROOT = np.float32(np.sqrt(2 / np.pi))
CUBIC = np.float32(0.044715)
HALF, ONE = np.float32(0.5), np.float32(1)


def definition(row: Sequence[np.float32]) -> list[np.float32]:
    """Return the GELU of float32 values."""
    return [(HALF * x) * (ONE + tangent(ROOT * (x + ((CUBIC * x) * x) * x))) for x in row]


@kernel
def _gelu(x: FloatArray, out: FloatArray, constants: FloatArray, near: Any, root: Any, cubic: Any) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            v = x[row, i]
            inner = root * (v + ((cubic * v) * v) * v)
            out[row, i] = (np.float32(0.5) * v) * (np.float32(1) + fast_tangent(inner, constants, near))


def compute(rows: FloatArray) -> FloatArray:
    """Return the GELU of ``(rows, k)`` float32."""
    out = np.empty_like(rows)
    _gelu(rows, out, TANGENT, NEAR, ROOT, CUBIC)
    return out


UNIT = SpecialFunctionUnit(
    name="gelu_tanh",
    description="GELU in float32 by the tanh approximation",
    source="D. Hendrycks and K. Gimpel, Gaussian error linear units, arXiv 1606.08415, section 2; tanh of tanh_float",
    function="gelu",
    extent=Extent.ELEMENT,
    definition=definition,
    kernel=compute,
    signals=(
        Signal(name="cube", bits=32, worst_case="float32, infinite beyond 2^44"),
        Signal(name="tanh", bits=32, worst_case="float32, -1 to 1"),
    ),
    # tanh, 2 sums; 3 for the cube, c, 0.5 x, the product.
    work=VectorWork(adds=12, multiplies=19),
)
