"""Matrix cores of AMD CDNA3: products aligned and truncated, then aligned with the addend by rounding down.

Models "TR-FDPA" and "GTR-FDPA" of MMA-Sim (arXiv 2511.10909), for the ``v_mfma`` instructions of CDNA3 with fp16, bf16,
xf32 operands and with FP8 (FNUZ) operands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators.base import Number
from simhw.accumulators.rounding import FLOAT32, exponent_of, round_to_precision

NO_PRODUCT = -999
"""Exponent of a product that is zero: below every other."""
MINIMUM_EXPONENT = -126
"""Of fp32, whose subnormals (and zero) as addend take part in the alignment with it."""


@dataclass(frozen=True, kw_only=True)
class AmdAligned:
    """Blocks of ``block`` products, chained through fp32.

    Per block: every product is cut off toward zero ``fraction_bits`` below the largest exponent of the products; the
    sum is then aligned with the addend, the larger exponent ruling: the sum is rounded down to ``sum_bits + 1``
    fraction bits and the addend to ``fraction_bits``; what they add up to is rounded down to ``sum_bits`` fraction
    bits of its own exponent, then to nearest even in fp32.

    Attributes:
        block: products that are summed at once (L).
        fraction_bits: F, 24 in the hardware.
        sum_bits: fraction bits that survive up to the last rounding, 31 in the hardware.
        minimum_exponents: exponents of the smallest normal numbers of a's and b's formats.
        interleaved: products of even and odd k are summed apart, each sum with its own largest exponent, and joined
            rounding down to ``fraction_bits``; an addend more than ``fraction_bits + 1`` below the sum is left out.
    """

    block: int
    fraction_bits: int = 24
    sum_bits: int = 31
    minimum_exponents: tuple[int, int]
    interleaved: bool = False

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "amd_aligned"

    @property
    def name(self) -> str:
        """Short name."""
        halves = ", even and odd k apart" if self.interleaved else ""
        return f"aligned L={self.block} F={self.fraction_bits}{halves}, addend rounded down, fp32"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the rounded sum for operands given as exact values; infinities and NaN follow IEEE 754."""
        total: Number = Fraction(c) if math.isfinite(c) else c
        for start in range(0, len(a), self.block):
            ks = range(start, min(start + self.block, len(a)))
            total = self._block([(a[k], b[k]) for k in ks], total)
        return total

    def _block(self, pairs: list[tuple[float, float]], c: Number) -> Number:
        special = not all(map(math.isfinite, (*(v for pair in pairs for v in pair), c)))
        if special or any(abs(Fraction(x) * Fraction(y)) >= 2**128 for x, y in pairs):
            return float(sum((_past_float32(x, y) for x, y in pairs), float(c)))
        value, exponent = self._products(pairs)
        addend = Fraction(c)
        addend_exponent = max(exponent_of(addend), MINIMUM_EXPONENT) if addend else MINIMUM_EXPONENT
        top = max(exponent, addend_exponent)
        value = _floor(value, top - self.sum_bits - 1)
        if not (self.interleaved and addend_exponent < top - self.fraction_bits - 1):
            value += _floor(addend, top - self.fraction_bits)
        if value:
            value = _floor(value, max(exponent_of(value), MINIMUM_EXPONENT) - self.sum_bits)
        return round_to_precision(value, FLOAT32)

    def _products(self, pairs: list[tuple[float, float]]) -> tuple[Fraction, int]:
        """Return the sum of a block's products and the exponent with which it takes part in the next alignment."""
        if not self.interleaved:
            return self._truncated(pairs)
        halves = [self._truncated(pairs[first::2]) for first in (0, 1) if pairs[first::2]]
        top = max(exponent for _, exponent in halves)
        return sum((_floor(value, top - self.fraction_bits) for value, _ in halves), Fraction(0)), top

    def _truncated(self, pairs: list[tuple[float, float]]) -> tuple[Fraction, int]:
        minimum_a, minimum_b = self.minimum_exponents
        products = [Fraction(x) * Fraction(y) for x, y in pairs]
        exponents = [
            max(exponent_of(Fraction(x)), minimum_a) + max(exponent_of(Fraction(y)), minimum_b)
            if x and y
            else NO_PRODUCT
            for x, y in pairs
        ]
        top = max(exponents)
        unit = Fraction(2) ** (top - self.fraction_bits)
        return sum(math.trunc(product / unit) for product in products) * unit, top


def _floor(value: Fraction, exponent: int) -> Fraction:
    """Return ``value`` rounded down to a multiple of ``2**exponent``."""
    unit = Fraction(2) ** exponent
    return math.floor(value / unit) * unit


def _past_float32(x: float, y: float) -> float:
    """Return a product as the multiplier hands it on: infinity from ``2**128`` on."""
    product = x * y
    return math.copysign(math.inf, product) if abs(product) >= 2.0**128 else product
