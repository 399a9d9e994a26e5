"""Integer codes of rows that share a scale, in one pass: the same as ``clip(rint(x / scale) + zero)`` in fp32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

MOST_BITS = 16
"""Codes of more bits, shifted by a zero point, would leave the range in which adding the constant below rounds."""


@kernel
def integer_codes(
    values: NDArray[np.float32],
    scales: NDArray[np.float32],
    zeros: NDArray[np.int32],
    lowest: int,
    highest: int,
    codes: NDArray[Any],
    mask: int,
) -> None:
    """Write the two's complement codes of ``(rows, n)`` finite values with one scale and zero point per row.

    A value is clamped before it is rounded: the bounds are integers, so that both orders give the same code.
    """
    # 1.5 * 2**23: adding it rounds to an integer, ties to even, which then stands in the low bits.
    magic = np.float32(12582912.0)
    kept = np.uint32(mask)
    for row in range(values.shape[0]):
        scale = scales[row]
        zero = np.uint32(zeros[row])
        low = np.float32(lowest - zeros[row])
        high = np.float32(highest - zeros[row])
        for i in range(values.shape[1]):
            ratio = min(max(np.float32(values[row, i] / scale), low), high)
            codes[row, i] = np.uint32(np.uint32(np.float32(ratio + magic).view(np.uint32) + zero) & kept)
