"""From whatever a caller holds to codes of an operand's format, or a clear refusal."""

from __future__ import annotations

from typing import Any

import numpy as np

from simhw.errors import InputError
from simhw.formats import ElementFormat, get_element_format, view_as_dtype
from simhw.formats.arrays import as_codes
from simhw.gemm.operand import Codes

_CODE_KINDS = "iu"


def take_codes(given: Any, formats: tuple[str, ...], argument: str) -> tuple[Codes, str]:
    """Return the codes in ``given`` as a C-contiguous unsigned array, and the format that they are codes of.

    Integers are codes of the first of ``formats``, in which int8 codes are 0..255. An array of the NumPy, ml_dtypes or
    torch dtype with exactly the encoding of one of ``formats`` (int8, float16, bfloat16, float8_e4m3fn, ...) is taken
    as the bits it holds. Any layout and byte order, any number of axes.

    Args:
        given: array, tensor or nested list.
        formats: names of the element formats that are allowed, the usual one first.
        argument: how messages call it.

    Raises:
        InputError: other dtypes (values are not encoded silently), and codes that the format has not.

    >>> take_codes(np.array([-1, 2], np.int8), ("int8",), "a_codes")
    (array([255,   2], dtype=uint8), 'int8')
    """
    dtype = _dtype_name(given)
    for name in formats:
        own = _own_dtype(get_element_format(name))
        if own is not None and own.name == dtype:
            return _bits(given, own, get_element_format(name)), name
    if dtype is not None and _is_number_format(dtype):
        raise _wrong_dtype(argument, dtype, formats)
    fmt = get_element_format(formats[0])
    try:
        codes = as_codes(given, fmt)
    except InputError as error:
        raise InputError(f"{argument}: {error}") from None
    if codes.dtype.kind not in _CODE_KINDS:
        raise _wrong_dtype(argument, str(codes.dtype), formats)
    return np.ascontiguousarray(codes, fmt.code_dtype).reshape(codes.shape), fmt.name


def _own_dtype(fmt: ElementFormat) -> np.dtype | None:
    """Return the dtype with exactly this encoding, or None."""
    try:
        return view_as_dtype(np.empty(0, fmt.code_dtype), fmt).dtype
    except InputError:
        return None


def _dtype_name(given: Any) -> str | None:
    """Return ``float8_e4m3fn`` for NumPy, ml_dtypes and torch arrays alike; None for lists and numbers."""
    dtype = getattr(given, "dtype", None)
    if dtype is None:
        return None
    return dtype.name if isinstance(dtype, np.dtype) else str(dtype).rpartition(".")[2]


def _is_number_format(dtype: str) -> bool:
    """Return whether a dtype names values rather than plain integers that may be codes."""
    return dtype.startswith(("float", "bfloat", "complex")) or dtype in ("int2", "int4", "uint2", "uint4")


def _bits(given: Any, own: np.dtype, fmt: ElementFormat) -> Codes:
    """Return the bit patterns of an array whose dtype is the format's own."""
    if type(given).__module__.partition(".")[0] == "torch" and own.name not in ("float16", "float32"):
        if own.kind not in _CODE_KINDS:
            return np.ascontiguousarray(as_codes(given, fmt), fmt.code_dtype).reshape(tuple(given.shape))
        given = given.detach().cpu().numpy()
    array = np.asarray(given.detach().cpu().numpy() if hasattr(given, "detach") else given)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    bits = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").reshape(array.shape)
    # ml_dtypes keeps the unused bits of its narrow integers clear; a mask makes sure of it.
    return np.asarray(bits & bits.dtype.type((1 << fmt.bits) - 1), fmt.code_dtype)


def _wrong_dtype(argument: str, dtype: str, formats: tuple[str, ...]) -> InputError:
    owns = {own.name for name in formats if (own := _own_dtype(get_element_format(name))) is not None}
    arrays = f" or arrays of dtype {' or '.join(sorted(owns))}" if owns else ""
    return InputError(
        f"{argument} have dtype {dtype}, must be codes of {' or '.join(formats)}: unsigned integers{arrays}; "
        "turn values into codes with simhw.encode"
    )
