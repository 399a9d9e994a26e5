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
def to_words(values: NDArray[Any], scale: Any, repeated: int, out: NDArray[np.uint32]) -> None:
    """Set ``out`` to the 16 bits of whole numbers ``values * scale``, times ``repeated`` (0x10001: in both halves)."""
    factor = np.uint32(repeated)
    for i in range(out.shape[0]):
        out[i] = np.uint32(np.uint32(np.int32(values[i] * scale)) & np.uint32(0xFFFF)) * factor


@kernel
def from_upper_bits(sums: NDArray[np.int32], shift: int, unit: Any, out: NDArray[Any]) -> None:
    """Set ``out`` to ``sums`` without their lowest ``shift`` bits, times ``unit``."""
    low = np.int32(shift)
    for i in range(out.shape[0]):
        out[i] = np.int32(np.int32(sums[i]) >> low) * unit


@kernel
def flip_bytes(values: NDArray[np.uint8], mask: int, out: NDArray[np.uint8]) -> None:
    """Set the first columns of ``out`` (rows, k or more) to ``values`` (rows, k) with the bits of ``mask`` flipped."""
    flipped = np.uint8(mask)
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            out[i, k] = values[i, k] ^ flipped
