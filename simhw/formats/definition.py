"""The meaning of formats in Python integers and fractions: slow, obvious by reading, the judge of the codec."""

from __future__ import annotations

import math
from fractions import Fraction

from simhw.errors import InputError
from simhw.formats.codebook import CodebookFormat
from simhw.formats.element import ElementFormat, floor_log2, power_of_two
from simhw.formats.floating import FloatFormat, NanCodes
from simhw.formats.integer import IntegerFormat
from simhw.formats.rounding import Overflow, Rounding

NEVER_OVERFLOWS = {
    False: {Rounding.TOWARD_ZERO, Rounding.DOWN, Rounding.TO_ODD},
    True: {Rounding.TOWARD_ZERO, Rounding.UP, Rounding.TO_ODD},
}
"""Roundings that keep a positive (False) or negative (True) finite value from becoming infinity or NaN."""


def decode_exact(code: int, fmt: ElementFormat) -> Fraction | float:
    """Return the value of a code: a Fraction, or one of the floats nan, inf, -inf and -0.0.

    Raises:
        InputError: the format has no such code.
    """
    if not 0 <= code < fmt.code_count:
        raise InputError(f"code is {code}, must be 0..{fmt.code_count - 1} for {fmt.name}")
    if isinstance(fmt, IntegerFormat):
        integer = code - fmt.code_count if code > fmt.max_integer_code else code
        return integer * power_of_two(fmt.lsb_exponent)
    if isinstance(fmt, FloatFormat):
        return _decode_float(code, fmt)
    assert isinstance(fmt, CodebookFormat)
    return Fraction(fmt.values[code])


def _decode_float(code: int, fmt: FloatFormat) -> Fraction | float:
    if fmt.nan is NanCodes.NEGATIVE_ZERO and code == fmt.sign_bit:
        return math.nan
    negative = bool(code & fmt.sign_bit)
    magnitude = code & fmt.top_code
    if magnitude == fmt.infinity_code:
        return -math.inf if negative else math.inf
    if magnitude > fmt.max_code:
        return math.nan
    field, mantissa = divmod(magnitude, 1 << fmt.mantissa_bits)
    one = 1 << fmt.mantissa_bits
    if field > 0 or not fmt.has_zero:
        value = (one + mantissa) * power_of_two(field - fmt.bias - fmt.mantissa_bits)
    elif fmt.has_subnormals:
        value = mantissa * power_of_two(1 - fmt.bias - fmt.mantissa_bits)
    else:
        value = Fraction(0)
    if negative:
        return -value if value else -0.0
    return value


def round_steps(steps: Fraction, rounding: Rounding, *, odd: bool, negative: bool, draw: int, draw_bits: int) -> int:
    """Return a non-negative number of steps rounded to an integer.

    Args:
        steps: magnitude in units of the last place.
        rounding: the rule.
        odd: whether the code of ``floor(steps)`` is odd.
        negative: sign of the value, for UP and DOWN.
        draw: the random number of STOCHASTIC.
        draw_bits: how many bits it has.
    """
    low = math.floor(steps)
    rest = steps - low
    if rest == 0:
        return low
    half = Fraction(1, 2)
    away = {
        Rounding.NEAREST_EVEN: rest > half or (rest == half and odd),
        Rounding.NEAREST_AWAY: rest >= half,
        Rounding.TOWARD_ZERO: False,
        Rounding.UP: not negative,
        Rounding.DOWN: negative,
        Rounding.TO_ODD: not odd,
        Rounding.STOCHASTIC: math.floor(rest * (1 << draw_bits)) + draw >= 1 << draw_bits,
    }
    return low + int(away[rounding])


def encode_exact(
    value: Fraction | float,
    fmt: ElementFormat,
    rounding: Rounding = Rounding.NEAREST_EVEN,
    overflow: Overflow = Overflow.SATURATE,
    *,
    infinite: Overflow | None = None,
    draw: int = 0,
    draw_bits: int = 16,
) -> int:
    """Return the code of a value: see :func:`simhw.formats.encode`, whose definition this is.

    Args:
        value: a Fraction, or any float (nan, inf and -0.0 included).
        fmt: an element format.
        rounding: how values between two codes are rounded.
        overflow: what values beyond the largest become.
        infinite: what infinite inputs become; None means the same as ``overflow``.
        draw: random number of STOCHASTIC, ``0 <= draw < 2**draw_bits``.
        draw_bits: its width.

    Raises:
        InputError: NaN, infinity or wrapping asked of a format that has none.
    """
    if isinstance(fmt, IntegerFormat):
        return _encode_integer(value, fmt, rounding, overflow, infinite or overflow, draw, draw_bits)
    if isinstance(fmt, FloatFormat):
        return _encode_float(value, fmt, rounding, overflow, infinite or overflow, draw, draw_bits)
    assert isinstance(fmt, CodebookFormat)
    if overflow is not Overflow.SATURATE or infinite not in (None, Overflow.SATURATE):
        raise InputError(f"overflow is {overflow.value!r}, which {fmt.name} has not; take 'saturate'")
    return _encode_codebook(value, fmt, rounding, draw, draw_bits)


def _encode_integer(
    value: Fraction | float,
    fmt: IntegerFormat,
    rounding: Rounding,
    overflow: Overflow,
    infinite: Overflow,
    draw: int,
    draw_bits: int,
) -> int:
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value) or infinite is not Overflow.SATURATE:
            raise InputError(f"{value} has no code in {fmt.name}")
        integer = fmt.saturation_integer if value < 0 else fmt.max_integer_code
        return integer % fmt.code_count
    exact = Fraction(value)
    steps = abs(exact) / power_of_two(fmt.lsb_exponent)
    odd = math.floor(steps) % 2 == 1
    negative = exact < 0
    integer = round_steps(steps, rounding, odd=odd, negative=negative, draw=draw, draw_bits=draw_bits)
    integer = -integer if negative else integer
    if overflow is not Overflow.WRAP:
        integer = max(fmt.saturation_integer, min(fmt.max_integer_code, integer))
    return integer % fmt.code_count


