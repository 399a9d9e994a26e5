"""The fast path of encode: float32 to float formats and integers of at most 16 bits, nearest even, saturating.

The same bits as the generic kernels (a test compares them), at an order of magnitude more elements per second: 32-bit
lanes, no branch, every intermediate kept at uint32 by hand. ``np.right_shift`` rather than ``>>``, because Numba widens
``uint32 >> uint32`` to 64 bits, which halves the lanes; a test reads the generated code.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simhw.formats.element import power_of_two
from simhw.formats.floating import FloatFormat
from simhw.formats.integer import IntegerFormat
from simhw.kernel import kernel

INFINITY_BITS = 0x7F800000


class NarrowParameters(NamedTuple):
    """A float format in terms of float32 bit patterns. All fields are int64 but ``magic``, a float32."""

    shift: int
    half_minus_one: int
    rebias: int
    smallest_normal: int
    magic: np.float32
    max_code: int
    nan_code: int
    sign_shift: int
    sign_bit: int
    negative_zero: int


@lru_cache(maxsize=256)
def narrow_parameters(fmt: FloatFormat) -> NarrowParameters | None:
    """Return the parameters of the fast kernel for a format, or None where only the generic kernel is right.

    It needs at least one mantissa bit (parity of the code is then parity of the mantissa), a zero, subnormals, a sign,
    and a range whose constants are normal float32 numbers.
    """
    ordinary = fmt.has_zero and fmt.has_subnormals and fmt.is_signed and fmt.mantissa_bits >= 1 and fmt.bits <= 16
    if not ordinary or fmt.minimum_exponent < -126 or fmt.lsb_exponent + 23 > 126:
        return None
    if fmt.max_value >= power_of_two(128):
        return None
    shift = 23 - fmt.mantissa_bits
    nan_code = fmt.nan_code if fmt.nan_code is not None else 0
    return NarrowParameters(
        shift=shift,
        half_minus_one=(1 << (shift - 1)) - 1,
        rebias=(fmt.minimum_exponent + 126) << fmt.mantissa_bits,
        smallest_normal=(fmt.minimum_exponent + 127) << 23,
        magic=np.float32(power_of_two(fmt.lsb_exponent + 23)),
        max_code=fmt.max_code,
        nan_code=nan_code,
        sign_shift=32 - fmt.bits,
        sign_bit=fmt.sign_bit,
        negative_zero=fmt.sign_bit if fmt.has_negative_zero else 0,
    )


class NarrowIntegerParameters(NamedTuple):
    """An integer format in float32 terms: ``scale`` is ``2**fraction_bits``, the bounds are integers."""

    scale: np.float32
    minimum: np.float32
    maximum: np.float32
    mask: int


@lru_cache(maxsize=256)
def narrow_integer_parameters(fmt: IntegerFormat) -> NarrowIntegerParameters | None:
    """Return the parameters of the fast integer kernel, or None beyond 16 bits or a scale that is no normal float32."""
    if fmt.bits > 16 or not -126 <= fmt.fraction_bits <= 127:
        return None
    return NarrowIntegerParameters(
        scale=np.float32(power_of_two(fmt.fraction_bits)),
        minimum=np.float32(fmt.saturation_integer),
        maximum=np.float32(fmt.max_integer_code),
        mask=fmt.code_count - 1,
    )


@kernel
def round_bits(magnitude: Any, p: NarrowParameters) -> Any:
    """Return the code, without sign and unclamped, of a float32 magnitude given as its bits (uint32, not NaN)."""
    shift = np.uint32(p.shift)
    odd = np.uint32(np.right_shift(magnitude, shift) & np.uint32(1))
    rounded = np.uint32(np.uint32(magnitude + np.uint32(p.half_minus_one)) + odd)
    normal = np.uint32(np.right_shift(rounded, shift) - np.uint32(p.rebias))
    # The float32 addition itself rounds to multiples of the smallest subnormal, ties to even.
    aligned = np.float32(np.uint32(magnitude).view(np.float32) + p.magic).view(np.uint32)
    subnormal = np.uint32(aligned - np.float32(p.magic).view(np.uint32))
    return subnormal if magnitude < np.uint32(p.smallest_normal) else normal


@kernel
def narrow_float32(bits: NDArray[np.uint32], codes: NDArray[Any], p: NarrowParameters) -> bool:
    """Encode flat float32 ``bits`` into ``codes``; returns whether a NaN was among them."""
    max_code = np.uint32(p.max_code)
    nan_code = np.uint32(p.nan_code)
    sign_shift = np.uint32(p.sign_shift)
    sign_bit = np.uint32(p.sign_bit)
    negative_zero = np.uint32(p.negative_zero)
    largest = np.uint32(0)
    for i in range(bits.size):
        magnitude = np.uint32(bits[i] & np.uint32(0x7FFFFFFF))
        largest = max(largest, magnitude)
        sign = np.uint32(np.right_shift(bits[i], sign_shift) & sign_bit)
        code = np.uint32(min(round_bits(magnitude, p), max_code) | sign)
        code = negative_zero if code == sign_bit else code
        code = np.uint32(nan_code | sign) if magnitude > np.uint32(INFINITY_BITS) else code
        codes[i] = code
    return largest > np.uint32(INFINITY_BITS)


@kernel
def narrow_integer32(values: NDArray[np.float32], codes: NDArray[Any], p: NarrowIntegerParameters) -> bool:
    """Encode flat float32 ``values`` into two's complement ``codes``; returns whether a NaN was among them."""
    mask = np.uint32(p.mask)
    # 1.5 * 2**23: adding it rounds to an integer, ties to even, which then stands in the low bits.
    magic = np.float32(12582912.0)
    nans = False
    for i in range(values.size):
        value = values[i]
        nans |= value != value
        clamped = min(max(np.float32(value * p.scale), p.minimum), p.maximum)
        codes[i] = np.uint32(np.float32(clamped + magic).view(np.uint32) & mask)
    return nans
