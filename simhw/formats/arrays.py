"""From whatever a user holds to native NumPy arrays without changing a value, or a clear refusal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats.element import ElementFormat

FloatArray = NDArray[Any]
"""float32 or float64."""

Codes = NDArray[Any]
"""uint8, uint16 or uint32: ``code_dtype`` of the format."""

_ML_DTYPES = {
    "int2": "int2",
    "int4": "int4",
    "uint2": "uint2",
    "uint4": "uint4",
    "e4m3": "float8_e4m3fn",
    "e5m2": "float8_e5m2",
    "e4m3_ieee": "float8_e4m3",
    "e3m4": "float8_e3m4",
    "e4m3fnuz": "float8_e4m3fnuz",
    "e5m2fnuz": "float8_e5m2fnuz",
    "e4m3b11fnuz": "float8_e4m3b11fnuz",
    "e8m0": "float8_e8m0fnu",
    "e2m3": "float6_e2m3fn",
    "e3m2": "float6_e3m2fn",
    "e2m1": "float4_e2m1fn",
    "bf16": "bfloat16",
}
_NUMPY_DTYPES = {"int8": "int8", "int16": "int16", "int32": "int32", "fp16": "float16", "fp32": "float32"}


def as_values(values: Any) -> FloatArray:
    """Return ``values`` as a C-contiguous float32 or float64 array: same shape, same exact values.

    NumPy arrays of any layout and byte order, ml_dtypes arrays, torch tensors (float8 and bfloat16 too), anything
    with ``__array__`` or DLPack, numbers and nested lists are accepted.

    Raises:
        InputError: not real numbers, wider than float64, integers beyond 2**53 that float64 does not hold, or a thread
            whose processor flushes subnormals, where no result would be bit-accurate.
    """
    if np.float32(1e-45) * np.float32(1.0) == 0:
        raise InputError(
            "this thread flushes subnormal numbers to zero, so results would not be bit-accurate; call "
            "torch.set_flush_denormal(False), or find the library built with -ffast-math that switched it on"
        )
    array = _as_numpy(values, argument="values", codes=False)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if _is_ml_dtype(array.dtype):
        return np.require(array.astype(np.float32), requirements="C").reshape(array.shape)
    if kind not in "fiub":
        raise InputError(f"values have dtype {array.dtype}, must be real numbers; convert with astype(np.float64)")
    if kind == "f" and size > 8:
        raise InputError(f"values have dtype {array.dtype}, must be float64 or narrower; convert with astype")
    wide = (kind == "f" and size == 8) or (kind in "iu" and size >= 4)
    if kind in "iu" and size == 8 and array.size and max(int(array.max()), -int(array.min())) > 1 << 53:
        raise InputError(f"values have dtype {array.dtype} and exceed 2**53, where float64 is not exact")
    return np.require(array, dtype=np.float64 if wide else np.float32, requirements="C").reshape(array.shape)


def as_codes(codes: Any, fmt: ElementFormat) -> NDArray[Any]:
    """Return ``codes`` as an integer array whose every element is a code of ``fmt``.

    Arrays of the ml_dtypes or torch dtype with the same width are taken as the bits they hold.

    Raises:
        InputError: not integers, negative, or beyond the codes of the format.
    """
    array = _as_numpy(codes, argument="codes", codes=True)
    if _is_ml_dtype(array.dtype):
        array = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").reshape(array.shape)
    if array.dtype.kind not in "iu":
        if array.size == 0:
            return array.astype(fmt.code_dtype)
        raise InputError(f"codes have dtype {array.dtype}, must be unsigned integers; use encode for values")
    every_bit_pattern = array.dtype.kind == "u" and fmt.code_count >= 1 << (8 * array.dtype.itemsize)
    if not every_bit_pattern and array.size:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= fmt.code_count:
            wrong = low if low < 0 else high
            raise InputError(f"code is {wrong}, must be 0..{fmt.code_count - 1} for {fmt.name}")
    return array


def view_as_dtype(codes: Any, fmt: ElementFormat) -> NDArray[Any]:
    """Return ``codes`` viewed as the NumPy or ml_dtypes dtype that has this encoding (no copy where possible).

    Raises:
        InputError: no such dtype exists for the format, or the codes are not codes of it.
    """
    array = np.ascontiguousarray(as_codes(codes, fmt).astype(fmt.code_dtype, copy=False))
    if fmt.name in _NUMPY_DTYPES:
        return array.view(_NUMPY_DTYPES[fmt.name])
    if fmt.name.startswith("uint") and fmt.bits in (8, 16, 32):
        return array
    if fmt.name in _ML_DTYPES:
        import ml_dtypes

        return array.view(getattr(ml_dtypes, _ML_DTYPES[fmt.name]))
    names = ", ".join([*_NUMPY_DTYPES, *_ML_DTYPES])
    raise InputError(f"format is {fmt.name}, which no NumPy or ml_dtypes dtype encodes; those with one: {names}")


def _as_numpy(given: Any, *, argument: str, codes: bool) -> NDArray[Any]:
    if type(given).__module__.partition(".")[0] == "torch":
        given = _torch_to_numpy(given, codes=codes)
    elif hasattr(given, "__dlpack__") and not hasattr(given, "__array__"):
        given = np.from_dlpack(given)
    try:
        array = np.asarray(given)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{argument} cannot become a NumPy array: {error}; pass an array of numbers") from None
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def _torch_to_numpy(tensor: Any, *, codes: bool) -> NDArray[Any]:
    """NumPy has no float8 or bfloat16 of its own: pass the bits as codes, and the values through float32 (exact)."""
    import torch

    tensor = tensor.detach().cpu()
    own = tensor.dtype.is_floating_point and tensor.dtype not in (torch.float16, torch.float32, torch.float64)
    if own and codes:
        width = {1: torch.uint8, 2: torch.uint16}[tensor.dtype.itemsize]
        return tensor.contiguous().view(width).numpy()  # type: ignore[no-any-return]
    if own and "_x2" in str(tensor.dtype):
        raise InputError(f"values have dtype {tensor.dtype}, two in a byte; unpack their codes with unpack_codes")
    return (tensor.to(torch.float32) if own else tensor).numpy()  # type: ignore[no-any-return]


def _is_ml_dtype(dtype: np.dtype) -> bool:
    return dtype.type.__module__ == "ml_dtypes" and "complex" not in dtype.name
