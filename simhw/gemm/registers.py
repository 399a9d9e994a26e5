"""Which arithmetic gives the bits of a floating-point register, and the proof.

A sum ``s + t`` of a register of p bits and an exact term of w bits is formed in floats of q = 24 or 53 bits. Then:

* *Rounded twice to nearest.* Rounding to q and then to p bits equals one rounding unless the first lands on the middle
  m between two register values without being exact. Write x for the exact sum with exponent e. m is a multiple of
  2^(e-p), no register value is such a middle, and an inexact x is within 2^(e-q) of m. If the register is the larger of
  the two, ``t = (x - m) + (m - s)`` has magnitude above 2^(e-p-1), so its last bit, and that of x - m, is at or above
  2^(e-p-w): with p + w + 1 <= q, x - m is zero. If the term is the larger one and is not m itself, the same holds with
  max(w, p) for w. A term of w <= p bits cannot be m; a wider one can, but then s is at most 2^(e-q), while s is a
  multiple of g, the larger of the terms' common unit and the register's smallest number: terms below 2^(q-2) g exclude
  it. (Figueroa, "When is double rounding innocuous?", SIGNUM Newsletter 30(3), 1995, is the case w = p.)
* *Exact.* If no sum reaches 2^q common units, the first addition does not round at all.
* *Rounded to odd first.* The error of the addition (Knuth's two-sum) sets the last bit; with p + 2 <= q no later
  rounding of any kind can go wrong (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators.rounding import FLOAT16, Precision
from simhw.errors import InputError
from simhw.formats.rounding import Rounding
from simhw.gemm.extent import Extent, extent_of

NATIVE = "native"
"""The processor's own addition, in the register's rounding mode."""
HALF = "half"
"""fp32 addition, then the processor's conversion to fp16."""
HALF_FUSED = "half_fused"
"""The processor's own fused multiply-add in fp16."""
NEAREST = "nearest"
"""Float addition, then rounding to nearest even."""
NEAREST_BOUNDED = "nearest_bounded"
"""The same where no sum overflows."""
NEAREST_FREE = "nearest_free"
"""The same where every sum also is a multiple of the register's smallest subnormal number."""
NEAREST_ODD = "nearest_odd"
"""Float addition rounded to odd, then to nearest even."""
DIRECTED = "directed"
"""Float addition rounded to odd, then toward zero, up or down."""
OTHER = "other"
"""Float addition rounded to odd, then to nearest away or to odd."""

HARDWARE_MODES = {Rounding.TOWARD_ZERO: 0, Rounding.NEAREST_EVEN: 1, Rounding.UP: 2, Rounding.DOWN: 3}
"""Rounding modes that processors have, as C numbers them."""

