"""The fast path of quantize_blocks: float32 blocks, nearest even, one pass over the data.

Blocks that it cannot decide are marked in ``hard`` and left to the exact path: NaN, infinities, magnitudes at the ends
of float32, and, for scales that are no powers of two, quotients so near a rounding boundary that float32 arithmetic
could fall on the wrong side. What is not marked has exactly the bits of the exact path; a test compares them.

All loops run over ``block`` as an argument: LLVM unrolls a constant trip count before it vectorises.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simhw.formats.block import BlockFormat
from simhw.formats.decoding import value_table
from simhw.formats.element import power_of_two
from simhw.formats.floating import FloatFormat
from simhw.formats.integer import IntegerFormat
from simhw.formats.narrow import (
    INFINITY_BITS,
    NarrowIntegerParameters,
    NarrowParameters,
    narrow_integer_parameters,
    narrow_parameters,
    round_bits,
)
from simhw.formats.rounding import ScaleRule
from simhw.kernel import kernel

_CHUNK = 1024
"""Elements whose largest magnitudes, scales and flags are kept in the first-level cache."""

_MARGIN = 4
"""Units in the last place of float32 by which a quotient may be wrong: two roundings of half a unit each, relative to
a significand that may lie just above a power of two, and one more in the subnormal range; doubled."""


class PowerOfTwoParameters(NamedTuple):
    """``code = ((amax_bits + addend) >> 23) - max_exponent``, not below 0, is the E8M0 code of the scale."""

    addend: int
    max_exponent: int


class AmaxParameters(NamedTuple):
    """A scale of ``amax * reciprocal`` rounded to the scale format, and the reciprocals of all scales."""

    reciprocal: np.float32
    minimum: np.float32
    reciprocals: NDArray[np.float32]


@lru_cache(maxsize=256)
def power_of_two_parameters(fmt: BlockFormat, rule: ScaleRule) -> PowerOfTwoParameters | None:
    """Return how E8M0 scales follow from the bits of amax, or None where the fast path does not apply.

    A carry out of the mantissa raises the exponent: CEIL carries for every mantissa but zero, ROUND_UP for those above
    the mantissa of the largest element, EVEN for those that round up to two.
    """
    element = fmt.element
    is_e8m0 = fmt.scale.mantissa_bits == 0 and not fmt.scale.has_zero and fmt.scale.bias == 127
    if not is_e8m0 or fmt.scale.bits != 8 or element.max_exponent < 0 or element.lsb_exponent < -60:
        return None
    if element_parameters(fmt) is None or element.significand_bits > 23:
        return None
    all_ones = (1 << 23) - 1
    top_mantissa = int(element.max_value / power_of_two(element.max_exponent - 23)) - (1 << 23)
    addend = {
        ScaleRule.FLOOR: 0,
        ScaleRule.CEIL: all_ones,
        ScaleRule.EVEN: 1 << (23 - element.significand_bits),
        ScaleRule.ROUND_UP: all_ones - top_mantissa,
    }
    return PowerOfTwoParameters(addend=addend[rule], max_exponent=element.max_exponent) if rule in addend else None


def amax_parameters(fmt: BlockFormat, tensor_scale: float) -> AmaxParameters | None:
    """Return how other scales follow from amax, or None where the fast path does not apply."""
    element = element_parameters(fmt)
    if not isinstance(element, NarrowParameters) or scale_parameters(fmt) is None or fmt.element.lsb_exponent < -60:
        return None
    values = value_table(fmt.scale)[: fmt.scale.max_code + 1].astype(np.float64)
    smallest, largest = float(values[values > 0][0]), float(values[-1])
    divisors = (smallest * tensor_scale, largest * tensor_scale, float(fmt.element.max_value) * tensor_scale)
    if not all(2.0**-100 <= divisor <= 2.0**100 for divisor in divisors):
        return None
    reciprocals = np.zeros(values.size, dtype=np.float32)
    reciprocals[values > 0] = 1.0 / (values[values > 0] * tensor_scale)
    return AmaxParameters(
        reciprocal=np.float32(1.0 / (float(fmt.element.max_value) * tensor_scale)),
        minimum=np.float32(fmt.smallest_scale),
        reciprocals=reciprocals,
    )


def element_parameters(fmt: BlockFormat) -> NarrowParameters | NarrowIntegerParameters | None:
    """Return the fast kernel's parameters of the elements, or None."""
    if isinstance(fmt.element, FloatFormat):
        return narrow_parameters(fmt.element) if fmt.element.has_negative_zero else None
    return narrow_integer_parameters(fmt.element) if isinstance(fmt.element, IntegerFormat) else None


