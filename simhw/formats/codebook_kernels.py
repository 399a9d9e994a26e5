"""Encoding into codebooks: one exact threshold per gap between neighbouring values.

All roundings but the stochastic one are monotonic, so a gap is described by the smallest float64 that rounds to its
upper end. The thresholds are found in exact fractions once; the kernel only compares.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats.codebook import CodebookFormat
from simhw.formats.definition import rounds_to_upper_entry
from simhw.formats.element import power_of_two
from simhw.formats.kernels import RoundingParameters, random_bits
from simhw.formats.rounding import Rounding
from simhw.kernel import kernel


class ThresholdParameters(NamedTuple):
    """``thresholds[r]`` is the smallest float64 that rounds to rank r + 1; ``codes[r]`` is the code of rank r."""

    thresholds: NDArray[np.float64]
    codes: NDArray[np.uint32]


class StochasticParameters(NamedTuple):
    """``integers[r]`` is the value of rank r in units of ``1 / scale``; ``codes[r]`` its code."""

    integers: NDArray[np.int64]
    scale: float
    codes: NDArray[np.uint32]


@lru_cache(maxsize=256)
def threshold_parameters(fmt: CodebookFormat, rounding: Rounding) -> ThresholdParameters:
    """Return the thresholds of a deterministic rounding."""
    thresholds = [_smallest_that_rounds_up(fmt, rank, rounding) for rank in range(len(fmt.ascending) - 1)]
    codes = np.array([code for _, code in fmt.ascending], dtype=np.uint32)
    return ThresholdParameters(thresholds=np.array(thresholds), codes=codes)


def _smallest_that_rounds_up(fmt: CodebookFormat, rank: int, rounding: Rounding) -> float:
    low, high = fmt.ascending[rank][0], fmt.ascending[rank + 1][0]
    # The rule can change at three places only: just above the lower value, at the middle, just above the middle.
    just_above = math.nextafter(float(low), math.inf)
    middle = (low + high) / 2
    at_or_above = float(middle) if Fraction(float(middle)) >= middle else math.nextafter(float(middle), math.inf)
    for candidate in (just_above, at_or_above, math.nextafter(at_or_above, math.inf)):
        if Fraction(candidate) < high and rounds_to_upper_entry(Fraction(candidate), fmt, rank, rounding, 0, 1):
            return candidate
    return float(high)


@lru_cache(maxsize=256)
def stochastic_parameters(fmt: CodebookFormat, draw_bits: int) -> StochasticParameters:
    """Return the integers of stochastic rounding with that many random bits.

    Raises:
        InputError: the values spread so far that int64 does not hold them with the random bits.
    """
    if fmt.max_integer << draw_bits >= 1 << 61:
        allowed = 61 - fmt.max_integer.bit_length()
        raise InputError(
            f"random_bits is {draw_bits}, must be 1..{allowed} for {fmt.name}, whose values spread over "
            f"{fmt.max_integer.bit_length()} bits"
        )
    unit = power_of_two(fmt.lsb_exponent)
    return StochasticParameters(
        integers=np.array([int(value / unit) for value, _ in fmt.ascending], dtype=np.int64),
        scale=float(1 / unit),
        codes=np.array([code for _, code in fmt.ascending], dtype=np.uint32),
    )


@kernel
def encode_thresholds(
    values: NDArray[Any], codes: NDArray[Any], _first: int, p: ThresholdParameters, _how: RoundingParameters
) -> tuple[int, int]:
    """Encode flat ``values``; values beyond the ends saturate. Returns how many were NaN and how many infinite."""
    nans = 0
    infinities = 0
    for i in range(values.size):
        value = np.float64(values[i])
        if np.isnan(value):
            nans += 1
        infinities += np.isinf(value)
        low = 0
        high = p.thresholds.size
        while low < high:
            middle = (low + high) >> 1
            if p.thresholds[middle] <= value:
                low = middle + 1
            else:
                high = middle
        codes[i] = p.codes[low]
    return nans, infinities


@kernel
def encode_stochastic(
    values: NDArray[Any], codes: NDArray[Any], first: int, p: StochasticParameters, how: RoundingParameters
) -> tuple[int, int]:
    """Encode flat ``values``, away from the smaller magnitude if the cut fraction plus the draw carries out."""
    nans = 0
    infinities = 0
    last = p.integers.size - 1
    one = 1 << how.draw_bits
    for i in range(values.size):
        value = np.float64(values[i])
        infinities += np.isinf(value)
        if np.isnan(value):
            nans += 1
            continue
        units = min(max(value * p.scale, np.float64(p.integers[0])), np.float64(p.integers[last]))
        rank = np.searchsorted(p.integers, np.int64(np.floor(units)), side="right") - 1
        if rank < last and units > p.integers[rank]:
            low = p.integers[rank]
            high = p.integers[rank + 1]
            # Fraction times 2**n reaches 2**n - draw: compared in units of the last place times 2**-n.
            step = (high - low) * (one - random_bits(how.seed, first + i, how.draw_bits))
            fine = units * one
            if abs(low) < abs(high):
                rank += np.int64(np.floor(fine)) >= low * one + step
            else:
                rank += np.int64(np.ceil(fine)) > high * one - step
        codes[i] = p.codes[rank]
    return nans, infinities