Float = type[np.float32] | type[np.float64]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is known of the exact terms that are added to a register.

    Attributes:
        bits: from a term's first to its last bit that is set.
        unit: exponent of a power of two that all terms are multiples of.
        peak: terms are below ``2**peak``.
        count: how many there are.
        halves: whether they are products of two fp16 values.
    """

    bits: int
    unit: int
    peak: int
    count: int
    halves: bool = False


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """How a register's additions are computed.

    Attributes:
        kernel: one of the names above.
        float_type: of the loop.
        why: the proof.
    """

    kernel: str
    float_type: Float
    why: str


def product_terms(count: int, a: Extent, b: Extent) -> Terms:
    """Return what is known of ``count`` exact products."""
    bits_a, bits_b = (min(e.significand_bits, max(1, e.largest.bit_length())) for e in (a, b))
    units = (max(e.unit, e.smallest_exponent - bits + 1) for e, bits in ((a, bits_a), (b, bits_b)))
    peak = (a.largest * b.largest).bit_length() + a.unit + b.unit
    halves = all(is_half(e) for e in (a, b))
    return Terms(bits=bits_a + bits_b, unit=sum(units), peak=peak, count=count, halves=halves)


def is_half(values: Extent) -> bool:
    """Return whether all values are values of fp16."""
    return fits(FLOAT16, Terms(bits=values.significand_bits, unit=values.unit, peak=_peak(values), count=1))


def _peak(values: Extent) -> int:
    return values.largest.bit_length() + values.unit


def with_addend(terms: Terms, c: NDArray[np.float32] | None) -> Terms:
    """Return what is known of the terms together with finite addends that a register holds at the start."""
    if c is None or not np.any(c):
        return terms
    extent = extent_of(np.where(np.isfinite(c), c, np.float32(0)), -149)
    peak = extent.largest.bit_length() - 149
    unit = extent.smallest_exponent - extent.significand_bits + 1
    return replace(terms, unit=min(terms.unit, unit), peak=max(terms.peak, peak), count=terms.count + 1)


def fits(precision: Precision, terms: Terms) -> bool:
    """Return whether every term is a value of the register, so that rounding it changes nothing."""
    p = precision.significand_bits
    return (
        terms.bits <= p
        and terms.unit >= precision.minimum_exponent - p + 1
        and terms.peak <= precision.maximum_exponent
    )


def choose_arithmetic(precision: Precision, terms: Terms, also_exact: int = 0, *, native: bool = True) -> Arithmetic:
    """Return the fastest arithmetic that is proven for the terms.

    ``also_exact`` asks for floats that hold values of so many bits as well (products before they are rounded);
    without ``native`` the processor's own addition is not considered (it would round the terms first).
    Raises InputError where there is none.
    """
    if native and terms.halves and not also_exact and precision == FLOAT16 and has_half_arithmetic():
        why = "operands are fp16 values; the processor's own fp16 fused multiply-adds round once"
        return Arithmetic(kernel=HALF_FUSED, float_type=np.float32, why=why)
    for kind, bits, lowest, top in ((np.float32, 24, -126, 127), (np.float64, 53, -1022, 1023)):
        if native and _is_native(precision, bits, lowest, top):
            return Arithmetic(kernel=NATIVE, float_type=kind, why=f"the processor's own {precision.name} arithmetic")
    for kind, bits, unit, top in ((np.float32, 24, -149, 127), (np.float64, 53, -1074, 1023)):
        if max(terms.bits, also_exact) <= bits and terms.unit >= unit and _in_range(precision, terms, bits, top):
            proof = _nearest_proof(precision, terms, bits)
            if proof:
                return _nearest(precision, terms, kind, proof)
            if precision.significand_bits + 2 <= bits:
                return Arithmetic(
                    kernel=_by_rounding(precision.rounding),
                    float_type=kind,
                    why=f"terms are exact in {kind.__name__}; sums rounded to odd keep {bits} bits, "
                    f"at least two more than the register's {precision.significand_bits}",
                )
    raise InputError(
        f"register {precision.name} cannot be emulated for terms of {terms.bits} bits between 2^{terms.unit} and"
        f" 2^{terms.peak}; choose a register of at most 51 bits, or fp64 itself, and operands of at most 26 bits"
    )


def _nearest(precision: Precision, terms: Terms, kind: Float, proof: str) -> Arithmetic:
    """Return the fastest arithmetic that rounds to nearest even after the floats did."""
    from simhw.kernel import has_half_conversion

    bounded = _largest_sum(precision, terms) <= precision.maximum_exponent
    if bounded and terms.unit >= precision.minimum_exponent - precision.significand_bits + 1:
        why = f"{proof}; sums neither overflow nor fall below the smallest subnormal number"
        return Arithmetic(kernel=NEAREST_FREE, float_type=kind, why=why)
    if precision == FLOAT16 and kind is np.float32 and has_half_conversion():
        return Arithmetic(kernel=HALF, float_type=kind, why=proof)
    return Arithmetic(kernel=NEAREST_BOUNDED if bounded else NEAREST, float_type=kind, why=proof)


def numbers_of(precision: Precision, kind: Float) -> NDArray[np.float64]:
    """Return the register's ten numbers for the kernels, see ``simhw/gemm/kernels/register.py``."""
    bits, top = (24, 127) if kind is np.float32 else (53, 1023)
    p = precision.significand_bits
    high = min(precision.maximum_exponent + 1, _highest_power(p, bits, top))
    outward = {Rounding.UP: (-precision.largest, math.inf), Rounding.DOWN: (-math.inf, precision.largest)}
    limits = outward.get(precision.rounding, (-precision.largest, precision.largest))
    if precision.overflows_to_infinity:
        limits = (-math.inf, math.inf)
    elif precision.saturates:
        limits = (-precision.largest, precision.largest)
    up = top - precision.maximum_exponent
    return np.array(
        [
            2.0**precision.minimum_exponent,
            2.0**high,
            1.5 * 2.0 ** (bits - p),
            2.0**up,
            2.0**-up,
            2.0 ** (1 - p),
            *limits,
            {Rounding.UP: 1.0, Rounding.DOWN: -1.0}.get(precision.rounding, 0.0),
            1.0,
        ],
        kind,
    )


