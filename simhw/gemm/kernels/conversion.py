"""Operands and results between floats and the integers that kernels sum, one pass each; arrays are flat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel


@kernel
def to_integers(values: NDArray[np.float32], scale: float, out: NDArray[np.int16]) -> None:
    """Set ``out`` to whole numbers ``values * scale``, which its type holds."""
    for i in range(out.shape[0]):
        out[i] = np.int32(values[i] * scale)


@kernel
def to_words(values: NDArray[np.float32], scale: float, repeated: int, out: NDArray[np.uint32]) -> None:
    """Set ``out`` to the 16 bits of whole numbers ``values * scale``, times ``repeated`` (1; 0x10001: in both halves)."""
    factor = np.uint32(repeated)
    for i in range(out.shape[0]):
        out[i] = np.uint32(np.uint32(np.int32(values[i] * scale)) & np.uint32(0xFFFF)) * factor


@kernel
def from_upper_bits(sums: NDArray[np.int32], shift: int, unit: float, out: NDArray[np.float32]) -> None:
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


@kernel
def offset_sums(words: NDArray[np.int32], offset: int, size: int, out: NDArray[np.int32]) -> None:
    """Set ``out`` (slivers, groups, width) to ``offset`` times the sums of the bytes of groups of ``size`` words of k.

    ``words`` (slivers, k, width) hold four signed bytes each.
    """
    slivers, depth, width = words.shape
    factor = np.int32(offset)
    for sliver in range(slivers):
        for group in range(out.shape[1]):
            _zero(out[sliver, group])
            for k in range(group * size, min(group * size + size, depth)):
                _add_bytes(words[sliver, k], factor, out[sliver, group])


@kernel
def _zero(out: NDArray[np.int32]) -> None:
    for j in range(out.shape[0]):
        out[j] = 0


@kernel
def _add_bytes(words: NDArray[np.int32], factor: int, out: NDArray[np.int32]) -> None:
    for j in range(out.shape[0]):
        word = words[j]
        low = np.int32(
            np.int32(np.int32(word << np.int32(24)) >> np.int32(24))
            + np.int32(np.int32(word << np.int32(16)) >> np.int32(24))
        )
        high = np.int32(np.int32(np.int32(word << np.int32(8)) >> np.int32(24)) + np.int32(word >> np.int32(24)))
        out[j] = np.int32(out[j] + np.int32(np.int32(low + high) * factor))


@kernel
def look_up_bytes(
    codes: NDArray[np.uint8], table: NDArray[np.int8], zeros: NDArray[np.int8], size: int, out: NDArray[np.int8]
) -> None:
    """Set ``out`` (rows, k) to ``table[codes]`` less the zero point of each group of ``size``: (rows, groups)."""
    depth = codes.shape[1]
    for i in range(codes.shape[0]):
        for group in range(zeros.shape[1]):
            zero = zeros[i, group]
            for k in range(group * size, min(group * size + size, depth)):
                out[i, k] = np.int8(table[codes[i, k]] - zero)


@kernel
def fill_rows(slivers: NDArray[np.int32], out: NDArray[np.int32]) -> None:
    """Set every row of ``out`` (m, n) to a row that is cut into ``slivers`` (slivers, width), the last one longer."""
    for i in range(out.shape[0]):
        for sliver in range(slivers.shape[0]):
            first = sliver * slivers.shape[1]
            _copy(slivers[sliver], out[i, first : first + slivers.shape[1]])


@kernel
def _copy(source: NDArray[np.int32], out: NDArray[np.int32]) -> None:
    for j in range(out.shape[0]):
        out[j] = source[j]
