"""Scaling of integers as I-BERT's QuantAct does it: a multiplier of 31 bits, a shift, rounded half up."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, frexp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.kernel import kernel
from simhw.sfu.base import FloatArray, code_range

MOST_SHIFT = 62
"""Longer shifts leave nothing: their multipliers are 0."""
Constants = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Multipliers, shifts and offsets, each ``(k,)``."""


def multiplier_and_shift(scale: float) -> tuple[int, int]:
    """Return ``(m, e)`` with ``scale ~ m / 2**e``, m of 31 bits and the sign of the scale.

    >>> multiplier_and_shift(-0.75)
    (-1610612736, 31)
    """
    fraction, exponent = frexp(scale)
    return floor(fraction * 2.0**31 + 0.5), 31 - exponent


def scaling(scale: NDArray[np.float64], shift: FloatArray, step: float, name: str) -> Constants:
    """Return the constants of ``x * scale + shift`` for codes of ``step``: ``multiplier_and_shift`` of each scale.

    Raises:
        InputError: a scale of 2**30 or more, which has no right shift.
    """
    if (np.abs(scale) >= 2.0**30).any():
        raise InputError(
            f"{name} was given a weight that scales codes by {np.abs(scale).max():g}, must be below 2^30; "
            "choose a float unit, or check the weights"
        )
    fraction, exponent = np.frexp(scale)
    shifts = 31 - exponent.astype(np.int64)
    kept = shifts <= MOST_SHIFT
    multipliers = np.where(kept, np.floor(fraction * 2.0**31 + 0.5), 0).astype(np.int64)
    offsets = np.clip(np.rint(shift.astype(np.float64) / step), -(2.0**31), 2.0**31 - 1).astype(np.int64)
    return multipliers, np.where(kept, shifts, 1), offsets


def scaled(row: Sequence[int], constants: Constants, integer_format: str) -> list[int]:
    """Return ``((x m + 2**(e - 1)) >> e) + offset`` of each element, held in the format."""
    lowest, highest = code_range(integer_format)
    parts = zip(row, *(part.tolist() for part in constants), strict=True)
    return [max(lowest, min(highest, ((x * m + (1 << e - 1)) >> e) + offset)) for x, m, e, offset in parts]


@kernel
def fast_scaled(x: Any, m: Any, e: Any, offset: Any, lowest: Any, highest: Any) -> Any:
    """Return one element of ``scaled`` in int64."""
    value = ((x * m + (np.int64(1) << (e - 1))) >> e) + offset
    return max(lowest, min(highest, value))
