"""Products of small integers by the processor's own int8 dot-product instructions, or by ``torch._int_mm``.

On processors without such instructions the library may saturate 16-bit pair sums. Whether it is exact here is
therefore tested once per process, with the operands that would show it; where it is not, this path is never taken.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from simhw.formats import ElementFormat, IntegerFormat, decode, get_element_format
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Operand, Values
from simhw.gemm.scratch import Scratch
from simhw.gemm.tiles import over_packed_tiles, over_scaled_tiles, slivers

INT8 = "int8_dot"
"""int8 x int8 into int32: Numba with VNNI instructions, else torch."""
INT8_GROUPS = "int8_groups"
"""Numba: int8 x int8 into int32 with VNNI instructions, each group's sum scaled and added at once."""
WORD = 4
"""Bytes that one instruction multiplies per word."""
LEAST_WORK = 1 << 22
"""Multiply-accumulates of one matrix below which a call costs more than it saves."""
SHORTEST = 16
"""k below which BLAS in fp32 is as fast, for one group."""
LARGEST = 127

Int8 = NDArray[np.int8]


def small_integers(operand: Operand) -> tuple[Int8, Extent] | None:
    """Return ``decode(codes) - zero point`` in units of the least significant bit, where any code gives an int8."""
    found = _table(operand.format)
    if found is None:
        return None
    table, largest, unit = found
    zero = 0 if operand.zero_point is None else int(np.abs(operand.zero_point).max())
    if largest + zero > LARGEST + (zero == 0):
        return None
    return _look_up(operand, table), Extent(unit=unit, largest=largest + zero)


