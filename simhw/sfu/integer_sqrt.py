"""Integer square root of I-BERT: Newton's iteration from a power of two above the root, floor of the exact root.

``x = 2**ceil(bits(n) / 2)``, then ``x' = floor((x + floor(n / x)) / 2)`` until it no longer falls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, Signal, SpecialFunctionUnit


def root(n: int) -> int:
    """Return the floor of the square root of n; of a number below 1 it is 0.

    >>> root(99), root(100), root(-4)
    (9, 10, 0)
    """
    if n <= 0:
        return 0
    x = 1 << -(-n.bit_length() // 2)
    while (following := (x + n // x) // 2) < x:
        x = following
    return x


def definition(row: Sequence[int]) -> list[int]:
    """Return the roots of int32 codes."""
    return [root(n) for n in row]


@kernel
def fast_root(n: Any) -> Any:
    """Return ``root(n)`` of an int64 below 2**62."""
    if n <= 0:
        return np.int64(0)
    bits = np.int64(0)
    while n >> bits > 0:
        bits += 1
    x = np.int64(1) << (bits + 1) // 2
    following = (x + n // x) // 2
    while following < x:
        x = following
        following = (x + n // x) // 2
    return x


@kernel
def _roots(values: NDArray[np.int32], out: NDArray[np.int32]) -> None:
    for row in range(values.shape[0]):
        for i in range(values.shape[1]):
            out[row, i] = fast_root(np.int64(values[row, i]))


def compute(rows: NDArray[Any]) -> NDArray[Any]:
    """Return the roots of ``(rows, k)`` int32 codes."""
    out = np.empty_like(rows)
    _roots(rows, out)
    return out


UNIT = SpecialFunctionUnit(
    name="integer_sqrt",
    description="integer square root of I-BERT: Newton's iteration until it no longer falls",
    source="S. Kim et al., I-BERT, arXiv 2101.01321, integer-only square root. Choices: int32 codes of scale 2^-16, so "
    "the result's is 2^-8; 0 below 0",
    function="sqrt",
    extent=Extent.ELEMENT,
    input_format="int32",
    output_format="int17",
    input_scale=2.0**-16,
    output_scale=2.0**-8,
    definition=definition,
    kernel=compute,
    signals=(
        Signal(name="estimate", bits=17, worst_case="2^16, where n has 31 bits"),
        Signal(name="quotient", bits=16, worst_case="46,340 at the root of 2^31 - 1"),
        Signal(name="result", bits=16, worst_case="46,340, of 2^31 - 1"),
    ),
    # Five iterations, the most for 31 bits (counted in the tests): a sum, a comparison and a division each.
    work=VectorWork(adds=2 * 5, multiplies=5),
)
