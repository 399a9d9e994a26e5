"""How a value that a format lacks becomes one that it has: rounding inside the range, policy outside it."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import TypeVar

from simhw.errors import InputError


class Rounding(StrEnum):
    """Which of the two neighbouring values a value between them becomes.

    *Even* and *odd* speak of the code: codes of one sign count up with the magnitude, so a format with one bit
    of precision (e8m0, P3109 with p = 1) has even and odd values as well.
    """

    NEAREST_EVEN = "nearest_even"
    """The nearer one; a tie goes to the even code (IEEE 754 roundTiesToEven)."""
    NEAREST_AWAY = "nearest_away"
    """The nearer one; a tie goes away from zero (IEEE 754 roundTiesToAway)."""
    TOWARD_ZERO = "toward_zero"
    """The one with the smaller magnitude: truncation (IEEE 754 roundTowardZero)."""
    UP = "up"
    """The larger one (IEEE 754 roundTowardPositive)."""
    DOWN = "down"
    """The smaller one (IEEE 754 roundTowardNegative)."""
    TO_ODD = "to_odd"
    """The one with the odd code: no later rounding to fewer bits can then go wrong twice."""
    STOCHASTIC = "stochastic"
    """Away from zero if the dropped fraction, cut to n bits, plus an n-bit random number carries out.

    That is what hardware does which adds random bits below the last kept bit and truncates.
    """


class Overflow(StrEnum):
    """What becomes of a value whose rounded magnitude is beyond the largest one, and of infinite inputs."""

    SATURATE = "saturate"
    """The largest value of that sign; also for infinite inputs."""
    INFINITY = "infinity"
    """Infinity of that sign (formats that have one). As in IEEE 754 section 7.4 a rounding that points toward
    zero gives the largest finite value instead; to_odd counts as one that does."""
    NAN = "nan"
    """NaN (formats that have one), with the same exception as INFINITY."""
    WRAP = "wrap"
    """The low bits of the two's complement integer (integer formats only)."""


class ScaleRule(StrEnum):
    """How the scale of a block follows from the largest magnitude in it (amax).

    The first four give powers of two, by exponent-field arithmetic: the exponent of amax is read off, not
    computed by a logarithm that rounds.
    """

    FLOOR = "floor"
    """``2**(floor(log2 amax) - emax)``: the rule of OCP MX 1.0 section 6.3. Elements may saturate."""
    CEIL = "ceil"
    """``2**(ceil(log2 amax) - emax)``."""
    EVEN = "even"
    """FLOOR of amax after rounding amax to the element's precision, ties away from zero."""
    ROUND_UP = "round_up"
    """``2**ceil(log2(amax / largest element))``: the smallest power of two at which nothing saturates."""
    AMAX = "amax"
    """``amax / largest element``, rounded to nearest even in the scale format (NVFP4)."""


Choice = TypeVar("Choice", bound=Enum)


def choose(kind: type[Choice], given: Choice | str, *, argument: str) -> Choice:
    """Return the member of the enum ``kind`` that ``given`` names; InputError lists the members otherwise."""
    if isinstance(given, kind):
        return given
    try:
        return kind(given)
    except ValueError:
        names = ", ".join(str(member.value) for member in kind)
        raise InputError(f"{argument} is {given!r}, must be one of: {names}") from None