def _look_up(operand: Operand, table: Int8) -> Int8:
    from simhw.gemm.kernels.look_up import look_up_bytes, shuffle_bytes, shuffled_bits

    if operand.format == "int8" and operand.zero_point is None:
        return operand.codes.view(np.int8)
    batch, rows, k = operand.codes.shape
    size = operand.group_size or k
    if operand.zero_point is None:
        zeros = np.zeros((batch * rows, -(-k // size)), np.int8)
    else:
        zeros = operand.zero_point.astype(np.int8).reshape(batch * rows, -1)
    out = np.empty(operand.codes.shape, np.int8)
    codes = np.ascontiguousarray(operand.codes).reshape(batch * rows, k)
    shuffled = get_element_format(operand.format).bits <= shuffled_bits()
    look_up = shuffle_bytes if shuffled else look_up_bytes
    look_up(codes, table, zeros, size, out.reshape(batch * rows, k))
    return out


def as_int8(values: Values, extent: Extent) -> Int8 | None:
    """Return values in units as int8, None where one is +128."""
    from simhw.gemm.kernels.conversion import to_integers

    out = np.empty(values.shape, np.int16)
    to_integers(np.ascontiguousarray(values).reshape(-1), values.dtype.type(2.0**-extent.unit), out.reshape(-1))
    if extent.largest > LARGEST and out.max() > LARGEST:
        return None
    return out.astype(np.int8)


@cache
def _table(name: str) -> tuple[Int8, int, int] | None:
    """Return the value of each code in units, the largest magnitude, and the exponent of the unit.

    None where a value is not an int8; codes beyond the format's give zero.
    """
    form: ElementFormat = get_element_format(name)
    if form.bits > 8 or (form.bits == 8 and not (isinstance(form, IntegerFormat) and form.signed)):
        return None
    values = np.ldexp(decode(np.arange(1 << form.bits, dtype=np.uint8), form).astype(np.float64), -form.lsb_exponent)
    if not np.isfinite(values).all() or values.min() < -128 or values.max() > LARGEST:
        return None
    table = np.zeros(256, np.int8)
    table[: len(values)] = values
    return table, int(np.abs(values).max()), int(form.lsb_exponent)


def has_dot_products() -> bool:
    """Return whether the processor multiplies and adds bytes in whole vectors."""
    from simhw.gemm.kernels import dots

    return dots.has_dot_products()


def dot(x: Int8, y: Int8) -> NDArray[np.int32]:
    """Return ``x @ y.T`` for (batch, m, k) and (batch, n, k), exactly, in int32."""
    return _dot_words(x, y) if has_dot_products() else _dot_torch(x, y)


def _dot_words(x: Int8, y: Int8) -> NDArray[np.int32]:
    """Sum ``(x + 128) * y`` from ``-128 * sum(y)`` on: the instruction takes unsigned bytes times signed ones."""
    from simhw.gemm.kernels.dots import sum_bytes

    sums = np.empty((x.shape[0], x.shape[1], y.shape[1]), np.int32)
    with Scratch() as take:
        panels = [slivers(matrix, take) for matrix in _words(y, 0, take)]
        starts = [offsets_of(panel) for panel in panels]
        over_packed_tiles(sum_bytes, first_words(x, take), panels, sums, starts)
    return sums


def scaled_dots(
    x: Int8, y: Int8, scales: tuple[NDArray[np.float32], NDArray[np.float32]], group_size: int, unit: int
) -> NDArray[np.float32]:
    """Return the fp32 sum over groups of k of exact sums, in units of ``2**unit``, times the groups' scales."""
    from simhw.gemm.kernels.blocks import scaled_byte_blocks

    with Scratch() as take:
        operands = first_words(x, take), _words(y, 0, take)
        return over_scaled_tiles(scaled_byte_blocks, operands, scales, _start, group_size // WORD, 2.0**unit)


def first_words(x: Int8, take: Scratch) -> NDArray[np.uint32]:
    """Return ``x + 128`` as unsigned bytes, four to a word: what the instruction takes as its first operand."""
    return _words(x, 0x80, take)


def offsets_of(panel: NDArray[np.uint32]) -> NDArray[np.int32]:
    """Return ``-128 * sum`` of each column of a packed second operand: where its sums begin."""
    return _start(panel, 1, panel.shape[1])


def _start(panel: NDArray[np.uint32], groups: int, size: int) -> NDArray[np.int32]:
    """Return ``-128 * sum`` of each group of ``size`` words of a packed operand."""
    from simhw.gemm.kernels.dots import offset_sums

    out = np.empty((panel.shape[0], groups, panel.shape[2]), np.int32)
    offset_sums(panel, size, out)
    return out


def _words(values: Int8, mask: int, take: Scratch) -> NDArray[np.uint32]:
    """Return bytes four to a word, the bits of ``mask`` flipped, the last word filled with zeros."""
    from simhw.gemm.kernels.conversion import flip_bytes

    batch, rows, k = values.shape
    size = -(-k // 4) * 4
    out = take((batch, rows, size), np.uint8)
    out[:, :, k:] = 0
    given = np.ascontiguousarray(values).view(np.uint8)
    flip_bytes(given.reshape(batch * rows, k), mask, out.reshape(batch * rows, size))
    return out.view(np.uint32)


def _dot_torch(x: Int8, y: Int8) -> NDArray[np.int32]:
    import torch

    if x.shape[2] == 1:  # the library mistakes the strides of a transposed column for those of a row
        return x.astype(np.int32) * y.astype(np.int32).swapaxes(1, 2)
    out = np.empty((x.shape[0], x.shape[1], y.shape[1]), np.int32)
    for i in range(x.shape[0]):
        left = torch.from_numpy(np.ascontiguousarray(x[i]))
        right = torch.from_numpy(np.ascontiguousarray(y[i]))
        torch._int_mm(left, right.t(), out=torch.from_numpy(out[i]))
    return out


@cache
def exact_here() -> bool:
    """Return whether this processor and library compute int8 products exactly: extremes and odd shapes, once."""
    rng = np.random.default_rng(0)
    for m, n, k in ((32, 32, 64), (17, 31, 129), (1, 5, 3), (3, 1, 2), (1, 2, 1)):
        for low, high in ((-128, -127), (127, 128), (-128, 128)):
            x, y = (rng.integers(low, high, (1, rows, k)).astype(np.int8) for rows in (m, n))
            y[0, ::2] = 127
            expected = x[0].astype(np.int64) @ y[0].astype(np.int64).T
            try:
                if not np.array_equal(dot(x, y)[0], expected):
                    return False
            except RuntimeError:
                return False
    return True


def worthwhile(m: int, n: int, k: int) -> bool:
    """Return whether one matrix is large enough for this path."""
    return m * n * k >= LEAST_WORK
