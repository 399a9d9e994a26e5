"""What the integer norms share: a row of deviations divided by the root of their sum of squares, then scaled.

``std = floor(sqrt(sum(floor(y / 2**sh)**2))) * 2**sh`` by I-BERT's integer root, ``factor = floor(2**31 / std)``,
``z = floor(y * factor / 2)``: y over its root mean square is z in units of ``sqrt(k) / 2**30``. Weight, bias and that
unit then meet in one multiplier per element (:mod:`simhw.sfu.multiplier`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel
from simhw.sfu.base import Parameters
from simhw.sfu.integer_sqrt import fast_root, root
from simhw.sfu.multiplier import Constants, fast_scaled, scaling

INPUT_FORMAT = "int26"
INPUT_SCALE = 2.0**-10
"""Values from -32,768 up to 32,768: single activations of language models reach tens of thousands, and where one of a
row saturates, all of the row is wrong."""
OUTPUT_FORMAT = "int20"
OUTPUT_SCALE = 2.0**-12
"""Results from -128 up to 128."""
MOST_BITS = 30
"""Of the sum of squares, or one more: then its terms, shifted and rounded down, stay below 2**32 in sum."""


def mean(row: Sequence[int]) -> int:
    """Return the mean, rounded half up."""
    return (2 * sum(row) + len(row)) // (2 * len(row))


def square_shift(largest: int, length: int, extra: int = 0) -> int:
    """Return the shift of each term, for ``length`` terms up to ``largest`` in magnitude: from lengths in bits alone.

    >>> square_shift(2**26 - 1, 4096), square_shift(1000, 576)
    (17, 0)
    """
    bits = 2 * largest.bit_length() + length.bit_length()
    if extra:
        bits = max(bits, extra.bit_length()) + 1
    return max(0, bits - MOST_BITS) // 2


def over_root(row: Sequence[int], extra: int = 0) -> list[int]:
    """Return z for deviations y; ``extra`` joins the sum of squares."""
    shift = square_shift(max(map(abs, row)), len(row), extra)
    squares = sum((y >> shift) ** 2 for y in row) + (extra >> 2 * shift)
    factor = (1 << 31) // max(root(squares) << shift, 1)
    return [y * factor >> 1 for y in row]


def constants(parameters: Parameters, length: int, name: str) -> Constants:
    """Return the multipliers that turn z into codes of the result, and the codes of the bias."""
    weight, bias = parameters.scale_and_shift(length)
    unit = sqrt(length) * 2.0**-30
    return scaling(weight.astype(np.float64) * (unit / OUTPUT_SCALE), bias, OUTPUT_SCALE, name)


@kernel
def fast_mean(row: NDArray[np.int32]) -> Any:
    """Return ``mean`` in int64."""
    total = np.int64(0)
    for i in range(row.size):
        total += np.int64(row[i])
    return (2 * total + row.size) // (2 * row.size)


@kernel
def fast_length(n: Any) -> Any:
    """Return the bits of an int64 from 0 up to 2**62."""
    bits = np.int64(0)
    while n >> bits > 0:
        bits += 1
    return bits


@kernel
def fast_over_root(
    x: NDArray[np.int32],
    out: NDArray[np.int32],
    middle: Any,
    extra: Any,
    multipliers: NDArray[np.int64],
    shifts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> None:
    """Write the scaled ``over_root`` of ``x - middle``; ends are lowest and highest result, and ``MOST_BITS``."""
    largest = np.int64(0)
    for i in range(x.size):
        largest = max(largest, abs(np.int64(x[i]) - middle))
    bits = 2 * fast_length(largest) + fast_length(np.int64(x.size))
    if extra > 0:
        bits = max(bits, fast_length(extra)) + 1
    shift = max(np.int64(0), bits - ends[2]) // 2
    squares = extra >> 2 * shift
    for i in range(x.size):
        term = (np.int64(x[i]) - middle) >> shift
        squares += term * term
    factor = (np.int64(1) << 31) // max(fast_root(squares) << shift, np.int64(1))
    for i in range(x.size):
        z = (np.int64(x[i]) - middle) * factor >> 1
        out[i] = fast_scaled(z, multipliers[i], shifts[i], offsets[i], ends[0], ends[1])
