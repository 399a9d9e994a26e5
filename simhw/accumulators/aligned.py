"""Tensor-core accumulation: align a block of products to its largest exponent, truncate, add, round once.

Model of the NVIDIA tensor cores ("T-FDPA"): MMA-Sim (arXiv 2511.10909, section 4); Fasi et al., PeerJ CS 330 (2021);
Khattak and Mikaitis, "Accurate Models of NVIDIA Tensor Cores", ACM TACO, doi 10.1145/3830409.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators.base import Number
from simhw.accumulators.rounding import (
    FLOAT32,
    FLOAT32_TOWARD_ZERO,
    Precision,
    exponent_of,
    round_to_precision,
)
from simhw.errors import InputError
from simhw.formats.rounding import Rounding


class Order(enum.Enum):
    """Which k go into which block."""

    SEQUENTIAL = "sequential"
    """Blocks of consecutive k."""
    PAIRS = "pairs"
    """Of every 2 * block consecutive k, first those with k mod 4 in {0, 1}, then those with k mod 4 in {2, 3}."""


class Addend(enum.Enum):
    """Where the addend c of ``a . b + c`` enters."""

    FUSED = "fused"
    """It is a term of the first block, aligned and truncated like a product."""
    AFTER = "after"
    """The dot product starts from zero; c is added at the end with one rounding to nearest even."""
    ABSENT = "absent"
    """The dot product starts from zero and c is not added: the instruction was run without one."""


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Blocks of ``block`` products, chained: the rounded result of one is a term of the next.

    Attributes:
        block: products that are summed at once (L).
        fraction_bits: bits kept below the largest exponent of the block (F).
        alignment: what becomes of the rest: cut off, toward zero, as tensor cores do, or rounded to nearest even.
        zero_exponent: exponent that a zero term takes part with in the search for the largest.
        result: precision and rounding of each block's result.
        minimum_exponents: exponents of the smallest normal numbers of a's and b's formats; below, significands are
            smaller than one and keep that exponent. (Products are never normalised.)
        order: which k go into which block.
        addend: where c enters.
    """

    block: int
    fraction_bits: int
    zero_exponent: int
    result: Precision = FLOAT32_TOWARD_ZERO
    minimum_exponents: tuple[int, int]
    order: Order = Order.SEQUENTIAL
    addend: Addend = Addend.FUSED
    alignment: Rounding = Rounding.TOWARD_ZERO

    def __post_init__(self) -> None:
        if self.alignment not in (Rounding.TOWARD_ZERO, Rounding.NEAREST_EVEN):
            raise InputError(f"alignment is {self.alignment}, must be toward_zero or nearest_even; choose one of them")

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "aligned"

    @property
    def name(self) -> str:
        """Short name."""
        how = "" if self.alignment is Rounding.TOWARD_ZERO else " to nearest"
        return f"aligned L={self.block} F={self.fraction_bits}{how}, {self.result.name}"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the result for operands given as exact values; infinities and NaN follow IEEE 754."""
        start = c if self.addend is Addend.FUSED else 0.0
        total: Number = Fraction(start) if math.isfinite(start) else start
        for ks in block_indices(len(a), self.block, self.order):
            total = self._block([a[k] for k in ks], [b[k] for k in ks], total)
        if self.addend is Addend.AFTER:
            total = self._add_after(total, c)
        return total

    def _block(self, a: Sequence[float], b: Sequence[float], c: Number) -> Number:
        if not all(map(math.isfinite, (*a, *b, c))):
            return float(sum((x * y for x, y in zip(a, b, strict=True)), float(c)))
        minimum_a, minimum_b = self.minimum_exponents
        terms: list[tuple[Fraction, int]] = []
        for x, y in zip(a, b, strict=True):
            exact = Fraction(x) * Fraction(y)
            exponent = self.zero_exponent
            if exact:
                exponent = max(exponent_of(Fraction(x)), minimum_a) + max(exponent_of(Fraction(y)), minimum_b)
            terms.append((exact, exponent))
        if len(a) < self.block:  # the hardware's block is filled up with zeros
            terms.append((Fraction(0), self.zero_exponent))
        addend = Fraction(c)
        exponent = self.zero_exponent
        if addend:
            exponent = max(exponent_of(addend), self.result.minimum_exponent)
        terms.append((addend, exponent))
        unit = Fraction(2) ** (max(e for _, e in terms) - self.fraction_bits)
        cut = math.trunc if self.alignment is Rounding.TOWARD_ZERO else round
        total = sum(cut(value / unit) for value, _ in terms) * unit
        return round_to_precision(total, self.result)

    def _add_after(self, total: Number, c: float) -> Number:
        nearest = FLOAT32 if self.result.significand_bits > 11 else self.result
        if not (math.isfinite(total) and math.isfinite(c)):
            return float(total) + c
        return round_to_precision(Fraction(total) + Fraction(c), nearest)


def block_indices(k: int, block: int, order: Order) -> list[list[int]]:
    """Return the k of each block, in the order in which the blocks are summed.

    >>> block_indices(5, 2, Order.SEQUENTIAL)
    [[0, 1], [2, 3], [4]]
    >>> block_indices(8, 4, Order.PAIRS)
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    if order is Order.SEQUENTIAL:
        return [list(range(start, min(start + block, k))) for start in range(0, k, block)]
    blocks = []
    for start in range(0, k, 2 * block):
        ks = range(start, min(start + 2 * block, k))
        blocks += [[i for i in ks if i % 4 < 2], [i for i in ks if i % 4 >= 2]]
    return [ks for ks in blocks if ks]
