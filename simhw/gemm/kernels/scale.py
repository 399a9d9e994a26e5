"""Group sums times scales, added to the fp32 result, in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    values: NDArray[np.float32],
    a_scale: NDArray[np.float32],
    b_scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    has_bias: bool,
    largest: np.float32,
    beyond: NDArray[np.int64],
) -> None:
    """Multiply by the row scale, then by the column scale, add the bias; count results beyond ``largest`` per row."""
    for i in range(values.shape[0]):
        beyond[i] = _finish_row(values[i], a_scale[i], b_scale, bias, has_bias, largest)


@kernel
def _finish_row(
    values: NDArray[np.float32],
    scale: np.float32,
    b_scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    has_bias: bool,
    largest: np.float32,
) -> int:
    for j in range(values.shape[0]):
        values[j] = (values[j] * scale) * b_scale[j]
    if has_bias:
        for j in range(values.shape[0]):
            values[j] = values[j] + bias[j]
    count = 0
    for j in range(values.shape[0]):
        count += abs(values[j]) > largest
    return count