def _encode_float(
    value: Fraction | float,
    fmt: FloatFormat,
    rounding: Rounding,
    overflow: Overflow,
    infinite: Overflow,
    draw: int,
    draw_bits: int,
) -> int:
    negative = math.copysign(1.0, value) < 0 if isinstance(value, float) else value < 0
    if isinstance(value, float) and math.isnan(value):
        return special_code(fmt, Overflow.NAN, negative)
    if isinstance(value, float) and math.isinf(value):
        return special_code(fmt, infinite, negative)
    exact = abs(Fraction(value))
    if exact == 0:
        if fmt.has_zero:
            return fmt.sign_bit if negative and fmt.has_negative_zero else 0
        return 0 if overflow is Overflow.SATURATE else special_code(fmt, Overflow.NAN, negative)
    magnitude = _round_magnitude(exact, fmt, rounding, negative, draw, draw_bits)
    if magnitude <= 0 and fmt.has_zero:
        return fmt.sign_bit if negative and fmt.has_negative_zero else 0
    if negative and not fmt.is_signed:
        return special_code(fmt, overflow, negative)
    if magnitude > fmt.max_code:
        clamp = rounding in NEVER_OVERFLOWS[negative]
        return special_code(fmt, Overflow.SATURATE if clamp else overflow, negative)
    return max(magnitude, 0) | (fmt.sign_bit if negative else 0)


def _round_magnitude(
    exact: Fraction, fmt: FloatFormat, rounding: Rounding, negative: bool, draw: int, draw_bits: int
) -> int:
    """Return the code of ``exact > 0`` as if the exponent had no upper end; below 0 if there is no zero."""
    exponent = max(floor_log2(exact), fmt.minimum_exponent)
    unit = power_of_two(exponent - fmt.mantissa_bits)
    if exact < fmt.smallest_normal and not fmt.has_subnormals and fmt.has_zero:
        # Only zero and the smallest normal are left; zero counts as even.
        steps = exact / fmt.smallest_normal
        up = round_steps(steps, rounding, odd=False, negative=negative, draw=draw, draw_bits=draw_bits)
        return up * fmt.first_normal_code
    # Steps of a binade start at 2**mantissa_bits, its codes at first_normal_code plus the binades below.
    steps = exact / unit
    below = ((exponent - fmt.minimum_exponent) << fmt.mantissa_bits) + fmt.first_normal_code - (1 << fmt.mantissa_bits)
    odd = (below + math.floor(steps)) % 2 == 1
    return below + round_steps(steps, rounding, odd=odd, negative=negative, draw=draw, draw_bits=draw_bits)


def special_code(fmt: FloatFormat, policy: Overflow, negative: bool) -> int:
    """Return the code that stands for "beyond the range" on one side, or for NaN, under a policy.

    An unsigned format has no infinity below: there INFINITY means NaN, or the smallest value without NaN.

    Raises:
        InputError: the format lacks what the policy asks for.
    """
    sign = fmt.sign_bit if negative else 0
    if policy is Overflow.INFINITY and negative and not fmt.is_signed:
        policy = Overflow.NAN if fmt.has_nan else Overflow.SATURATE
    if policy is Overflow.SATURATE:
        return 0 if negative and not fmt.is_signed else fmt.max_code | sign
    if policy is Overflow.INFINITY and fmt.infinity_code is not None:
        return fmt.infinity_code | sign
    if policy is Overflow.NAN and fmt.nan_code is not None:
        return fmt.nan_code | sign
    if policy is Overflow.WRAP:
        raise InputError(
            f"overflow is 'wrap', which only integer formats have; {fmt.name} has saturate"
            f"{', infinity' * fmt.has_infinity}{', nan' * fmt.has_nan}"
        )
    raise InputError(f"{fmt.name} has no {policy.value}; take overflow='saturate'")


def _encode_codebook(
    value: Fraction | float, fmt: CodebookFormat, rounding: Rounding, draw: int, draw_bits: int
) -> int:
    if isinstance(value, float) and math.isnan(value):
        raise InputError(f"{value} has no code in {fmt.name}")
    (smallest, smallest_code), (largest, largest_code) = fmt.ascending[0], fmt.ascending[-1]
    if value <= smallest:
        return smallest_code
    if value >= largest:
        return largest_code
    exact = Fraction(value)
    rank = max(rank for rank, (entry, _) in enumerate(fmt.ascending) if entry <= exact)
    return fmt.ascending[rank + rounds_to_upper_entry(exact, fmt, rank, rounding, draw, draw_bits)][1]


def rounds_to_upper_entry(
    value: Fraction, fmt: CodebookFormat, rank: int, rounding: Rounding, draw: int, draw_bits: int
) -> bool:
    """Return whether a value from entry ``rank`` on, below the next one, becomes that next one.

    "Away from zero" is toward the entry with the larger magnitude (of two equal ones, the negative).
    """
    low, high = fmt.ascending[rank][0], fmt.ascending[rank + 1][0]
    if value == low:
        return False
    upward = abs(low) < abs(high)
    inner = rank if upward else rank + 1
    fraction = abs(value - fmt.ascending[inner][0]) / (high - low)
    odd = (inner - fmt.even_rank) % 2 == 1
    away = round_steps(fraction, rounding, odd=odd, negative=not upward, draw=draw, draw_bits=draw_bits)
    return bool(away) is upward
