"""Error bounds of accumulators that align a block of products and cut them off: tensor cores and matrix cores.

Every block cuts each of its terms by less than ``2**-F * 2**E`` and rounds once, where ``2**E`` is at most the largest
magnitude that takes part, or that of a subnormal product or a zero. See :mod:`simhw.gemm.bounds` for the notation.
"""

from __future__ import annotations

from fractions import Fraction

from simhw.accumulators import Addend, Aligned
from simhw.accumulators.amd_aligned import MINIMUM_EXPONENT, AmdAligned
from simhw.accumulators.rounding import FLOAT32
from simhw.accumulators.scaled import ScaledAligned, ScaledGroups
from simhw.formats.element import power_of_two
from simhw.gemm.error_rules import (
    ErrorBound,
    Formats,
    gamma_of,
    rounding_error,
    subnormal_product,
    subnormal_unit,
)

_UNIT_SCALES = "for scales of one, else the absolute part times the largest product of two scales"


def aligned(accumulator: Aligned, k: int, formats: Formats) -> ErrorBound | None:
    """NVIDIA's tensor cores: truncation never makes a sum larger, rounding to nearest does by gamma(N)."""
    blocks = -(-k // accumulator.block)
    result = accumulator.result
    u, eta = rounding_error(result), subnormal_unit(result)
    growth = Fraction(1)
    if result.rounding is not result.rounding.TOWARD_ZERO:
        gamma = gamma_of(blocks, u)
        if gamma is None:
            return None
        growth += gamma
    cut = (accumulator.block + 1) * power_of_two(-accumulator.fraction_bits)
    floor = subnormal_product(accumulator.minimum_exponents, formats) + power_of_two(result.minimum_exponent)
    floor += power_of_two(accumulator.zero_exponent) + blocks * eta
    relative = blocks * (cut + u) * growth
    absolute = blocks * (cut * floor + u * blocks * eta + eta)
    if accumulator.addend is Addend.AFTER:  # one more rounding to nearest, of the sum with c
        last = min(u, rounding_error(FLOAT32)) if result.significand_bits > 11 else u
        relative += last * (1 + relative)
        absolute = absolute * (1 + last) + eta
    sizes = f"N = {blocks} blocks of L = {accumulator.block}, F = {accumulator.fraction_bits}"
    return ErrorBound(relative=relative, absolute=absolute, formula=f"N ((L + 1) 2^-F + u) G S, {sizes}")


def amd_aligned(accumulator: AmdAligned, k: int, formats: Formats) -> ErrorBound | None:
    """CDNA3: also the addend is cut, sums are rounded down, and the magnitudes may grow with each.

    With d the relative error of one block, of its terms and of the sum so far, N blocks err by at most gamma(N, d).
    """
    blocks = -(-k // accumulator.block)
    u, eta = rounding_error(FLOAT32), subnormal_unit(FLOAT32)
    cuts = accumulator.block + 1 + 2 * int(accumulator.interleaved)
    cut = cuts * power_of_two(-accumulator.fraction_bits) + power_of_two(-accumulator.sum_bits - 1)
    last = power_of_two(-accumulator.sum_bits)
    each = cut + (1 + cut) * (last + u + last * u)
    gamma = gamma_of(blocks, each)
    if gamma is None:
        return None
    floor = subnormal_product(accumulator.minimum_exponents, formats) + power_of_two(MINIMUM_EXPONENT)
    sizes = f"N = {blocks} blocks of L = {accumulator.block}, F = {accumulator.fraction_bits}"
    return ErrorBound(
        relative=gamma,
        absolute=blocks * (each * floor + eta) * (1 + gamma),
        formula=f"gamma(N) of about (L + {cuts - accumulator.block}) 2^-F + u per block, {sizes}",
    )


def scaled_aligned(accumulator: ScaledAligned, k: int, formats: Formats) -> ErrorBound | None:
    """As tensor cores without scales, whose exponents only move."""
    same = Aligned(
        block=accumulator.block,
        fraction_bits=accumulator.fraction_bits,
        zero_exponent=accumulator.zero_exponent,
        result=accumulator.result,
        minimum_exponents=accumulator.minimum_exponents,
    )
    bound = aligned(same, k, formats)
    if bound is None:
        return None
    return ErrorBound(relative=bound.relative, absolute=bound.absolute, formula=f"{bound.formula}; {_UNIT_SCALES}")


def scaled_groups(accumulator: ScaledGroups, k: int, formats: Formats) -> ErrorBound:  # noqa: ARG001
    """A group takes part with the exponent of its scales, 0 for scales of one, however small its sum is."""
    blocks = -(-k // accumulator.block)
    u, eta = rounding_error(accumulator.result), subnormal_unit(accumulator.result)
    groups = accumulator.block // accumulator.group
    cut = (groups + 1) * power_of_two(-accumulator.fraction_bits)
    floor = 1 + power_of_two(accumulator.result.minimum_exponent) + blocks * eta
    sizes = f"N = {blocks} blocks of {groups} groups, F = {accumulator.fraction_bits}"
    return ErrorBound(
        relative=blocks * (cut + u),
        absolute=blocks * (cut * floor + u * blocks * eta + eta),
        formula=f"N ((groups + 1) 2^-F + u) S, {sizes}; {_UNIT_SCALES}",
    )
