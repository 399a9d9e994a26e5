"""What floating-point circuits compute, in NumPy, from the formats' definitions alone.

One addition to an fp32 sum is exact up to its one rounding. float64 alone would round twice, so the float64 sum is
rounded to odd first: its error is recovered exactly (Knuth's two-sum, free of error as long as nothing overflows), and
an inexact sum with an even last bit is moved by one place towards the exact one. Rounding a value that was rounded to
odd with at least two bits to spare gives what rounding the exact value gives (Boldo and Melquiond, Emulation of a FMA
and correctly rounded sums: proved algorithms using rounding to odd, IEEE Trans. Computers 57, 2008); float64 has 53
bits for the 24 of fp32, and its subnormal numbers lie far below those of any term here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.formats import decode
from simhw.formats.element import ElementFormat

CANONICAL_NAN = 0x7FFFFFFF
NEGATIVE_ZERO = 0x80000000
Integers = NDArray[np.int64]
Doubles = NDArray[np.float64]


def values(codes: Integers, fmt: ElementFormat) -> Doubles:
    """Return what codes mean; every format here is exact in float64."""
    return np.asarray(decode(codes, fmt), np.float64)


def fp32_values(codes: Integers) -> Doubles:
    """Return what fp32 codes mean."""
    with np.errstate(invalid="ignore"):
        return codes.astype(np.uint32).view(np.float32).astype(np.float64)


def fp32_codes(numbers: NDArray[np.float32]) -> Integers:
    """Return fp32 numbers as codes, every NaN as the canonical one."""
    codes = np.ascontiguousarray(numbers, np.float32).view(np.uint32).astype(np.int64)
    return np.where(np.isnan(numbers), CANONICAL_NAN, codes)


def round_to_fp32(high: Doubles, low: Doubles) -> NDArray[np.float32]:
    """Return ``high + low`` rounded once; ``high`` is that sum rounded to float64, ``low`` the rest of it."""
    bits = np.ascontiguousarray(high).view(np.int64)
    # One place towards zero or away from it: the sign of the rest tells, and the sum's own sign turns it round.
    step = np.where((low > 0) == (high > 0), 1, -1)
    inexact = np.isfinite(high) & (low != 0) & (bits & 1 == 0)
    odd = np.where(inexact, bits + step, bits).view(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return odd.astype(np.float32)


def add_to_fp32(totals: Integers, terms: Doubles) -> Integers:
    """Return the fp32 codes of totals plus terms, each rounded once to nearest even; terms are exact in float64."""
    old = fp32_values(totals)
    with np.errstate(invalid="ignore"):
        high = old + terms
        part = high - old
        low = (old - (high - part)) + (terms - part)
    return fp32_codes(round_to_fp32(high, low))
