"""Codes to values, for arrays: by table up to 16 bits, by arithmetic beyond."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.formats.arrays import FloatArray, as_codes
from simhw.formats.codebook import CodebookFormat
from simhw.formats.element import ElementFormat
from simhw.formats.floating import FloatFormat, NanCodes
from simhw.formats.integer import IntegerFormat
from simhw.formats.names import AnyFormat, get_element_format

_TABLE_BITS = 16


def decode(codes: Any, fmt: str | AnyFormat) -> FloatArray:
    """Return the values of ``codes``: float32 where every value of the format is exact in it, else float64.

    Args:
        codes: integers of any shape, 0 to ``2**bits - 1`` (or arrays of the ml_dtypes or torch dtype of that width).
        fmt: name or record of an element format.

    Raises:
        InputError: codes that the format has not, or that are no integers.

    >>> decode([0x7E, 0xB8], "e4m3")
    array([448.,  -1.], dtype=float32)
    """
    record = get_element_format(fmt)
    array = as_codes(codes, record)
    if record.bits <= _TABLE_BITS:
        flat = np.ascontiguousarray(array, dtype=record.code_dtype)
        values: FloatArray = np.empty(array.shape, _value_dtype(record))
        if flat.size:
            _decode_flat(flat.reshape(-1), values.reshape(-1), record)
        return values
    return _decode_wide(array, record)


@lru_cache(maxsize=256)
def _value_dtype(record: ElementFormat) -> np.dtype:
    """Return the format's own, which takes fractions to find."""
    return np.dtype(record.value_dtype)


def _decode_flat(codes: NDArray[Any], values: FloatArray, record: ElementFormat) -> None:
    """Write the values of codes of at most 16 bits, by the fastest way that gives the table's."""
    from simhw.formats import kernels
    from simhw.kernel import has_half_conversion

    halves = upper_halves(record)
    if record.name == "bf16":
        from simhw.formats.decoding_kernels import decode_upper_half

        decode_upper_half(codes, values)
    elif record.name == "fp16" and has_half_conversion():
        from simhw.formats.decoding_kernels import decode_half

        decode_half(codes, values)
    elif halves is not None:
        from simhw.formats.decoding_kernels import decode_bytes

        decode_bytes(codes, *halves, values)
    else:
        kernels.look_up(codes, values, value_table(record))


@lru_cache(maxsize=256)
def upper_halves(fmt: ElementFormat) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """Return two tables of 256 bytes, the third and the fourth of the float32 of each code of at most 8 bits.

    None where the first two are not all zero, or the processor has no use for it.
    """
    from simhw.formats.decoding_kernels import has_byte_tables

    table = value_table(fmt) if fmt.bits <= 8 and has_byte_tables() else np.empty(0)
    if table.dtype != np.float32:
        return None
    words = np.zeros(256, np.uint32)
    words[: len(table)] = table.view(np.uint32)
    if (words & 0xFFFF).any():
        return None
    return (words >> 16 & 0xFF).astype(np.uint8), (words >> 24).astype(np.uint8)


@lru_cache(maxsize=256)
def value_table(fmt: ElementFormat) -> FloatArray:
    """Return the read-only table of the values of all codes, for a format of at most 16 bits."""
    if isinstance(fmt, CodebookFormat):
        table = np.array(fmt.values, dtype=fmt.value_dtype)
    else:
        table = _decode_wide(np.arange(fmt.code_count, dtype=np.uint32), fmt)
    table.flags.writeable = False
    return table


def _decode_wide(codes: NDArray[Any], fmt: ElementFormat) -> FloatArray:
    if isinstance(fmt, IntegerFormat):
        integers = codes.astype(np.int64)
        integers = np.where(integers > fmt.max_integer_code, integers - fmt.code_count, integers)
        return np.ldexp(integers.astype(np.float64), fmt.lsb_exponent).astype(fmt.value_dtype)
    assert isinstance(fmt, FloatFormat)
    return _decode_float(codes.astype(np.int64), fmt)


def _decode_float(codes: NDArray[np.int64], fmt: FloatFormat) -> FloatArray:
    magnitude = codes & fmt.top_code
    special = magnitude > fmt.max_code
    field = magnitude >> fmt.mantissa_bits
    mantissa = magnitude & ((1 << fmt.mantissa_bits) - 1)
    normal = (field > 0) | (not fmt.has_zero)
    significand = np.where(normal, mantissa + (1 << fmt.mantissa_bits), mantissa * fmt.has_subnormals)
    exponent = np.where(normal, field - fmt.bias, 1 - fmt.bias) - fmt.mantissa_bits
    # Special codes may lie in a binade beyond float64, where ldexp would overflow.
    values = np.ldexp(significand.astype(np.float64), np.where(special, 0, exponent))
    values = np.where(special, np.nan, values)
    if fmt.infinity_code is not None:
        values = np.where(magnitude == fmt.infinity_code, np.inf, values)
    values = np.where(codes & fmt.sign_bit != 0, -values, values)
    if fmt.nan is NanCodes.NEGATIVE_ZERO:
        values = np.where(codes == fmt.sign_bit, np.nan, values)
    return values.astype(fmt.value_dtype)
