"""exp in float32: a polynomial of degree 5 after argument reduction, scaled by a power of two in two exact steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit
from simhw.sfu.exponential import CONSTANTS, exponential, fast_exponential


def definition(row: Sequence[np.float32]) -> list[np.float32]:
    """Return the exponentials of float32 values."""
    return [exponential(x) for x in row]


@kernel
def _exp(x: FloatArray, out: FloatArray, constants: FloatArray) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            out[row, i] = fast_exponential(x[row, i], constants)


def compute(rows: FloatArray) -> FloatArray:
    """Return the exponentials of ``(rows, k)`` float32."""
    out = np.empty_like(rows)
    _exp(rows, out, CONSTANTS)
    return out


UNIT = SpecialFunctionUnit(
    name="exp_polynomial",
    description="exp in float32 by argument reduction and a polynomial of degree 5",
    source="polynomial of XNNPACK's f32-raddextexp, after M. Dukhan and A. Ablavatski, arXiv 2001.04438; the power of "
    "two is applied in two exact steps, so that subnormal results are rounded once",
    function="exp",
    extent=Extent.ELEMENT,
    definition=definition,
    kernel=compute,
    signals=(
        Signal(name="mantissa", bits=32, worst_case="float32, about 0.7 to 1.42"),
        Signal(name="exponent", bits=9, worst_case="held within -200 and 200"),
    ),
    # Round, 2 subtractions, degree 5; log2(e), 2 parts of ln 2, degree 5, 2 powers.
    work=VectorWork(adds=8, multiplies=10),
)
