"""Two levels of weight quantization (QServe): int8 per row, within it uint4 with integer scale and zero per group.

Level 1: a row has the scale s1 = max |w| / 119; its values become integers of -119..119, the protective range: what
level 2 adds by rounding (up to 8) then still fits an int8. Level 2: a group of these integers, whose range is made to
include zero, has the integer scale s2 = round((max - min) / 15), at least 1, and the zero point z = round(-min / s2),
both within 8 and 4 bits; codes are q = round(w8 / s2) + z, clipped to 0..15. A weight stands for s1 s2 (q - z), and
s2 (q - z) lies within -127..127. Rounding is to nearest even; level 1 in fp32, level 2 in integers.

Memory holds s1 as fp32 per row, per group s2 and -z s2 as int8 each, as the source stores them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.operand import Operand, check_group_size
from simhw.quantize import FloatArray, OperandScheme

PROTECTIVE_RANGE = 119
TOP_CODE = 15


def quantize_two_levels(values: FloatArray, scheme: OperandScheme) -> Operand:
    """Return values as uint4 codes, integer scales and zero points per group, and a float scale per row."""
    k = values.shape[2]
    size = scheme.group_size
    assert size is not None
    check_group_size(size, k)
    scale = np.abs(values).max(axis=2) / np.float32(PROTECTIVE_RANGE)
    scale = np.where(scale == 0, np.float32(1), np.maximum(scale, np.float32(2.0**-126))).astype(np.float32)
    level_1 = np.clip(np.rint(values / scale[:, :, None]), -PROTECTIVE_RANGE, PROTECTIVE_RANGE).astype(np.int32)
    starts = np.arange(0, k, size)
    low = np.minimum(np.minimum.reduceat(level_1, starts, axis=2), 0)
    high = np.maximum(np.maximum.reduceat(level_1, starts, axis=2), 0)
    step = np.maximum(_divide(high - low, np.int32(TOP_CODE)), 1)
    zero = np.clip(_divide(-low, step), 0, TOP_CODE)
    spread_step, spread_zero = (np.repeat(array, size, axis=2)[:, :, :k] for array in (step, zero))
    codes = np.clip(_divide(level_1, spread_step) + spread_zero, 0, TOP_CODE)
    return Operand(
        codes=codes.astype(np.uint8),
        format=scheme.format,
        group_size=size,
        group_scale=step.astype(np.float32),
        zero_point=zero.astype(np.int32),
        row_scale=scale,
        scale_bits=8,
        zero_point_bits=8,
    )


def _divide(numerator: NDArray[np.int32], denominator: NDArray[np.int32] | np.int32) -> NDArray[np.int32]:
    """Return the quotients rounded to nearest even (ties of small integers are exact in float64)."""
    return np.rint(numerator.astype(np.float64) / denominator).astype(np.int32)
