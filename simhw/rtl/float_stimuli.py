"""Vectors for circuits with floating-point operands: every class of code, and totals that products meet badly.

Uniform codes hardly ever cancel, tie or overflow. So the total is drawn from what the product of the other operands
is: its negative up to a few places, a number whose last place is the product's half, one with an exponent nearby, the
largest ones, subnormal ones.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from simhw.circuits import Circuit, Port
from simhw.formats.catalog import ELEMENTS, FP32
from simhw.formats.floating import FloatFormat
from simhw.rtl.stimuli import Vectors

Integers = NDArray[np.int64]


def float_format(port: Port) -> FloatFormat | None:
    """Return the floating-point format that a port's meaning names, None where it is something else."""
    for word in re.findall(r"\w+", port.meaning):
        fmt = ELEMENTS.get(word)
        if isinstance(fmt, FloatFormat) and fmt.bits == port.bits:
            return fmt
    return None


def float_vectors(circuit: Circuit, count: int, rng: np.random.Generator) -> Vectors:
    """Return codes of every input and register; an fp32 ``total`` is adverse to what is added to it."""
    vectors = {port.name: port_codes(port, count, rng) for port in (*circuit.inputs, *circuit.state)}
    # Most vectors add, in the middle of a sum: that is where the work is.
    rare = {name: (rng.integers(0, 8, count) == 0).astype(np.int64) for name in ("first_q", "enable_q")}
    if rare.keys() <= vectors.keys():
        vectors |= {"first_q": rare["first_q"], "enable_q": 1 - rare["enable_q"]}
    totals = [port for port in circuit.state if port.name == "total"]
    if totals and float_format(totals[0]) == FP32:
        alone = {**vectors, "first_q": np.ones(count, np.int64), "enable_q": np.ones(count, np.int64)}
        vectors["total"] = adverse_totals(circuit.step(alone)["total"], rng)
    return vectors


def port_codes(port: Port, count: int, rng: np.random.Generator) -> Integers:
    """Return codes of one port, by class where they are floats."""
    fmt = float_format(port)
    if fmt is None or fmt.exponent_bits < 3 or not fmt.mantissa_bits:
        return integer_codes(port.bits, count, rng)
    return float_codes(fmt, count, rng)


def integer_codes(bits: int, count: int, rng: np.random.Generator) -> Integers:
    """Return codes of which half are uniform, half short ones, positive or (two's complement) negative."""
    uniform = rng.integers(0, 1 << bits, count, dtype=np.int64)
    sign = rng.integers(0, 2, count) * ((1 << bits) - 1)
    return np.where(rng.integers(0, 2, count) == 0, uniform, uniform >> rng.integers(0, bits, count) ^ sign)


def float_codes(fmt: FloatFormat, count: int, rng: np.random.Generator) -> Integers:
    """Return codes: uniform ones, small exponents, large and special ones, those around 1; extreme mantissas."""
    mantissa, top = fmt.mantissa_bits, (1 << fmt.exponent_bits) - 1
    field = rng.integers(0, top, count, endpoint=True)
    near = fmt.bias + rng.integers(-3, 3, count, endpoint=True)
    choices = (field, field, rng.integers(0, 3, count), top - rng.integers(0, 3, count), near, near)
    field = np.choose(rng.integers(0, len(choices), count), choices)
    fraction = rng.integers(0, 1 << mantissa, count, dtype=np.int64)
    ones = (1 << mantissa) - 1
    extreme = rng.choice([0, 1, ones, ones - 1, 1 << (mantissa - 1), (1 << (mantissa - 1)) - 1], count)
    places = rng.integers(0, mantissa + 1, count)
    short = fraction >> places << places
    single = 1 << rng.integers(0, mantissa, count)
    fraction = np.choose(rng.integers(0, 6, count), (fraction, fraction, extreme, short, short, single))
    sign = rng.integers(0, 2, count) * fmt.sign_bit
    return sign | field << mantissa | fraction


def adverse_totals(terms: Integers, rng: np.random.Generator) -> Integers:
    """Return fp32 codes that are hard to add to ``terms``, fp32 codes of what is added."""
    count = len(terms)
    places = rng.integers(0, 30, count)
    sign = rng.integers(0, 2, count) << 31
    magnitude = terms & 0x7FFFFFFF
    finite = np.minimum(magnitude, 0x7F7FFFFF)
    # A difference of any length, down to none.
    cancelling = (terms ^ 1 << 31) ^ rng.integers(0, 1 << 24, count) >> rng.integers(0, 25, count)
    above = np.minimum(finite + (places << 23), 0x7F7FFFFF) | sign
    below = np.maximum(finite - (places << 23), 0) | sign
    # An odd or even last place, of which the term is the half if it is a power of two.
    tie = np.minimum((finite & 0x7F800000) + (24 << 23), 0x7F7FFFFF) & ~0xFF | rng.integers(0, 4, count) | sign
    drawn = float_codes(FP32, count, rng)
    # Mantissas of zeros or ones, in which carries run.
    carrying = (np.where(rng.integers(0, 2, count) == 0, above, below) & ~0x7FFFFF) | (drawn & 1) * 0x7FFFFF
    choices = (
        drawn,
        drawn,
        cancelling,
        cancelling,
        above,
        below,
        tie,
        carrying,
        rng.integers(0, 1 << 10, count) | sign,
    )
    return np.choose(rng.integers(0, len(choices), count), choices).astype(np.int64)