def has_half_arithmetic() -> bool:
    """Return whether the processor has vectors of fp16 (x86-64 with AVX512-FP16, AArch64 with FP16)."""
    from simhw.kernel import has_feature

    return has_feature("avx512fp16") or has_feature("fullfp16")


def _is_native(precision: Precision, bits: int, lowest: int, top: int) -> bool:
    shape = (precision.significand_bits, precision.minimum_exponent, precision.maximum_exponent) == (bits, lowest, top)
    nearest = precision.rounding is Rounding.NEAREST_EVEN
    plain = not precision.saturates and (nearest or not precision.overflow_to_infinity)
    return shape and plain and precision.rounding in HARDWARE_MODES


def _by_rounding(rounding: Rounding) -> str:
    if rounding is Rounding.NEAREST_EVEN:
        return NEAREST_ODD
    return DIRECTED if rounding in HARDWARE_MODES else OTHER


def _largest_sum(precision: Precision, terms: Terms) -> int:
    """Return an exponent that no sum reaches: that of the register's range, or of all terms rounded up every time."""
    growth = terms.count * math.log2(1 + 2.0 ** (1 - precision.significand_bits))
    return min(precision.maximum_exponent + 1, math.ceil(terms.peak + math.log2(terms.count) + growth))


def _highest_power(p: int, bits: int, top: int) -> int:
    """Return the exponent of the largest power of two whose rounding constant is finite."""
    return top - 1 - (bits - p)


def _in_range(precision: Precision, terms: Terms, bits: int, top: int) -> bool:
    """Return whether neither terms nor sums nor rounding constants overflow, nor subnormals are cut off."""
    p = precision.significand_bits
    if p > bits or precision.maximum_exponent > top or precision.minimum_exponent < 1 - top:
        return False
    largest = _largest_sum(precision, terms)
    return terms.peak < top - 1 and largest <= _highest_power(p, bits, top)


def _nearest_proof(precision: Precision, terms: Terms, bits: int) -> str:
    """Return why rounding twice is innocuous, or nothing."""
    p, w = precision.significand_bits, terms.bits
    if precision.rounding is not Rounding.NEAREST_EVEN or precision.saturates or p > bits - 2:
        return ""
    if max(_largest_sum(precision, terms), terms.peak) + 1 - terms.unit <= bits:
        return f"no sum needs more than {bits} bits, so that only the register rounds"
    step = max(terms.unit, precision.minimum_exponent - p + 1)
    if p + max(w, p) + 1 <= bits and (w <= p or terms.peak <= step + bits - 2):
        return (
            f"sums of a {p}-bit register and {w}-bit products, rounded to {bits} bits and then to {p}, are rounded "
            f"as by one rounding ({p} + {max(w, p)} + 1 <= {bits})"
        )
    return ""
