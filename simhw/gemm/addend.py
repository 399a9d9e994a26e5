"""The addend ``c`` of a matrix product, as its accumulator takes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator
from simhw.errors import InputError
from simhw.formats.arrays import as_values


def take_addend(c: Any, shape: tuple[int, ...], accumulator: Accumulator) -> NDArray[np.float32]:
    """Return the addend broadcast to the result's shape.

    Raises:
        InputError: no numbers, a shape that does not broadcast, or values that the result's format has not.
    """
    values = _spread(c, shape)
    precision = getattr(accumulator, "result", None)
    narrow = precision is not None and precision.significand_bits == 11
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16 if narrow else np.float32)
    if np.any((rounded != values) & ~np.isnan(values)):
        name = "fp16" if narrow else "fp32"
        raise InputError(f"c holds values that {name}, the format of the result, has not; round it first")
    return np.ascontiguousarray(rounded, np.float32).reshape(shape)


def take_bias(c: Any, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return int32 codes of a bias, broadcast to the result's shape.

    Raises:
        InputError: no numbers, a shape that does not broadcast, fractions, or integers beyond int32.
    """
    values = _spread(c, shape)
    if not np.all((values == np.rint(values)) & (np.abs(values + 0.5) < 2.0**31)):
        raise InputError("c holds values that int32, the format of a bias, has not; round it first")
    return values.astype(np.int64)


def _spread(c: Any, shape: tuple[int, ...]) -> NDArray[np.floating]:
    given = as_values(c)
    try:
        return np.broadcast_to(given, shape)
    except ValueError:
        raise InputError(f"c has shape {given.shape}, must broadcast to the result's {shape}; reshape it") from None
