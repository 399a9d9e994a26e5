"""What is known of an operand's values: the bounds that proofs rest on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from simhw.gemm.operand import Values


@dataclass(frozen=True, kw_only=True)
class Extent:
    """What is known of one operand's values: all are integers times ``2**unit`` and at most ``largest`` of them.

    Attributes:
        unit: exponent of the least significant bit.
        largest: bound on ``abs(value) / 2**unit``.
        smallest_exponent: of the smallest nonzero value that occurs (0 where all are zero).
        significand_bits: bound on the bits from a value's first to its last that is set.
        finite: whether there is neither infinity nor NaN; the bounds are those of the finite values.
    """

    unit: int
    largest: int
    smallest_exponent: int = 0
    significand_bits: int = 53
    finite: bool = True


def extent_of(values: Values, unit: int) -> Extent:
    """Measure an operand whose values are integers times ``2**unit``."""
    peak, smallest, significand_bits = _magnitudes(values)
    if not math.isfinite(peak):
        rest = np.where(np.isfinite(values), values, values.dtype.type(0))
        return replace(extent_of(rest, unit), finite=False)
    exponent = math.frexp(smallest)[1] - 1 if math.isfinite(smallest) else 0
    return Extent(
        unit=unit,
        largest=int(math.ldexp(peak, -unit)),
        smallest_exponent=exponent,
        significand_bits=significand_bits,
    )


def _magnitudes(values: Values) -> tuple[float, float, int]:
    """Return the largest and the smallest nonzero magnitude (infinity where all are zero) and the significand bits."""
    if values.dtype == np.float32:
        from simhw.gemm.kernels.extent import magnitudes

        largest, smallest, occupied = magnitudes(np.ascontiguousarray(values).reshape(-1).view(np.uint32))
        patterns = np.array([largest, min(smallest, 0x7F800000)], np.uint32).view(np.float32)
        trailing = (occupied & -occupied).bit_length() - 1 if occupied & 0x7FFFFF else 23
        return float(patterns[0]), float(patterns[1]), 24 - trailing
    magnitude = np.abs(values)
    return float(magnitude.max()), float(np.min(magnitude, where=magnitude > 0, initial=np.inf)), 53