def scale_parameters(fmt: BlockFormat) -> NarrowParameters | None:
    """Return the fast kernel's parameters of the scales, whose sign never matters, or None."""
    return narrow_parameters(fmt.scale) if fmt.scale.bits <= 8 else None


@kernel
def largest_bits(bits: NDArray[np.uint32], base: int, block: int) -> Any:
    """Return the largest magnitude of a block, as float32 bits (NaN and infinity on top)."""
    largest = np.uint32(0)
    for i in range(block):
        largest = max(largest, np.uint32(bits[np.uint64(base) + np.uint64(i)] & np.uint32(0x7FFFFFFF)))
    return largest


@kernel
def block_maxima_bits(bits: NDArray[np.uint32], block: int, maxima: NDArray[np.uint32]) -> None:
    """Write the largest magnitude of each block to ``maxima``, as float32 bits."""
    for row in range(maxima.size):
        maxima[row] = largest_bits(bits, row * block, block)


@kernel
def power_of_two_scale(largest: Any, s: PowerOfTwoParameters) -> tuple[int, bool]:
    """Return the E8M0 code and whether the exact path must decide (NaN, infinity, the ends of float32)."""
    exponent = np.int64(np.right_shift(np.uint32(largest + np.uint32(s.addend)), np.uint32(23)))
    code = max(exponent - s.max_exponent, 0)
    subnormal = largest != np.uint32(0) and largest < np.uint32(0x00800000)
    return code, largest >= np.uint32(INFINITY_BITS) or code >= 254 or subnormal


@kernel
def quantize_floats(
    bits: NDArray[np.uint32],
    codes: NDArray[Any],
    scales: NDArray[Any],
    hard: NDArray[np.bool_],
    block: int,
    s: PowerOfTwoParameters,
    p: NarrowParameters,
) -> None:
    """Quantize flat blocks to float elements under E8M0 scales."""
    max_code = np.uint32(p.max_code)
    sign_shift = np.uint32(p.sign_shift)
    sign_bit = np.uint32(p.sign_bit)
    for row in range(scales.size):
        base = row * block
        if base < 0:  # never; without it Numba wraps negative indices, and the loads become gathers
            return
        code, hard[row] = power_of_two_scale(largest_bits(bits, base, block), s)
        scales[row] = code
        factor = np.uint32(np.uint32(254 - code) << np.uint32(23)).view(np.float32)
        for i in range(block):
            scaled = np.float32(np.uint32(bits[base + i]).view(np.float32) * factor).view(np.uint32)
            sign = np.uint32(np.right_shift(scaled, sign_shift) & sign_bit)
            rounded = round_bits(np.uint32(scaled & np.uint32(0x7FFFFFFF)), p)
            codes[base + i] = np.uint32(min(rounded, max_code) | sign)


@kernel
def quantize_integers(
    bits: NDArray[np.uint32],
    codes: NDArray[Any],
    scales: NDArray[Any],
    hard: NDArray[np.bool_],
    block: int,
    s: PowerOfTwoParameters,
    p: NarrowIntegerParameters,
) -> None:
    """Quantize flat blocks to integer or fixed-point elements under E8M0 scales."""
    mask = np.uint32(p.mask)
    magic = np.float32(12582912.0)
    for row in range(scales.size):
        base = row * block
        if base < 0:
            return
        code, hard[row] = power_of_two_scale(largest_bits(bits, base, block), s)
        scales[row] = code
        factor = np.uint32(np.uint32(254 - code) << np.uint32(23)).view(np.float32)
        for i in range(block):
            scaled = np.float32(np.float32(np.uint32(bits[base + i]).view(np.float32) * factor) * p.scale)
            clamped = min(max(scaled, p.minimum), p.maximum)
            codes[base + i] = np.uint32(np.float32(clamped + magic).view(np.uint32) & mask)


