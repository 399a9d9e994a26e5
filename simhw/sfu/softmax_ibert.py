"""Softmax of I-BERT in integers: a polynomial of degree 2, 16-bit exponentials, an 8-bit result.

``q = max(x - max, 30 x0)``, ``z = floor(q / x0)``, ``r = q - z x0``, ``L = r (r + b) + c``, ``exp = L * 2**(30 - z)``
in units of ``0.35815147 S**2 / 2**30``; rounded to 16 bits by multiplier and shift; ``factor = floor(2**32 / sum)``;
``y = floor(exp * factor / 2**24)`` in units of 2**-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import VectorWork
from simhw.kernel import kernel
from simhw.sfu.base import Extent, Signal, SpecialFunctionUnit
from simhw.sfu.multiplier import multiplier_and_shift

SCALE = 2.0**-8
A, B = 0.35815147, 0.96963238
X0 = floor(-log(2) / SCALE)
LINEAR = floor(B / A / SCALE)
CONSTANT = floor(1 / A / SCALE**2)
STEPS = 30
"""Halvings until the exponential counts as its least value."""
HIGHEST = (1 << 15) - 1
"""The 16-bit code of exp(0)."""
MULTIPLIER, _shift = multiplier_and_shift(HIGHEST / (CONSTANT << STEPS))
SHIFT = _shift - STEPS
"""Of the multiplier, before the halvings: ``exp * m / 2**e`` is ``L * m / 2**(SHIFT + z)``, so L stays unshifted."""
OUTPUT_BITS = 8


def exponential(q: int) -> int:
    """Return the 16-bit code of ``exp(q * SCALE)`` for a code q up to 0."""
    q = max(q, STEPS * X0)
    z = q // X0
    r = q - z * X0
    polynomial = max(r * (r + LINEAR) + CONSTANT, 0)
    return (polynomial * MULTIPLIER + (1 << SHIFT + z - 1)) >> SHIFT + z


def definition(row: Sequence[int]) -> list[int]:
    """Return the softmax of a row of int16 codes, in units of 2**-8."""
    largest = max(row)
    exponentials = [exponential(x - largest) for x in row]
    factor = (1 << 32) // sum(exponentials)
    return [(e * factor) >> 32 - OUTPUT_BITS for e in exponentials]


@kernel
def _softmax(x: NDArray[np.int32], out: NDArray[np.int32], constants: NDArray[np.int64]) -> None:
    x0, linear, constant, steps, multiplier, shift, drop = constants
    for row in range(x.shape[0]):
        largest = np.int64(x[row].max())
        total = np.int64(0)
        for i in range(x.shape[1]):
            q = max(x[row, i] - largest, steps * x0)
            z = q // x0
            r = q - z * x0
            polynomial = max(r * (r + linear) + constant, 0)
            e = (polynomial * multiplier + (np.int64(1) << shift + z - 1)) >> shift + z
            out[row, i] = e
            total += e
        factor = (np.int64(1) << 32) // total
        for i in range(x.shape[1]):
            out[row, i] = (out[row, i] * factor) >> drop


def compute(rows: NDArray[Any]) -> NDArray[Any]:
    """Return the codes of the softmax of each row of ``(rows, k)`` int32 codes."""
    out = np.empty_like(rows)
    constants = np.array([X0, LINEAR, CONSTANT, STEPS, MULTIPLIER, SHIFT, 32 - OUTPUT_BITS], np.int64)
    _softmax(rows, out, constants)
    return out


UNIT = SpecialFunctionUnit(
    name="softmax_ibert",
    description="softmax of I-BERT: integers, exponential by a polynomial of degree 2, 8-bit result",
    source="S. Kim et al., I-BERT, arXiv 2101.01321, integer-only softmax, and kssteven418/I-BERT quant_modules.py. "
    "Choices: int16 codes of scale 2^-8; exp(0) is the 16-bit code 32,767; the rounding to 16 bits is half up",
    function="softmax",
    extent=Extent.ROW,
    input_format="int16",
    output_format="int10",
    input_scale=SCALE,
    output_scale=2.0**-OUTPUT_BITS,
    definition=definition,
    kernel=compute,
    longest_row=1 << 16,
    signals=(
        Signal(name="difference", bits=17, worst_case="-32768 - 32767"),
        Signal(name="polynomial", bits=18, worst_case=f"c = {CONSTANT:,} at r = 0, never negative"),
        Signal(name="requantization product", bits=49, worst_case="c times a 31-bit multiplier"),
        Signal(name="exponential", bits=15, worst_case="exp(0) = 32,767"),
        Signal(name="sum", bits=31, worst_case="65,536 times 32,767"),
        Signal(name="factor", bits=18, worst_case="2^32 / 32,767 = 131,076, one element in the row"),
        Signal(name="result", bits=9, worst_case="256, where one exponential is nearly the whole sum"),
    ),
    # Compare; difference, clamp, r + b, + c, z x0, sum; quotient, z x0, r (r + b), m; the factor. Integers as floats.
    work=VectorWork(adds=8, multiplies=5, passes=3),
)
