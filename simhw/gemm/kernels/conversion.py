"""Operands and results between floats and the integers that kernels sum, one pass each; arrays are flat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel


@kernel
def to_integers(values: NDArray[Any], scale: Any, out: NDArray[Any]) -> None:
    """Set ``out`` to whole numbers ``values * scale``, which its type holds."""
    for i in range(out.shape[0]):
        out[i] = np.int32(values[i] * scale)


@kernel
def to_words(values: NDArray[Any], scale: Any, repeated: int, out: NDArray[np.uint32]) -> bool:
    """Set ``out`` to the 16 bits of whole numbers ``values * scale``, times ``repeated`` (0x10001: in both halves).

    Return whether a number does not fit them.
    """
    factor = np.uint32(repeated)
    beyond = np.int32(0)
    for i in range(out.shape[0]):
        number = np.int32(values[i] * scale)
        low = np.int32(np.int32(number << np.int32(16)) >> np.int32(16))
        beyond = np.int32(beyond | np.int32(low ^ number))
        out[i] = np.uint32(np.uint32(np.uint32(number) & np.uint32(0xFFFF)) * factor)
    return beyond != 0


@kernel
def from_upper_bits(sums: NDArray[np.int32], shift: int, unit: Any, out: NDArray[Any]) -> int:
    """Set ``out`` to ``sums`` without their lowest ``shift`` bits, times ``unit``; return how often those are not 1."""
    low, mask = np.int32(shift), np.int32((1 << shift) - 1)
    others = np.int32(0)
    for i in range(out.shape[0]):
        held = np.int32(sums[i])
        others = np.int32(others + np.int32(np.int32(held & mask) != np.int32(1)))
        out[i] = np.int32(held >> low) * unit
    return np.int64(others)


@kernel
def flip_bytes(values: NDArray[np.uint8], mask: int, out: NDArray[np.uint8]) -> None:
    """Set the first columns of ``out`` (rows, k or more) to ``values`` (rows, k) with the bits of ``mask`` flipped."""
    flipped = np.uint8(mask)
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            out[i, k] = values[i, k] ^ flipped
