"""Matrix cores of AMD CDNA1: a few products and the addend are summed exactly and rounded once.

Model "E-FDPA" of MMA-Sim (arXiv 2511.10909), for the ``v_mfma`` instructions of CDNA1 with fp16 and bf16 operands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators.base import Number
from simhw.accumulators.rounding import FLOAT32, round_to_precision


@dataclass(frozen=True, kw_only=True)
class AmdFused:
    """``s = fp32(s + a[k] * b[k] + ... )`` over ``block`` consecutive k: exact inside, one rounding to nearest even.

    Attributes:
        block: products per rounding, at most 4.
    """

    block: int

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "amd_fused"

    @property
    def name(self) -> str:
        """Short name."""
        return f"fp32, exact sums of {self.block} products rounded once"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> Number:
        """Return the rounded sum for operands given as exact values; infinities and NaN follow IEEE 754."""
        total: Number = Fraction(c) if math.isfinite(c) else c
        for start in range(0, len(a), self.block):
            x, y = a[start : start + self.block], b[start : start + self.block]
            if isinstance(total, Fraction) and all(map(math.isfinite, (*x, *y))):
                exact = sum((Fraction(u) * Fraction(v) for u, v in zip(x, y, strict=True)), total)
                total = round_to_precision(exact, FLOAT32)
            else:
                total = float(sum((u * v for u, v in zip(x, y, strict=True)), float(total)))
        return total
