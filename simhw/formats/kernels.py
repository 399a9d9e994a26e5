"""The generic codec kernels: any rounding, any format, on float64 bit patterns (float32 widens exactly).

Formats arrive as tuples of integers at run time, so one compilation serves all of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

NEAREST_EVEN, NEAREST_AWAY, TOWARD_ZERO, UP, DOWN, TO_ODD, STOCHASTIC = range(7)

_FRACTION = 52
_INFINITY = 0x7FF0000000000000
_MAGNITUDE = 0x7FFFFFFFFFFFFFFF


class RoundingParameters(NamedTuple):
    """How to round: the rule, and for STOCHASTIC the random bits and the seed. All fields are int64."""

    rounding: int
    draw_bits: int
    seed: int


class FloatParameters(NamedTuple):
    """A :class:`FloatFormat` and its policies, resolved to codes. All fields are int64."""

    mantissa_bits: int
    minimum_exponent: int
    first_normal_code: int
    has_subnormals: int
    has_zero: int
    is_signed: int
    max_code: int
    sign_bit: int
    overflow_positive: int
    overflow_negative: int
    infinite_positive: int
    infinite_negative: int
    nan_positive: int
    nan_negative: int
    zero_positive: int
    zero_negative: int


class IntegerParameters(NamedTuple):
    """An :class:`IntegerFormat` and its policies. All fields are int64; ``wrap`` is 0 or 1."""

    lsb_exponent: int
    minimum: int
    maximum: int
    mask: int
    wrap: int


@kernel
def random_bits(seed: int, index: int, count: int) -> int:
    """Return ``count`` bits that depend on seed and element index alone (SplitMix64 at that position)."""
    state = np.uint64(seed) + (np.uint64(index) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state = state ^ (state >> np.uint64(31))
    return np.int64(state >> np.uint64(64 - count))


@kernel
def round_away(rest: int, shift: int, odd: int, negative: bool, how: RoundingParameters, index: int) -> int:
    """Return 1 if a magnitude with ``rest / 2**shift`` below its last place rounds away from zero, else 0.

    ``rest`` is below ``2**53``; ``shift`` is positive; ``odd`` is the parity of the truncated code.
    """
    if rest == 0:
        return 0
    rule = how.rounding
    if rule in (NEAREST_EVEN, NEAREST_AWAY):
        half = 1 << (min(shift, 63) - 1)
        if rest == half:
            return odd if rule == NEAREST_EVEN else 1
        return 1 if rest > half else 0
    if rule == UP:
        return 0 if negative else 1
    if rule == DOWN:
        return 1 if negative else 0
    if rule == TO_ODD:
        return 1 - odd
    if rule == STOCHASTIC:
        gap = shift - how.draw_bits
        dropped = (rest << -gap) if gap < 0 else (rest >> min(gap, 63))
        return 1 if dropped + random_bits(how.seed, index, how.draw_bits) >= (1 << how.draw_bits) else 0
    return 0


@kernel
def split(bits: int) -> tuple[int, int]:
    """Return (significand, exponent) of a finite non-zero float64, ``significand * 2**(exponent - 52)``."""
    exponent = (bits >> _FRACTION) - 1023
    significand = bits & ((1 << _FRACTION) - 1)
    if exponent > -1023:
        return significand | (1 << _FRACTION), exponent
    exponent = -1022
    while significand < (1 << _FRACTION):
        significand <<= 1
        exponent -= 1
    return significand, exponent


@kernel
def encode_magnitude(
    significand: int, exponent: int, negative: bool, p: FloatParameters, how: RoundingParameters, index: int
) -> int:
    """Return the code of a finite non-zero value given as sign, 53-bit normalised significand and exponent."""
    below = max(p.minimum_exponent - exponent, 0)
    if below > 0 and p.has_subnormals == 0 and p.has_zero == 1:
        shift = _FRACTION + below
        magnitude = p.first_normal_code * round_away(significand, shift, 0, negative, how, index)
    else:
        shift = _FRACTION - p.mantissa_bits + below
        kept = significand >> min(shift, 63)
        rest = significand - (kept << min(shift, 63))
        # The hidden bit in `kept` counts as one binade, and so does first_normal_code unless there is no zero.
        binades = (exponent + below - p.minimum_exponent) << p.mantissa_bits
        magnitude = binades + kept + p.first_normal_code - (1 << p.mantissa_bits)
        magnitude += round_away(rest, shift, magnitude & 1, negative, how, index)
    if magnitude <= 0 and p.has_zero == 1:
        return p.zero_negative if negative else p.zero_positive
    if negative and p.is_signed == 0:
        return p.overflow_negative
    if magnitude > p.max_code:
        return p.overflow_negative if negative else p.overflow_positive
    return max(magnitude, 0) | (p.sign_bit if negative else 0)


@kernel
def encode_float(
    values: NDArray[np.floating],
    codes: NDArray[np.unsignedinteger],
    first: int,
    p: FloatParameters,
    how: RoundingParameters,
) -> tuple[int, int]:
    """Encode flat ``values`` into ``codes``; ``first`` is the index of the first one, for STOCHASTIC.

    Returns how many values were NaN and how many infinite.
    """
    nans = 0
    infinities = 0
    for i in range(values.size):
        bits = np.float64(values[i]).view(np.int64)
        negative = bits < 0
        bits &= _MAGNITUDE
        if bits == 0:
            code = p.zero_negative if negative else p.zero_positive
        elif bits < _INFINITY:
            significand, exponent = split(bits)
            code = encode_magnitude(significand, exponent, negative, p, how, first + i)
        elif bits == _INFINITY:
            infinities += 1
            code = p.infinite_negative if negative else p.infinite_positive
        else:
            nans += 1
            code = p.nan_negative if negative else p.nan_positive
        codes[i] = code
    return nans, infinities


@kernel
def encode_integer(
    values: NDArray[np.floating],
    codes: NDArray[np.unsignedinteger],
    first: int,
    p: IntegerParameters,
    how: RoundingParameters,
) -> tuple[int, int]:
    """Encode flat ``values`` into two's complement ``codes``; returns how many were NaN and infinite."""
    nans = 0
    infinities = 0
    for i in range(values.size):
        bits = np.float64(values[i]).view(np.int64)
        negative = bits < 0
        bits &= _MAGNITUDE
        if bits == 0:
            codes[i] = 0
            continue
        if bits >= _INFINITY:
            nans += bits > _INFINITY
            infinities += bits == _INFINITY
            codes[i] = (p.minimum if negative else p.maximum) & p.mask
            continue
        significand, exponent = split(bits)
        shift = _FRACTION - exponent + p.lsb_exponent
        if shift > 0:
            kept = significand >> min(shift, 63)
            rest = significand - (kept << min(shift, 63))
            kept += round_away(rest, shift, kept & 1, negative, how, first + i)
        elif p.wrap == 1:
            # Only the low bits matter; from 2**64 on they are zero.
            kept = significand << -shift if shift > -64 else 0
        else:
            kept = significand << -shift if shift > -10 else _MAGNITUDE
        integer = -kept if negative else kept
        if p.wrap == 0:
            integer = min(max(integer, p.minimum), p.maximum)
        codes[i] = integer & p.mask
    return nans, infinities


@kernel
def look_up(codes: NDArray[Any], values: NDArray[Any], table: NDArray[Any]) -> None:
    """Write ``table[codes]`` into ``values``; every code is an index of the table."""
    for i in range(codes.size):
        values[i] = table[np.uint64(codes[i])]
