"""An integer register of a stated width: sums that wrap, and zero points that come off behind it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Exact
from simhw.formats import IntegerFormat, get_element_format
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Operand, Values
from simhw.gemm.plan import Sums


def returns_register(a: Operand, b: Operand) -> bool:
    """Return whether a product is one integer sum as it stands: integer formats, nothing scaled, one group."""
    integers = all(isinstance(get_element_format(o.format), IntegerFormat) for o in (a, b))
    scaled = any(s is not None for o in (a, b) for s in (o.group_scale, o.row_scale))
    return integers and not scaled and max(a.groups, b.groups) == 1


def integer_bits(a: Operand, b: Operand) -> int:
    """Return the bits of the largest sum of products that the operands' formats allow."""
    largest_a, largest_b = (get_element_format(operand.format).max_integer for operand in (a, b))
    if b.zero_point is not None:
        largest_b += int(np.abs(b.zero_point).max())
    return int(a.codes.shape[2] * largest_a * largest_b).bit_length()


def zero_term(x: Values, b: Operand, ks: slice, group: int) -> NDArray[np.float64] | None:
    """Return ``zero point * sum of x``, which the dequantizer subtracts from the accumulator's sum of ``q * x``."""
    if b.zero_point is None:
        return None
    totals = x[:, :, ks].astype(np.float64).sum(axis=2)
    zeros = b.zero_point[:, None, :, group if b.group_size else 0].astype(np.float64)
    return np.asarray(totals[:, :, None] * zeros)


def may_wrap(accumulator: Accumulator, extents: tuple[Extent, Extent], k: int, b: Operand) -> bool:
    """Return whether a sum of k products might not fit the accumulator's stated width."""
    if not isinstance(accumulator, Exact) or accumulator.bits is None or not (extents[0].finite and extents[1].finite):
        return False
    largest = extents[1].largest
    if b.zero_point is not None:  # |q| <= |q - zero| + |zero|
        largest += int(np.abs(b.zero_point).max())
    return k * extents[0].largest * largest >= 1 << (accumulator.bits - 1)


def subtract(sums: Sums, extents: tuple[Extent, Extent], zeros: NDArray[np.float64] | None) -> Sums:
    """Return an integer register's sums less the zero points' share, exactly."""
    if zeros is None:
        return sums
    unit = extents[0].unit + extents[1].unit
    return np.asarray(_integers(sums, unit) - np.ldexp(zeros, -unit).astype(np.int64), np.int64)


def fit(
    sums: Sums, accumulator: Exact, extents: tuple[Extent, Extent], zeros: NDArray[np.float64] | None
) -> tuple[Sums, int]:
    """Wrap the accumulator's sums to its width; return what the dequantizer makes of them and how many wrapped.

    The accumulator holds ``sum(q * x)``; a zero point is subtracted behind it, in an adder that never overflows.
    """
    bits = accumulator.bits
    assert bits is not None
    unit = extents[0].unit + extents[1].unit
    subtracted = np.int64(0) if zeros is None else np.ldexp(zeros, -unit).astype(np.int64)
    held = _integers(sums, unit) + subtracted
    wrapped = wrap_integers(held, bits)
    return wrapped - subtracted, int(np.count_nonzero(wrapped != held))


def wrap_integers(held: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Return the two's-complement integers that remain in ``bits`` bits, at most 64."""
    if bits == 64:
        return held
    half = np.int64(1 << (bits - 1))
    return np.asarray(((held + half) & np.int64((1 << bits) - 1)) - half, np.int64)


def _integers(sums: Sums, unit: int) -> NDArray[np.int64]:
    exact = sums if sums.dtype.kind == "i" else np.ldexp(sums.astype(np.float64), -unit)
    return exact.astype(np.int64)
