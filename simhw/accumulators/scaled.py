"""Tensor-core accumulation of blocks that bring their scales with them (MXFP8, MXFP6, MXFP4, NVFP4).

The scales take part before alignment: inside the accumulator, not behind it. Models "ST-FDPA" and "GST-FDPA" of MMA-Sim
(arXiv 2511.10909), for ``tcgen05.mma`` and ``mma.sync`` with ``block_scale``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

from simhw.accumulators.base import Accumulator, Number
from simhw.accumulators.rounding import FLOAT32_TOWARD_ZERO, Precision, exponent_of, round_to_precision
from simhw.formats import FloatFormat, get_element_format

Term = tuple[Fraction, int]
"""Value of a term and the exponent that it takes part with in the alignment."""


@runtime_checkable
class ScaledAccumulator(Accumulator, Protocol):
    """An accumulator that takes the scales of its operands' blocks. Signs of scales are not looked at."""

    @property
    def scale_block(self) -> int:
        """Products that share one scale of each operand."""
        ...

    @property
    def scale_format(self) -> str:
        """Element format of the scales."""
        ...

    def dot_scaled(
        self,
        a: Sequence[float],
        b: Sequence[float],
        a_scale: Sequence[float],
        b_scale: Sequence[float],
        c: float = 0.0,
    ) -> Number:
        """Return ``sum(a[k] * b[k] * a_scale[k // scale_block] * b_scale[k // scale_block]) + c``."""
        ...


