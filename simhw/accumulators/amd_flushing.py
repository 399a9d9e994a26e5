"""Matrix cores of AMD CDNA2: fp32 products added in pairs, subnormal numbers flushed to zero everywhere.

Model "FTZ multiply-add" of MMA-Sim (arXiv 2511.10909), for CDNA2's ``v_mfma`` instructions with fp16 and bf16 operands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators.base import Number
from simhw.accumulators.rounding import FLOAT32, round_to_precision

SMALLEST_NORMAL = Fraction(1, 2**126)
"""Of fp32."""


@dataclass(frozen=True, kw_only=True)
class AmdFlushing:
    """``s = s + ((p0 + p1) + (p2 + p3))`` over blocks of k, every operation rounded to nearest even in fp32.

    Operands, addend and every result below the smallest normal number of their format become zero.

    Attributes:
        block: products added in pairs before they join the sum: 2 or 4.
        smallest_normals: exponents of the smallest normal numbers of a's and b's formats.
    """

    block: int
    smallest_normals: tuple[int, int]

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "amd_flushing"

    @property
    def name(self) -> str:
        """Short name."""
        return f"fp32, {self.block} products added in pairs, subnormals flushed"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the rounded sum for operands given as exact values; infinities and NaN follow IEEE 754."""
        total = _flush(Fraction(c)) if math.isfinite(c) else c
        products = [self._product(x, y) for x, y in zip(a, b, strict=True)]
        products += [Fraction(0)] * (-len(products) % self.block)
        for start in range(0, len(products), self.block):
            pairs = [_add(products[k], products[k + 1]) for k in range(start, start + self.block, 2)]
            total = _add(total, pairs[0] if self.block == 2 else _add(pairs[0], pairs[1]))
        return total

    def _product(self, x: float, y: float) -> Number:
        first, second = (
            v if not math.isfinite(v) or abs(v) >= 2.0**exponent else 0.0
            for v, exponent in zip((x, y), self.smallest_normals, strict=True)
        )
        if not (math.isfinite(first) and math.isfinite(second)):
            return first * second
        return _flush(round_to_precision(Fraction(first) * Fraction(second), FLOAT32))


def _add(x: Number, y: Number) -> Number:
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return _flush(round_to_precision(x + y, FLOAT32))
    return float(x) + float(y)


def _flush(value: Number) -> Number:
    return Fraction(0) if isinstance(value, Fraction) and abs(value) < SMALLEST_NORMAL else value
