"""Saturating registers in the upper bits of the processor's own saturating integers.

A register value v with r < 2**s below it is ``v * 2**s + r``. The upper bound of the integer is that of v with all of r
set, the lower one that of v with none, and adding a product times 2**s leaves r alone: v clamps exactly where the
integer does, and is what remains of it without the lowest s bits.

With two bits to spare r starts as one. It then is what it was exactly where nothing has clamped: both bounds leave
another one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Saturate
from simhw.gemm.extent import Extent
from simhw.gemm.integer_sums import FLOAT32_INTEGERS, addend_in_units
from simhw.gemm.operand import Values
from simhw.gemm.plan import Sums
from simhw.gemm.scratch import Scratch
from simhw.gemm.tiles import over_tiles

INT16_BITS, INT32_BITS = 16, 32
SPARE = 2
"""Bits below the register with which clamped sums can be told."""


def why(bits: int, of: int) -> str:
    """Return the proof for a register of ``bits`` bits, as plans state it."""
    return (
        f"in the upper {bits} of {of} bits the register saturates where {of}-bit integers do, the bits "
        "below only tell which bound was hit last; products fit, k in order"
    )


def word_shifts(bits: int, a: Extent, b: Extent) -> tuple[int, int] | None:
    """Return shifts of the operands that bring products into the upper bits of a word, None where 16 bits are short.

    A magnitude of 2**15 after the shift is taken for -2**15.
    """
    from simhw.gemm.kernels.dots import has_dot_products

    shift = INT32_BITS - bits
    room = [INT16_BITS - 1 - max(extent.largest - 1, 0).bit_length() for extent in (a, b)]
    if shift < 0 or min(room) < 0 or sum(room) < shift or not has_dot_products():
        return None
    return min(room[0], shift), shift - min(room[0], shift)


def sum_in_16(
    accumulator: Saturate, a: Values, b: Values, extents: tuple[Extent, Extent], c: NDArray[np.float32] | None
) -> tuple[Sums, int]:
    """Return the sums of a register of up to 16 bits, and how many were clamped if there are bits to spare."""
    from simhw.gemm.kernels.conversion import to_integers
    from simhw.gemm.kernels.saturate_integers import saturate_int16

    shift = INT16_BITS - accumulator.bits
    sums, outside = _start(accumulator, (a.shape[0], a.shape[1], b.shape[1]), extents, c, shift, np.int16)
    with Scratch() as take:
        x, _ = _low_halves(a, extents[0], shift, take, repeated=0x10001)
        y = take(b.shape, np.int16)
        to_integers(np.ascontiguousarray(b).reshape(-1), b.dtype.type(2.0 ** -extents[1].unit), y.reshape(-1))
        over_tiles(saturate_int16, x, y, sums)
    return _finish(sums, shift, extents, outside, np.float32)


def sum_in_32(
    accumulator: Saturate, a: Values, b: Values, extents: tuple[Extent, Extent], c: NDArray[np.float32] | None
) -> tuple[Sums, int] | None:
    """Do the same for up to 32 bits; None where :func:`word_shifts` has no answer, or a value is +2**15 after all."""
    from simhw.gemm.kernels.saturate_integers import saturate_int32

    shifts = word_shifts(accumulator.bits, *extents)
    if shifts is None:
        return None
    shift = INT32_BITS - accumulator.bits
    sums, outside = _start(accumulator, (a.shape[0], a.shape[1], b.shape[1]), extents, c, shift, np.int32)
    with Scratch() as take:
        (x, x_fits), (y, y_fits) = (
            _low_halves(v, e, own, take) for v, e, own in zip((a, b), extents, shifts, strict=True)
        )
        if not (x_fits and y_fits):
            return None
        over_tiles(saturate_int32, x, y, sums)
    kind = np.float32 if accumulator.bits <= FLOAT32_INTEGERS + 1 else np.float64
    return _finish(sums, shift, extents, outside, kind)


def _low_halves(
    values: Values, extent: Extent, shift: int, take: Scratch, repeated: int = 1
) -> tuple[NDArray[np.uint32], bool]:
    """Return values in units, shifted, as lower halves of words or as both (``repeated`` 0x10001); whether they fit."""
    from simhw.gemm.kernels.conversion import to_words

    out = take(values.shape, np.uint32)
    scale = values.dtype.type(2.0 ** (shift - extent.unit))
    beyond = to_words(np.ascontiguousarray(values).reshape(-1), scale, repeated, out.reshape(-1))
    return out, not beyond


def _start(
    accumulator: Saturate,
    shape: tuple[int, int, int],
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
    shift: int,
    kind: type[np.int16] | type[np.int32],
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return what registers hold at the start, and where an addend was clamped to get in."""
    spare = int(shift >= SPARE)
    if c is None:
        return np.full(shape, spare, kind), None
    half = 1 << (accumulator.bits - 1)
    given = addend_in_units(c, shape, extents)
    held = np.clip(given, -half, half - 1)
    return ((held << shift) + spare).astype(kind), given != held


def _finish(
    sums: NDArray[Any],
    shift: int,
    extents: tuple[Extent, Extent],
    outside: NDArray[np.bool_] | None,
    kind: type[np.float32] | type[np.float64],
) -> tuple[NDArray[Any], int]:
    """Return the registers' values, and how many clamped (of use with bits to spare only)."""
    from simhw.gemm.kernels.conversion import from_upper_bits

    out = np.empty(sums.shape, kind)
    unit = kind(2.0 ** (extents[0].unit + extents[1].unit))
    clamped = from_upper_bits(sums.reshape(-1), shift, unit, out.reshape(-1))
    if outside is not None and outside.any():
        clamped = int(np.count_nonzero(outside | ((sums & _low_bits(sums, shift)) != 1)))
    return out, int(clamped)


def _low_bits(sums: NDArray[Any], shift: int) -> Any:
    """Return a mask of the lowest ``shift`` bits, of the sums' type."""
    return sums.dtype.type((1 << shift) - 1)
