"""One step of a floating-point register of any precision, exponent range and rounding, in wider floats.

A register is ten numbers of the loop's own float type, see :func:`simhw.gemm.registers.numbers_of`: smallest normal
power of two; power of two past the largest number; the rounding constant ``1.5 * 2**(q - p)`` for floats of q bits; a
factor that makes the float overflow where the register does, and its reciprocal; the unit in the last place of one;
what is left of overflow on either side; the direction (1 up, -1 down, 0 toward zero);
one (a literal would widen float32 arithmetic to float64).

Rounding to ``p`` bits is one addition and one subtraction of a large power of two, at whose magnitude the last bit
of the float is the last bit of the register: to nearest even, by the float's own adder, subnormals included.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.kernels.bits import choose, has_odd_pattern, power_below, to_odd, with_sign
from simhw.kernel import kernel

Register = tuple[float, float, float, float, float, float, float, float, float, float]


@kernel
def unpack(numbers: NDArray[np.float64]) -> Register:
    """Return the numbers one by one: kept in an array, they would be loaded again after every store."""
    n = numbers
    return n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9]


@kernel
def round_nearest(value: float, register: Register) -> float:
    """Return ``value`` rounded to nearest even; infinity, or the limit, past the largest number.

    The value must be exact, or such that this rounding decides alone (the planner's proof).
    """
    low, high, spread, up, down = register[0], register[1], register[2], register[3], register[4]
    large = min(max(power_below(value), low), high) * spread
    rounded = (value + large) - large
    return with_sign(rounded * up * down, value)


@kernel
def limit(rounded: float, value: float, register: Register) -> float:
    """Return what is left of a rounded value on either side of the range; NaN (of infinities that met) stays."""
    return choose(value == value, with_sign(min(max(rounded, register[6]), register[7]), value), value)


@kernel
def round_nearest_limited(value: float, register: Register) -> float:
    """The same for registers that may saturate."""
    rounded = round_nearest(value, register)
    return limit(rounded, value, register)


@kernel
def round_directed(value: float, register: Register) -> float:
    """Return ``value``, exact or rounded to odd, rounded toward zero, up or down."""
    low, high, spread, up, down, unit, _, _, upward, one = register
    power = min(max(power_below(value), low), high)
    large = power * spread
    rounded = (value + large) - large
    rest = value - rounded
    ulp = power * unit
    wanted = upward - with_sign(one - abs(upward), value)
    step = choose(rest * wanted > 0, with_sign(ulp, rest), one - one)
    return limit((rounded + step) * up * down, value, register)


@kernel
def round_other(value: float, register: Register, odd: bool) -> float:
    """Return ``value``, exact or rounded to odd, rounded to odd, or to nearest with ties away from zero."""
    low, high, spread, up, down, unit, _, _, _, one = register
    power = min(max(power_below(value), low), high)
    large = power * spread
    shifted = value + large
    rounded = shifted - large
    rest = value - rounded
    ulp = power * unit
    zero = one - one
    missing = choose(has_odd_pattern(shifted), zero, choose(abs(rest) > 0, with_sign(ulp, rest), zero))
    outward = choose(rest * value > 0, with_sign(ulp, value), zero)
    away = choose(abs(rest) + abs(rest) == ulp, outward, zero)
    step = choose(odd, missing, away)
    return limit((rounded + step) * up * down, value, register)


@kernel
def add_to_odd(left: float, right: float) -> float:
    """Return ``left + right`` rounded to odd; an infinite term stays infinite."""
    total = left + right
    part = total - left
    return to_odd(total, (left - (total - part)) + (right - part))


@kernel
def add_directed(left: float, right: float, register: Register) -> float:
    """Return the sum rounded toward zero, up or down; rounding down, terms that cancel leave minus zero."""
    total = add_to_odd(left, right)
    upward = register[8]
    one = register[9]
    negative: float = min(with_sign(one, left), with_sign(one, right))
    cancelled = (total == 0) & (upward < 0)
    return round_directed(choose(cancelled, with_sign(total, negative), total), register)
