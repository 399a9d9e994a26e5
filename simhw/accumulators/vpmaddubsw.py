"""Unsigned times signed bytes in pairs, each pair's sum saturated to 16 bits: AVX2 without VNNI.

Sources: Intel Intrinsics Guide, ``_mm256_maddubs_epi16`` (VPMADDUBSW) followed by ``_mm256_madd_epi16`` with ones
(VPMADDWD) and ``_mm256_add_epi32``; ONNX Runtime documentation, "Quantize ONNX models", on the saturation of U8S8 on
AVX2 and AVX512 (its remedy ``reduce_range`` keeps weights in 7 bits).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simhw.accumulators.base import integers
from simhw.accumulators.exact import wrap
from simhw.accumulators.saturate import clamp

PAIR_BITS = 16
SUM_BITS = 32


@dataclass(frozen=True, kw_only=True)
class Vpmaddubsw:
    """``s = wrap32(s + clamp16(a[2i] * b[2i] + a[2i+1] * b[2i+1]))``; an odd last product has a zero beside it.

    The register of 32 bits wraps. One operand is unsigned and one signed, 8 bits each; which is which does not matter
    for the result, and narrower operands are taken as well.
    """

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "vpmaddubsw"

    @property
    def name(self) -> str:
        """Short name."""
        return "pairs saturated to 16 bit, sum 32 bit"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> float:
        """Return the register's value for whole operands and a whole addend, which it holds at the start."""
        return float(self.dot_integers(integers(a), integers(b), integers([c])[0]))

    def dot_integers(self, a: Sequence[int], b: Sequence[int], start: int = 0) -> int:
        """Return what the register holds in the end."""
        products = [x * y for x, y in zip(a, b, strict=True)]
        total = wrap(start, SUM_BITS)
        for i in range(0, len(products), 2):
            total = wrap(total + clamp(sum(products[i : i + 2]), PAIR_BITS), SUM_BITS)
        return total