@dataclass(frozen=True, kw_only=True)
class ScaledAligned:
    """As :class:`Aligned`, with the exponents of both scales added to the exponent of every product.

    Attributes:
        block: products that are summed at once (L), also those that share a scale pair.
        fraction_bits: bits kept below the largest exponent of the block (F).
        zero_exponent: exponent that a zero term takes part with.
        result: precision and rounding of each block's result.
        minimum_exponents: exponents of the smallest normal numbers of a's and b's formats.
        scale_block: products per scale pair, a multiple of ``block`` or equal.
        scale_format: powers of two, as the significand of a scale plays no part.
    """

    block: int = 32
    fraction_bits: int = 25
    zero_exponent: int = -133
    result: Precision = FLOAT32_TOWARD_ZERO
    minimum_exponents: tuple[int, int]
    scale_block: int = 32
    scale_format: str = "e8m0"

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "scaled"

    @property
    def name(self) -> str:
        """Short name."""
        return f"scaled products aligned L={self.block} F={self.fraction_bits}, {self.result.name}"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the result with scales of one."""
        ones = [1.0] * -(-len(a) // self.scale_block)
        return self.dot_scaled(a, b, ones, ones, c)

    def dot_scaled(
        self,
        a: Sequence[float],
        b: Sequence[float],
        a_scale: Sequence[float],
        b_scale: Sequence[float],
        c: float = 0.0,
    ) -> Number:
        """Return the result for operands and scales given as exact values; infinities and NaN follow IEEE 754."""
        total: Number = Fraction(c) if math.isfinite(c) else c
        for start in range(0, len(a), self.block):
            ks = slice(start, start + self.block)
            group = start // self.scale_block
            total = self._block(a[ks], b[ks], (abs(a_scale[group]), abs(b_scale[group])), total)
        return total

    def _block(self, a: Sequence[float], b: Sequence[float], scales: tuple[float, float], c: Number) -> Number:
        if not all(map(math.isfinite, (*a, *b, *scales, c))):
            return float(sum((x * y * scales[0] * scales[1] for x, y in zip(a, b, strict=True)), float(c)))
        minimum_a, minimum_b = self.minimum_exponents
        factor = Fraction(scales[0]) * Fraction(scales[1])
        terms: list[Term] = []
        for x, y in zip(a, b, strict=True):
            value = Fraction(x) * Fraction(y) * factor
            exponent = self.zero_exponent
            if value:
                exponent = max(exponent_of(Fraction(x)), minimum_a) + max(exponent_of(Fraction(y)), minimum_b)
                exponent += exponent_of(factor)
            terms.append((value, exponent))
        if len(a) < self.block:  # the hardware's block is filled up with zeros
            terms.append((Fraction(0), self.zero_exponent))
        terms.append(addend_term(Fraction(c), self.zero_exponent, self.result))
        return truncated_sum(terms, self.fraction_bits, self.result)


@dataclass(frozen=True, kw_only=True)
class ScaledGroups:
    """Groups of products are summed exactly, then scaled; the scaled sums are aligned, truncated and added.

    A group's term is its exact sum times the product of the scales' significands; its exponent is the sum of the
    scales' exponents, whatever the size of the sum. It counts as a zero term where all products are zero or a scale
    is, but not where products cancel.

    Attributes:
        group: products that are summed exactly.
        block: products whose groups are added at once, chained from block to block.
        fraction_bits: bits kept below the largest exponent of the block's groups and the addend (F).
        zero_exponent: exponent that a zero term takes part with.
        result: precision and rounding of each block's result.
        scale_block: products per scale pair, a multiple of ``group``.
        scale_format: of the scales.
    """

    group: int = 16
    block: int = 64
    fraction_bits: int = 35
    zero_exponent: int = -139
    result: Precision = FLOAT32_TOWARD_ZERO
    scale_block: int
    scale_format: str

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "scaled"

    @property
    def name(self) -> str:
        """Short name."""
        return f"scaled sums of {self.group} aligned L={self.block} F={self.fraction_bits}, {self.result.name}"

    @property
    def scale_minimum_exponent(self) -> int:
        """Exponent of the smallest normal scale; significands of smaller ones are below one."""
        form = get_element_format(self.scale_format)
        assert isinstance(form, FloatFormat)
        return form.minimum_exponent

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the result with scales of one."""
        ones = [1.0] * -(-len(a) // self.scale_block)
        return self.dot_scaled(a, b, ones, ones, c)

    def dot_scaled(
        self,
        a: Sequence[float],
        b: Sequence[float],
        a_scale: Sequence[float],
        b_scale: Sequence[float],
        c: float = 0.0,
    ) -> Number:
        """Return the result for operands and scales given as exact values; infinities and NaN follow IEEE 754."""
        total: Number = Fraction(c) if math.isfinite(c) else c
        for start in range(0, len(a), self.block):
            stop = min(start + self.block, len(a))
            groups = []
            for first in range(start, stop, self.group):
                ks = slice(first, min(first + self.group, stop))
                scale = first // self.scale_block
                groups.append((a[ks], b[ks], abs(a_scale[scale]), abs(b_scale[scale])))
            total = self._block(groups, total)
        return total

    def _block(self, groups: list[tuple[Sequence[float], Sequence[float], float, float]], c: Number) -> Number:
        if not all(map(math.isfinite, (*(v for x, y, s, t in groups for v in (*x, *y, s, t)), c))):
            terms = (u * v * s * t for x, y, s, t in groups for u, v in zip(x, y, strict=True))
            return float(sum(terms, float(c)))
        terms_: list[Term] = []
        for x, y, s, t in groups:
            products = [Fraction(u) * Fraction(v) for u, v in zip(x, y, strict=True)]
            exponent = self.zero_exponent
            if s and t and any(products):
                exponent = sum(max(exponent_of(Fraction(scale)), self.scale_minimum_exponent) for scale in (s, t))
            terms_.append((sum(products, Fraction(0)) * Fraction(s) * Fraction(t), exponent))
        if len(groups) < self.block // self.group:  # the hardware's block is filled up with zeros
            terms_.append((Fraction(0), self.zero_exponent))
        terms_.append(addend_term(Fraction(c), self.zero_exponent, self.result))
        return truncated_sum(terms_, self.fraction_bits, self.result)


def addend_term(c: Fraction, zero_exponent: int, result: Precision) -> Term:
    """Return the addend, a value of the result's precision, as a term."""
    return c, max(exponent_of(c), result.minimum_exponent) if c else zero_exponent


def truncated_sum(terms: list[Term], fraction_bits: int, result: Precision) -> Number:
    """Return the sum of terms that were cut off, toward zero, below the largest exponent; rounded once."""
    unit = Fraction(2) ** (max(exponent for _, exponent in terms) - fraction_bits)
    return round_to_precision(sum(math.trunc(value / unit) for value, _ in terms) * unit, result)
