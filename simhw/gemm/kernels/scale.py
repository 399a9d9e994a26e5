"""Group sums times scales, added to the fp32 result, in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.bits import pattern_of, to_half
from simhw.kernel import kernel


@kernel
def add_scaled(
    sums: NDArray[np.float64],
    unit: np.float32,
    a_scale: NDArray[np.float32],
    b_scale: NDArray[np.float32],
    first: bool,
    out: NDArray[np.float32],
) -> None:
    """Add ``fp32(sums) * unit * (a_scale * b_scale)`` to ``out`` (m, n), or set it where ``first``.

    ``unit`` is a power of two (sums that are integers come in units of it); each step is rounded to fp32.
    """
    for i in range(sums.shape[0]):
        if first:
            _set_row(sums[i], unit, a_scale[i], b_scale, out[i])
        else:
            _add_row(sums[i], unit, a_scale[i], b_scale, out[i])


@kernel
def _set_row(
    sums: NDArray[np.float64],
    unit: np.float32,
    scale: np.float32,
    b_scale: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for j in range(out.shape[0]):
        out[j] = (np.float32(sums[j]) * unit) * (scale * b_scale[j])


@kernel
def _add_row(
    sums: NDArray[np.float64],
    unit: np.float32,
    scale: np.float32,
    b_scale: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for j in range(out.shape[0]):
        out[j] += (np.float32(sums[j]) * unit) * (scale * b_scale[j])


@kernel
def finish(
    sums: NDArray[np.float32],
    unit: np.float32,
    a_scale: NDArray[np.float32],
    b_scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    has_bias: bool,
    largest: np.float32,
    rounding: int,
    values: NDArray[np.float32],
    beyond: NDArray[np.int64],
) -> int:
    """Set ``values`` (m, n) to ``fp32(sums) * unit`` times the row scale, times the column scale, plus the bias.

    Then round (see ``KEPT`` and others), count results beyond ``largest`` per row; return how many are NaN. ``sums``
    must not be the memory of ``values``.
    """
    nans = 0
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            values[i, j] = np.float32(sums[i, j]) * unit
        nans += _finish_row(values[i], a_scale[i], b_scale, bias, has_bias, largest, rounding, beyond[i : i + 1])
    return nans


@kernel
def finish_floats(
    values: NDArray[np.float32],
    a_scale: NDArray[np.float32],
    b_scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    has_bias: bool,
    largest: np.float32,
    rounding: int,
    beyond: NDArray[np.int64],
) -> int:
    """Do the same in place."""
    nans = 0
    for i in range(values.shape[0]):
        nans += _finish_row(values[i], a_scale[i], b_scale, bias, has_bias, largest, rounding, beyond[i : i + 1])
    return nans


@kernel
def finish_words(
    words: NDArray[np.int32],
    unit: np.float32,
    a_scale: NDArray[np.float32],
    b_scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    has_bias: bool,
    largest: np.float32,
    rounding: int,
    beyond: NDArray[np.int64],
) -> int:
    """Do the same with int32 sums, whose place the float32 patterns of the results take."""
    values = words.view(np.float32)
    nans = 0
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            words[i, j] = pattern_of(np.float32(words[i, j]) * unit)
        nans += _finish_row(values[i], a_scale[i], b_scale, bias, has_bias, largest, rounding, beyond[i : i + 1])
    return nans


KEPT, HALF, UPPER_HALF = 0, 1, 2
"""How ``finish`` rounds: not at all; to fp16 or to bf16, values beyond the largest number becoming that number."""


@kernel
def _finish_row(
    values: NDArray[np.float32],
    scale: np.float32,
    b_scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    has_bias: bool,
    largest: np.float32,
    rounding: int,
    beyond: NDArray[np.int64],
) -> int:
    for j in range(values.shape[0]):
        values[j] = (values[j] * scale) * b_scale[j]
    if has_bias:
        for j in range(values.shape[0]):
            values[j] = values[j] + bias[j]
    count = np.int32(0)
    for j in range(values.shape[0]):
        count = np.int32(count + np.int32(abs(values[j]) > largest))
    beyond[0] = count
    if rounding == HALF:
        return _round_half(values, largest)
    if rounding == UPPER_HALF:
        return _round_upper_half(values, largest)
    return 0


@kernel
def _round_half(values: NDArray[np.float32], largest: np.float32) -> int:
    nans = np.int32(0)
    for j in range(values.shape[0]):
        value = values[j]
        nans = np.int32(nans + np.int32(value != value))
        values[j] = to_half(min(max(value, -largest), largest))
    return np.int64(nans)


@kernel
def _round_upper_half(values: NDArray[np.float32], largest: np.float32) -> int:
    bits = values.view(np.uint32)
    nans = np.int32(0)
    for j in range(values.shape[0]):
        value = values[j]
        nans = np.int32(nans + np.int32(value != value))
        values[j] = min(max(value, -largest), largest)
    for j in range(bits.shape[0]):
        odd = np.uint32((bits[j] >> np.uint32(16)) & np.uint32(1))
        bits[j] = np.uint32(np.uint32(bits[j] + np.uint32(0x7FFF)) + odd) & np.uint32(0xFFFF0000)
    return np.int64(nans)
