"""The lowest and highest value of each row, and whether all values are finite, in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def row_ranges(rows: FloatArray) -> tuple[FloatArray, FloatArray, bool]:
    """Return the lowest and highest value of each row of ``(rows, n)``, and whether all values are finite.

    The ranges have no meaning where some are not; n is at least 1.
    """
    from simhw.ranges_kernel import write_ranges

    bits = np.ascontiguousarray(rows, np.float32).view(np.int32)
    lows, highs = np.empty(len(bits), np.int32), np.empty(len(bits), np.int32)
    finite = write_ranges(bits, lows, highs)
    return lows.view(np.float32), highs.view(np.float32), finite
