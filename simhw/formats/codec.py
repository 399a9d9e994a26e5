"""Values to codes and back, for arrays. The meaning is that of :mod:`simhw.formats.definition`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats.arrays import FloatArray, as_array, as_values
from simhw.formats.definition import NEVER_OVERFLOWS, special_code
from simhw.formats.element import ElementFormat
from simhw.formats.floating import FloatFormat, NanCodes
from simhw.formats.integer import IntegerFormat
from simhw.formats.names import AnyFormat, get_element_format
from simhw.formats.rounding import Overflow, Rounding, choose

Codes = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]

_TABLE_BITS = 16


def encode(
    values: Any,
    fmt: str | AnyFormat,
    *,
    rounding: Rounding | str = Rounding.NEAREST_EVEN,
    overflow: Overflow | str = Overflow.SATURATE,
    infinite: Overflow | str | None = None,
    random_bits: int = 16,
    seed: int = 0,
) -> Codes:
    """Return the codes of ``values`` in an element format, each rounded once, in the shape of ``values``.

    -0 and underflow keep their sign where the format has -0. NaN becomes NaN (its sign is kept where NaN has
    one, its payload is not). Zero in a format without zero becomes the smallest value under SATURATE, else NaN.
    Negative values beyond the range of an unsigned format follow ``overflow``.

    Args:
        values: real numbers of any shape, float64 or narrower (NumPy, ml_dtypes, torch, nested lists).
        fmt: name or record of an element format.
        rounding: how values between two codes are rounded.
        overflow: what becomes of values beyond the largest one.
        infinite: what becomes of infinite inputs; None means the same as ``overflow``.
        random_bits: n of stochastic rounding, 1..32.
        seed: of stochastic rounding; seed and position in ``values`` determine an element's random number.

    Returns:
        Unsigned codes of the smallest dtype that holds them; integers are two's complement, masked.

    Raises:
        InputError: unknown names, NaN in a format without NaN, a policy the format lacks, not numbers.

    >>> encode([1.0, -0.1, 1e9], "e4m3")
    array([ 56, 157, 126], dtype=uint8)
    """
    record = get_element_format(fmt)
    how = _rounding_parameters(choose(Rounding, rounding, argument="rounding"), random_bits, seed)
    policy = choose(Overflow, overflow, argument="overflow")
    infinite_policy = policy if infinite is None else choose(Overflow, infinite, argument="infinite")
    array = as_values(values)
    codes = np.empty(array.shape, record.code_dtype)
    encode_flat(array.reshape(-1), codes.reshape(-1), record, how, policy, infinite_policy)
    return codes


def decode(codes: Any, fmt: str | AnyFormat) -> FloatArray:
    """Return the values of ``codes``: float32 where every value of the format is exact in it, else float64.

    Args:
        codes: integers of any shape, 0 to ``2**bits - 1``.
        fmt: name or record of an element format.

    Raises:
        InputError: codes that the format has not, or that are no integers.

    >>> decode([0x7E, 0xB8], "e4m3")
    array([448.,  -1.], dtype=float32)
    """
    record = get_element_format(fmt)
    array = as_codes(codes, record)
    if record.bits <= _TABLE_BITS:
        return np.take(value_table(record), array)
    return _decode_arithmetic(array, record)


def round_to(
    values: Any,
    fmt: str | AnyFormat,
    *,
    rounding: Rounding | str = Rounding.NEAREST_EVEN,
    overflow: Overflow | str = Overflow.SATURATE,
    infinite: Overflow | str | None = None,
    random_bits: int = 16,
    seed: int = 0,
) -> FloatArray:
    """Return ``decode(encode(values))``: the values that the format makes of ``values``."""
    codes = encode(
        values,
        fmt,
        rounding=rounding,
        overflow=overflow,
        infinite=infinite,
        random_bits=random_bits,
        seed=seed,
    )
    return decode(codes, fmt)


def as_codes(codes: Any, fmt: ElementFormat) -> NDArray[Any]:
    """Return ``codes`` as an integer array whose every element is a code of ``fmt``.

    Raises:
        InputError: not integers, negative, or too large.
    """
    array = as_array(codes, argument="codes")
    if array.dtype.kind not in "iu":
        if array.size == 0:
            return array.astype(fmt.code_dtype)
        raise InputError(f"codes have dtype {array.dtype}, must be unsigned integers; use encode for values")
    fits = array.dtype.kind == "u" and array.dtype.itemsize * 8 <= fmt.bits
    if not fits and array.size:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= fmt.code_count:
            wrong = low if low < 0 else high
            raise InputError(f"code is {wrong}, must be 0..{fmt.code_count - 1} for {fmt.name}")
    return array


@lru_cache(maxsize=64)
def value_table(fmt: ElementFormat) -> FloatArray:
    """Return the read-only table of the values of all codes of a format of at most 16 bits."""
    table = _decode_arithmetic(np.arange(fmt.code_count, dtype=np.uint32), fmt)
    table.flags.writeable = False
    return table


def _decode_arithmetic(codes: NDArray[Any], fmt: ElementFormat) -> FloatArray:
    wide = codes.astype(np.int64)
    if isinstance(fmt, IntegerFormat):
        integers = np.where(wide > fmt.max_integer_code, wide - fmt.code_count, wide)
        return np.ldexp(integers.astype(np.float64), fmt.lsb_exponent).astype(fmt.value_dtype)
    assert isinstance(fmt, FloatFormat)
    magnitude = wide & fmt.top_code
    field = magnitude >> fmt.mantissa_bits
    mantissa = magnitude & ((1 << fmt.mantissa_bits) - 1)
    normal = (field > 0) | (not fmt.has_zero)
    significand = np.where(normal, mantissa + (1 << fmt.mantissa_bits), mantissa * fmt.has_subnormals)
    exponent = np.where(normal, field - fmt.bias, 1 - fmt.bias) - fmt.mantissa_bits
    # Special codes may lie in a binade beyond float64; they are replaced below.
    values = np.ldexp(significand.astype(np.float64), np.where(magnitude > fmt.max_code, 0, exponent))
    values[magnitude > fmt.max_code] = np.nan
    if fmt.infinity_code is not None:
        values[magnitude == fmt.infinity_code] = np.inf
    values = np.where(wide & fmt.sign_bit != 0, -values, values)
    if fmt.nan is NanCodes.NEGATIVE_ZERO:
        values = np.where(wide == fmt.sign_bit, np.nan, values)
    return values.astype(fmt.value_dtype)


def encode_flat(
    values: FloatArray,
    codes: Codes,
    fmt: ElementFormat,
    how: tuple[int, int, int],
    overflow: Overflow,
    infinite: Overflow,
) -> None:
    """Encode a flat contiguous array into ``codes`` with the kernel for the format."""
    from simhw.formats import kernels

    rounding = kernels.RoundingParameters(*how)
    if isinstance(fmt, IntegerFormat):
        parameters = _integer_parameters(fmt, overflow, infinite)
        nans, infinities = kernels.encode_integer(
            values, codes, 0, kernels.IntegerParameters(**parameters), rounding
        )
        accepts_nan, accepts_infinite = False, infinite is Overflow.SATURATE
    else:
        assert isinstance(fmt, FloatFormat)
        policies = _float_parameters(fmt, list(Rounding)[how[0]], overflow, infinite)
        nans, infinities = kernels.encode_float(
            values, codes, 0, kernels.FloatParameters(**policies), rounding
        )
        accepts_nan, accepts_infinite = fmt.has_nan, True
    if nans and not accepts_nan:
        raise InputError(
            f"values hold {nans} NaN, which {fmt.name} cannot express; replace them (np.nan_to_num)"
        )
    if infinities and not accepts_infinite:
        raise InputError(f"values hold {infinities} infinities, which cannot wrap; pass infinite='saturate'")


def _rounding_parameters(rounding: Rounding, random_bits: int, seed: int) -> tuple[int, int, int]:
    if not 1 <= random_bits <= 32:
        raise InputError(f"random_bits is {random_bits}, must be 1..32")
    seed64 = (seed & 0xFFFFFFFFFFFFFFFF) - ((seed & 0x8000000000000000) << 1)
    return list(Rounding).index(rounding), random_bits, seed64


def _integer_parameters(fmt: IntegerFormat, overflow: Overflow, infinite: Overflow) -> dict[str, int]:
    for policy in (overflow, infinite):
        if policy in (Overflow.INFINITY, Overflow.NAN):
            raise InputError(
                f"overflow is {policy.value!r}, which {fmt.name} has not; take 'saturate' or 'wrap'"
            )
    return {
        "lsb_exponent": fmt.lsb_exponent,
        "minimum": fmt.saturation_integer,
        "maximum": fmt.max_integer_code,
        "mask": fmt.code_count - 1,
        "wrap": int(overflow is Overflow.WRAP),
        "accepts_infinite": int(infinite is Overflow.SATURATE),
    }


def _float_parameters(
    fmt: FloatFormat, rounding: Rounding, overflow: Overflow, infinite: Overflow
) -> dict[str, int]:
    def beyond(negative: bool) -> int:
        code = special_code(fmt, overflow, negative)
        clamps = rounding in NEVER_OVERFLOWS[negative] and (fmt.is_signed or not negative)
        return special_code(fmt, Overflow.SATURATE, negative) if clamps else code

    nan = fmt.nan_code if fmt.nan_code is not None else 0
    negative_zero = fmt.sign_bit if fmt.has_negative_zero else 0
    no_zero = (
        special_code(fmt, Overflow.NAN, negative=False)
        if overflow is not Overflow.SATURATE and not fmt.has_zero
        else 0
    )
    return {
        "mantissa_bits": fmt.mantissa_bits,
        "minimum_exponent": fmt.minimum_exponent,
        "first_normal_code": fmt.first_normal_code,
        "has_subnormals": int(fmt.has_subnormals),
        "has_zero": int(fmt.has_zero),
        "is_signed": int(fmt.is_signed),
        "max_code": fmt.max_code,
        "sign_bit": fmt.sign_bit,
        "overflow_positive": beyond(negative=False),
        "overflow_negative": beyond(negative=True),
        "infinite_positive": special_code(fmt, infinite, negative=False),
        "infinite_negative": special_code(fmt, infinite, negative=True),
        "nan_positive": nan,
        "nan_negative": nan | fmt.sign_bit,
        "zero_positive": no_zero if not fmt.has_zero else 0,
        "zero_negative": negative_zero if fmt.has_zero else no_zero,
    }
