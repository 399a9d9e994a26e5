"""Floating-point codes as integers: multiples of the format's least subnormal number, in NumPy.

Only integer operations are used, so that definitions made of them can be run on symbols too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.formats.floating import FloatFormat, NanCodes

Integers = NDArray[np.int64]
Truths = NDArray[np.bool_]


def in_units(codes: Integers, fmt: FloatFormat) -> tuple[Integers, Truths, Truths]:
    """Return ``(units, special, nan)``: values in units of 2^``fmt.lsb_exponent``, and which codes mean none.

    A special code has the units of the number that its fields would be, so that they tell its sign.
    """
    field = codes >> fmt.mantissa_bits & ((1 << fmt.exponent_bits) - 1)
    mantissa = codes & ((1 << fmt.mantissa_bits) - 1)
    significand = np.where(field == 0, mantissa, mantissa + (1 << fmt.mantissa_bits))
    magnitude = significand << np.maximum(field - 1, 0)
    units = np.where(codes & fmt.sign_bit == 0, magnitude, -magnitude)
    special = (codes & fmt.top_code) > fmt.max_code
    assert fmt.nan in (NanCodes.NONE, NanCodes.IEEE), "other NaN codes are not needed here"
    return units, special, special & (mantissa != 0)
