"""Sigmoid in float32: ``e = exp(-|x|)``, ``r = 1 / (1 + e)``, then r for x from 0 on and ``e * r`` below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, FloatArray, Signal, SpecialFunctionUnit
from simhw.sfu.exponential import CONSTANTS, exponential, fast_exponential


def sigmoid(x: np.float32) -> np.float32:
    """Return the sigmoid of one value."""
    e = exponential(-abs(x))
    inverse = np.float32(1) / (np.float32(1) + e)
    return e * inverse if x < 0 else inverse


def definition(row: Sequence[np.float32]) -> list[np.float32]:
    """Return the sigmoids of float32 values."""
    return [sigmoid(x) for x in row]


@kernel
def fast_sigmoid(x: Any, constants: FloatArray) -> Any:
    """Return ``sigmoid(x)``; constants are those of the exponential."""
    e = fast_exponential(-abs(x), constants)
    inverse = np.divide(np.float32(1), np.float32(1) + e)
    return e * inverse if x < 0 else inverse


@kernel
def _sigmoid(x: FloatArray, out: FloatArray, constants: FloatArray) -> None:
    for row in range(x.shape[0]):
        for i in range(x.shape[1]):
            out[row, i] = fast_sigmoid(x[row, i], constants)


def compute(rows: FloatArray) -> FloatArray:
    """Return the sigmoids of ``(rows, k)`` float32."""
    out = np.empty_like(rows)
    _sigmoid(rows, out, CONSTANTS)
    return out


UNIT = SpecialFunctionUnit(
    name="sigmoid_float",
    description="sigmoid in float32: exponential of -|x|, one division",
    source="the sigmoid's equation with the argument that cannot overflow; exponential of XNNPACK (exp_polynomial)",
    function="sigmoid",
    extent=Extent.ELEMENT,
    definition=definition,
    kernel=compute,
    signals=(
        Signal(name="exponential", bits=32, worst_case="float32, 0 to 1"),
        Signal(name="reciprocal", bits=32, worst_case="float32, 0.5 to 1"),
    ),
    # The exponential, 1 + e; the division, the product.
    work=VectorWork(adds=9, multiplies=12),
)