@kernel
def round_quotient(quotient: Any, p: NarrowParameters) -> tuple[Any, Any]:
    """Return (code, distance) of a non-negative float32 quotient, rounded to nearest.

    A distance of at most ``2 * _MARGIN`` means that the exact quotient may be a tie or lie beyond one.
    """
    shift = np.uint32(p.shift)
    normal_bits = np.uint32(p.smallest_normal)
    small = np.float32(quotient).view(np.uint32) < normal_bits
    # Below the smallest normal value: add it, so that the mantissa field counts multiples of the subnormal step.
    lifted = np.float32(quotient + np.uint32(normal_bits).view(np.float32)) if small else np.float32(quotient)
    lift = np.right_shift(np.uint32(1 << 23), shift) if small else np.uint32(0)
    # Half a step and the margin carry into the code exactly if the distance above the tie is less than half a step.
    carried = np.uint32(np.float32(lifted).view(np.uint32) + np.uint32(p.half_minus_one + 1 + _MARGIN))
    code = np.uint32(np.uint32(np.right_shift(carried, shift) - np.uint32(p.rebias)) - lift)
    distance = np.uint32(carried & np.uint32(2 * p.half_minus_one + 1))
    return np.uint32(min(code, np.uint32(p.max_code))), distance


@kernel
def quantize_amax(
    bits: NDArray[np.uint32],
    codes: NDArray[Any],
    scales: NDArray[Any],
    hard: NDArray[np.bool_],
    block: int,
    maxima: NDArray[np.uint32],
    s: AmaxParameters,
    sp: NarrowParameters,
    p: NarrowParameters,
) -> None:
    """Quantize flat blocks to float elements under rounded scales, by multiplication with reciprocals.

    In chunks, with the reciprocal of every element written out: loops as short as a block spend their time on entry.
    ``maxima`` comes from :func:`block_maxima_bits`.
    """
    chunk = max(1, _CHUNK // block)
    factors = np.empty(chunk * block, dtype=np.float32)
    for first in range(0, scales.size, chunk):
        count = min(chunk, scales.size - first)
        last = first + count
        choose_scales(maxima[first:last], scales[first:last], hard[first:last], s, sp)
        spread(scales[first:last], s.reciprocals, factors, block)
        span = slice(first * block, last * block)
        if divide(bits[span], factors, codes[span], p):
            for row in range(first, last):
                own = slice(row * block, (row + 1) * block)
                hard[row] |= divide(bits[own], factors[(row - first) * block :], codes[own], p)


@kernel
def choose_scales(
    largest: NDArray[np.uint32], scales: NDArray[Any], hard: NDArray[np.bool_], s: AmaxParameters, p: NarrowParameters
) -> None:
    """Round the scale of each block, and mark those that float32 cannot decide."""
    for row in range(largest.size):
        wanted = max(np.float32(np.uint32(largest[row]).view(np.float32) * s.reciprocal), s.minimum)
        code, distance = round_quotient(wanted, p)
        hard[row] = distance <= np.uint32(2 * _MARGIN) or largest[row] >= np.uint32(INFINITY_BITS)
        scales[row] = code


@kernel
def spread(scales: NDArray[Any], reciprocals: NDArray[np.float32], factors: NDArray[np.float32], block: int) -> None:
    """Write the reciprocal of each block's scale once per element."""
    for row in range(scales.size):
        factor = reciprocals[np.uint64(scales[row])]
        for i in range(block):
            factors[np.uint64(row) * np.uint64(block) + np.uint64(i)] = factor


@kernel
def divide(bits: NDArray[np.uint32], factors: NDArray[np.float32], codes: NDArray[Any], p: NarrowParameters) -> bool:
    """Encode the products with the reciprocals; returns whether one is too near a tie for float32 to decide."""
    sign_shift = np.uint32(p.sign_shift)
    sign_bit = np.uint32(p.sign_bit)
    nearest = np.uint32(0xFFFFFFFF)
    for i in range(bits.size):
        magnitude = np.uint32(bits[i] & np.uint32(0x7FFFFFFF))
        sign = np.uint32(np.right_shift(bits[i], sign_shift) & sign_bit)
        made, distance = round_quotient(np.float32(np.uint32(magnitude).view(np.float32) * factors[i]), p)
        codes[i] = np.uint32(made | sign)
        nearest = np.uint32(min(nearest, distance))
    return nearest <= np.uint32(2 * _MARGIN)
