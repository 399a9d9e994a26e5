"""Ranges of rows of float32, given and returned as bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

INFINITY_BITS = 0x7F800000


@kernel
def write_ranges(bits: NDArray[np.int32], lows: NDArray[np.int32], highs: NDArray[np.int32]) -> bool:
    """Write the lowest and highest float32 of each row, all given as bits; return whether all values are finite.

    Bits of float32 ordered as integers (negative ones with their magnitude flipped) have reductions that LLVM may
    vectorise; floats do not, because of NaN.
    """
    largest = np.int32(0)
    for row in range(bits.shape[0]):
        low = np.int32(0x7FFFFFFF)
        high = np.int32(-0x80000000)
        for i in range(bits.shape[1]):
            magnitude = np.int32(bits[row, i] & np.int32(0x7FFFFFFF))
            ordered = np.int32(bits[row, i] ^ np.int32((bits[row, i] >> np.int32(31)) & np.int32(0x7FFFFFFF)))
            low = min(low, ordered)
            high = max(high, ordered)
            largest = max(largest, magnitude)
        lows[row] = low ^ ((low >> np.int32(31)) & np.int32(0x7FFFFFFF))
        highs[row] = high ^ ((high >> np.int32(31)) & np.int32(0x7FFFFFFF))
    return bool(largest < np.int32(INFINITY_BITS))
