"""An integer accumulator that cuts low bits after every chunk of products.

Source: IBM fms-model-optimizer, ``fms_mo/custom_ext_kernels/triton_kernels.py``, ``imatmul_kernel`` with
``chunk_trun_bits``, ``max_acc_bits`` and ``truncate_then_accumulate``.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from simhw.accumulators.base import check_bits, check_length, integers
from simhw.accumulators.saturate import clamp


class Cut(enum.Enum):
    """What becomes of the low bits."""

    FLOOR = "floor"
    """They are dropped: an arithmetic shift right and back, toward minus infinity."""
    TOWARD_ZERO = "toward_zero"
    """They are dropped from the magnitude."""
    NEAREST_UP = "nearest_up"
    """Half of the last kept bit is added, then they are dropped: nearest, ties toward plus infinity (the source's)."""


class Where(enum.Enum):
    """What is cut."""

    CHUNK = "chunk"
    """Each chunk's own sum, before it is added to the accumulator (``truncate_then_accumulate``)."""
    ACCUMULATOR = "accumulator"
    """The accumulator, after each chunk was summed into it."""


@dataclass(frozen=True, kw_only=True)
class LsbTruncated:
    """Exact sums of ``every`` consecutive products; after each chunk the low ``bits`` bits are cut.

    Attributes:
        bits: low bits that are cut, in units of the products' least significant bit; 0 cuts nothing.
        every: products per chunk; the last one may be shorter.
        cut: floor, toward zero, or to nearest.
        where: whether each chunk's sum or the running accumulator is cut.
        register_bits: width of what is cut, clamped before the cut (``max_acc_bits``); None: as wide as it takes.
            The accumulator behind a cut chunk is as wide as it takes.
    """

    bits: int
    every: int
    cut: Cut = Cut.FLOOR
    where: Where = Where.CHUNK
    register_bits: int | None = None

    def __post_init__(self) -> None:
        check_bits("cut bits", self.bits, 0, 31)
        check_length("every", self.every)
        if self.register_bits is not None:
            check_bits("register_bits", self.register_bits, 2, 53)

    @property
    def kind(self) -> str:
        """The file of ``simhw/gemm/paths`` that runs it."""
        return "lsb_truncated"

    @property
    def name(self) -> str:
        """Short name."""
        width = "" if self.register_bits is None else f", clamped to {self.register_bits} bit"
        return f"{self.where.value} of {self.every} cut by {self.bits} bit, {self.cut.value.replace('_', ' ')}{width}"

    def dot(self, a: Sequence[float], b: Sequence[float], c: float = 0.0) -> float:
        """Return the accumulator's value for whole operands and a whole addend, which it holds at the start."""
        return float(self.dot_integers(integers(a), integers(b), integers([c])[0]))

    def dot_integers(self, a: Sequence[int], b: Sequence[int], start: int = 0) -> int:
        """Return what the accumulator holds in the end."""
        products = [x * y for x, y in zip(a, b, strict=True)]
        total = start
        for first in range(0, len(products), self.every):
            chunk = sum(products[first : first + self.every])
            total = total + self._limit(chunk) if self.where is Where.CHUNK else self._limit(total + chunk)
        return total

    def _limit(self, value: int) -> int:
        return cut_low_bits(
            value if self.register_bits is None else clamp(value, self.register_bits), self.bits, self.cut
        )


def cut_low_bits(value: int, bits: int, cut: Cut) -> int:
    """Return ``value`` without its low bits.

    >>> [cut_low_bits(v, 2, Cut.FLOOR) for v in (7, -7)], [cut_low_bits(v, 2, Cut.TOWARD_ZERO) for v in (7, -7)]
    ([4, -8], [4, -4])
    >>> [cut_low_bits(v, 2, Cut.NEAREST_UP) for v in (5, 6, -6)]
    [4, 8, -4]
    """
    match cut:
        case Cut.FLOOR:
            return value >> bits << bits
        case Cut.TOWARD_ZERO:
            magnitude = abs(value) >> bits << bits
            return -magnitude if value < 0 else magnitude
        case Cut.NEAREST_UP:
            return (value + ((1 << bits) >> 1)) >> bits << bits
