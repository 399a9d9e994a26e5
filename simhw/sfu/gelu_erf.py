"""GELU in float32 by the error function: ``x (1 - h)`` from 0 on, ``x h`` below, with ``h = 0.5 erfc(|x| / sqrt(2))``.

``erfc(z) = (a1 t + a2 t**2 + ... + a5 t**5) exp(-z**2)``, ``t = 1 / (1 + 0.3275911 z)``: Abramowitz and Stegun,
7.1.26, with an error of 1.5e-7. Every operation is rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit
from simhw.sfu.exponential import CONSTANTS, exponential, fast_exponential

POLYNOMIAL: NDArray[np.float32] = np.array(
    [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592], np.float32
)
"""a5 to a1."""
P = np.float32(0.3275911)
ROOT = np.float32(np.sqrt(0.5))
HALF, ONE = np.float32(0.5), np.float32(1)
GELU: NDArray[np.float32] = np.concatenate([POLYNOMIAL, CONSTANTS])


def half_erfc(x: np.float32) -> np.float32:
    """Return ``0.5 erfc(|x| / sqrt(2))``."""
    z = abs(x) * ROOT
    t = ONE / (ONE + P * z)
    p = POLYNOMIAL[0]
    for a in POLYNOMIAL[1:]:
        p = p * t + a
    return np.float32((HALF * (p * t)) * exponential(-(z * z)))


def definition(row: Sequence[np.float32]) -> list[np.float32]:
    """Return the GELU of float32 values."""
    return [x * (half_erfc(x) if x < 0 else ONE - half_erfc(x)) for x in row]


@kernel
def _gelu(x: FloatArray, out: FloatArray, constants: FloatArray, scale: Any, root: Any) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            v = x[row, i]
            z = abs(v) * root
            t = np.divide(np.float32(1), np.float32(1) + scale * z)
            p = constants[0]
            for j in range(1, 5):
                p = p * t + constants[j]
            h = (np.float32(0.5) * (p * t)) * fast_exponential(-(z * z), constants[5:])
            out[row, i] = v * (h if v < 0 else np.float32(1) - h)


def compute(rows: FloatArray) -> FloatArray:
    """Return the GELU of ``(rows, k)`` float32."""
    out = np.empty_like(rows)
    _gelu(rows, out, GELU, P, ROOT)
    return out


UNIT = SpecialFunctionUnit(
    name="gelu_erf",
    description="GELU in float32 by the error function: a polynomial of degree 5 and an exponential",
    source="D. Hendrycks and K. Gimpel, Gaussian error linear units, arXiv 1606.08415; erfc of M. Abramowitz and "
    "I. Stegun, Handbook of mathematical functions, 7.1.26; exponential of XNNPACK (exp_polynomial)",
    function="gelu",
    extent=Extent.ELEMENT,
    definition=definition,
    kernel=compute,
    signals=(
        Signal(name="reciprocal", bits=32, worst_case="float32, 0 to 1"),
        Signal(name="exponential", bits=32, worst_case="float32, 0 to 1"),
        Signal(name="half of erfc", bits=32, worst_case="float32, 0 to 0.5"),
    ),
    # The exponential, 1 + p z, degree 4, 1 - h; root, p z, the division, degree 5, half, z z, 2 products.
    work=VectorWork(adds=14, multiplies=22),
)
