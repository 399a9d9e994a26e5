"""From whatever a user holds to flat native NumPy arrays, without changing a value, or a clear refusal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError

FloatArray = NDArray[np.float32] | NDArray[np.float64]


def as_array(values: Any, *, argument: str) -> NDArray[Any]:
    """Return ``values`` as a native-endian NumPy array of any numeric dtype; its layout may be anything.

    Raises:
        InputError: ragged lists, objects, strings, complex numbers, dates.
    """
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise InputError(f"{argument} is no array of numbers ({error}); pass a NumPy array") from None
    if array.dtype.kind not in "fiub" and not _is_ml_dtype(array.dtype):
        raise InputError(
            f"{argument} has dtype {array.dtype}, must be real numbers; convert with astype(np.float64)"
        )
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def as_values(values: Any) -> FloatArray:
    """Return ``values`` as a C-contiguous float32 or float64 array: same shape, same exact values.

    Raises:
        InputError: not numbers, or integers beyond 2**53 that float64 does not hold.
    """
    array = as_array(values, argument="values")
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "f" and size > 8:
        raise InputError(f"values have dtype {array.dtype}, must be float64 or narrower; convert with astype")
    if array.dtype == np.float64:
        target: type[np.float32] | type[np.float64] = np.float64
    elif kind in "iu" and size >= 4:
        target = np.float64
        if size == 8 and array.size and max(int(array.max()), -int(array.min())) > 1 << 53:
            raise InputError(f"values have dtype {array.dtype} and exceed 2**53, where float64 is not exact")
    else:
        target = np.float32
    return np.require(array, dtype=target, requirements="C").reshape(array.shape)


def _is_ml_dtype(dtype: np.dtype) -> bool:
    return dtype.kind == "V" and dtype.type.__module__.startswith("ml_dtypes")
