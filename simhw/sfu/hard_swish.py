"""Hard swish in float32: ``(x * min(max(x + 3, 0), 6)) * (1 / 6)``, every operation rounded, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit

SIXTH = np.float32(1 / 6)


def definition(row: Sequence[np.float32]) -> list[np.float32]:
    """Return the hard swish of float32 values."""
    zero, three, six = np.float32(0), np.float32(3), np.float32(6)
    return [x if x != x else (x * min(max(x + three, zero), six)) * SIXTH for x in row]


@kernel
def _hard_swish(x: FloatArray, out: FloatArray, zero: Any, three: Any, six: Any, sixth: Any) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            value = x[row, i]
            out[row, i] = value if np.isnan(value) else (value * min(max(value + three, zero), six)) * sixth


def compute(rows: FloatArray) -> FloatArray:
    """Return the hard swish of ``(rows, k)`` float32."""
    out = np.empty_like(rows)
    _hard_swish(rows, out, np.float32(0), np.float32(3), np.float32(6), SIXTH)
    return out


UNIT = SpecialFunctionUnit(
    name="hard_swish",
    description="hard swish in float32: two clamps and two products",
    source="A. Howard et al., Searching for MobileNetV3, arXiv 1905.02244, section 5.2",
    function="hardswish",
    extent=Extent.ELEMENT,
    definition=definition,
    kernel=compute,
    signals=(Signal(name="gate", bits=32, worst_case="float32, 0 to 6"),),
    work=VectorWork(adds=3, multiplies=2),
)
