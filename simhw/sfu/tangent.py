"""tanh in float32: a polynomial near 0, elsewhere ``1 - 2 e / (1 + e)`` with ``e = exp(-2 |x|)`` and the sign of x.

The polynomial of degree 9 below 0.625 is that of S. L. Moshier's Cephes library, tanhf.c. Every operation is rounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel
from simhw.sfu.base import FloatArray
from simhw.sfu.exponential import CONSTANTS, exponential, fast_exponential

NEAR = np.float32(0.625)
POLYNOMIAL: NDArray[np.float32] = np.array(
    [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1], np.float32
)
TANGENT: NDArray[np.float32] = np.concatenate([POLYNOMIAL, CONSTANTS])
"""All constants of the kernel."""


def tangent(x: np.float32) -> np.float32:
    """Return ``tanh(x)``."""
    if abs(x) < NEAR:
        z = x * x
        p = POLYNOMIAL[0]
        for c in POLYNOMIAL[1:]:
            p = p * z + c
        return np.float32(x + x * (z * p))
    e = exponential(np.float32(-2) * abs(x))
    far = np.float32(1) - (np.float32(2) * e) / (np.float32(1) + e)
    return -far if x < 0 else far


@kernel
def fast_tangent(x: Any, constants: FloatArray, near: Any) -> Any:
    """Return ``tangent(x)``; constants are ``TANGENT``, near is ``NEAR``."""
    if abs(x) < near:
        z = x * x
        p = constants[0]
        for i in range(1, 5):
            p = p * z + constants[i]
        return x + x * (z * p)
    e = fast_exponential(np.float32(-2) * abs(x), constants[5:])
    far = np.float32(1) - np.divide(np.float32(2) * e, np.float32(1) + e)
    return -far if x < 0 else far
