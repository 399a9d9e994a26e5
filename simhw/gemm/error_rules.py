"""Error bounds of registers that round every addition, or nothing: one function per accumulator.

See :mod:`simhw.gemm.bounds` for the notation.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators import Accumulator, Ieee, LsbTruncated, Pairwise, Precision, Tree
from simhw.accumulators.amd_flushing import AmdFlushing
from simhw.accumulators.amd_fused import AmdFused
from simhw.accumulators.rounding import FLOAT32, NEAREST
from simhw.formats import ElementFormat, FloatFormat, get_element_format
from simhw.formats.element import power_of_two

Formats = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class ErrorBound:
    """``|result - exact| <= relative * S + absolute``, S being the sum of the products' magnitudes and of ``|c|``.

    Attributes:
        relative: factor of S.
        absolute: what is added, in the unit of the values.
        formula: the bound in words.
    """

    relative: Fraction
    absolute: Fraction
    formula: str

    def at(self, magnitudes: Fraction) -> Fraction:
        """Return the bound for a known S."""
        return self.relative * magnitudes + self.absolute


def rounding_error(precision: Precision) -> Fraction:
    """Return u, the relative error of one rounding."""
    nearest = precision.rounding in NEAREST
    return power_of_two(-precision.significand_bits if nearest else 1 - precision.significand_bits)


def subnormal_unit(precision: Precision) -> Fraction:
    """Return eta, the unit of the register's subnormal numbers."""
    return power_of_two(precision.minimum_exponent - precision.significand_bits + 1)


def gamma_of(n: int, u: Fraction) -> Fraction | None:
    """Return ``n u / (1 - n u)``, None where ``n u >= 1``."""
    return None if n * u >= 1 else n * u / (1 - n * u)


def chain(roundings: int, total: int, precision: Precision, formula: str) -> ErrorBound | None:
    """Return the bound where every term takes part in ``roundings`` of ``total`` roundings."""
    gamma = gamma_of(roundings, rounding_error(precision))
    if gamma is None:
        return None
    absolute = total * subnormal_unit(precision) * (1 + gamma)
    return ErrorBound(relative=gamma, absolute=absolute, formula=f"gamma({roundings}) S, {formula}")


def exact(accumulator: Accumulator, k: int, formats: Formats) -> ErrorBound:  # noqa: ARG001
    """Integer and exact registers lose nothing."""
    formula = "0 while the register does not overflow (what leaves it for fp32 is rounded once)"
    return ErrorBound(relative=Fraction(0), absolute=Fraction(0), formula=formula)


def ieee(accumulator: Ieee, k: int, formats: Formats) -> ErrorBound | None:  # noqa: ARG001
    """One rounding per addition, one more per product where those are rounded."""
    roundings = k + 1 + int(not accumulator.fused)  # the addend is rounded at the start
    total = k * (1 if accumulator.fused else 2) + 1
    return chain(roundings, total, accumulator.precision, "one rounding per addition")


def pairwise(accumulator: Pairwise, k: int, formats: Formats) -> ErrorBound | None:  # noqa: ARG001
    """One rounding per level of the halving."""
    roundings = (k - 1).bit_length() + 2
    return chain(roundings, 2 * k + 1, accumulator.precision, "one rounding per level of the tree")


def tree(accumulator: Tree, k: int, formats: Formats) -> ErrorBound | None:  # noqa: ARG001
    """One rounding per level of a tree, then one per tree."""
    groups = -(-k // accumulator.width)
    roundings = accumulator.width.bit_length() + groups + 1
    total = 2 * groups * accumulator.width + groups + 1
    return chain(roundings, total, accumulator.precision, "one rounding per level and per group")


def amd_fused(accumulator: AmdFused, k: int, formats: Formats) -> ErrorBound | None:  # noqa: ARG001
    """One rounding per block."""
    blocks = -(-k // accumulator.block)
    return chain(blocks, blocks, FLOAT32, "one rounding per block")


def lsb_truncated(accumulator: LsbTruncated, k: int, formats: Formats) -> ErrorBound:
    """Less than the weight of the lowest kept bit, once per chunk."""
    unit = power_of_two(sum(get_element_format(name).lsb_exponent for name in formats))
    chunks = -(-k // accumulator.every)
    return ErrorBound(
        relative=Fraction(0),
        absolute=chunks * (1 << accumulator.bits) * unit,
        formula=f"{chunks} chunks x 2^{accumulator.bits} units of the last place, while nothing is clamped",
    )


def amd_flushing(accumulator: AmdFlushing, k: int, formats: Formats) -> ErrorBound | None:
    """A rounding per product, per level of pairs and per block; every one may flush, and so may an operand."""
    blocks = -(-k // accumulator.block)
    bound = chain(1 + (accumulator.block - 1).bit_length() + blocks, 0, FLOAT32, "one rounding per operation")
    if bound is None:
        return None
    operations = blocks * 2 * accumulator.block + 1
    lost = k * subnormal_product(accumulator.smallest_normals, formats) + operations * power_of_two(-126)
    return ErrorBound(
        relative=bound.relative,
        absolute=lost * (1 + bound.relative),
        formula=f"{bound.formula}; subnormal operands and results flushed",
    )


def subnormal_product(minimum_exponents: tuple[int, int], formats: Formats) -> Fraction:
    """Return what a product with a subnormal operand stays below, whose exponent (or flushing) misstates it."""
    a, b = (get_element_format(name) for name in formats)
    minimum_a, minimum_b = (power_of_two(exponent) for exponent in minimum_exponents)
    return max(_has_small(a, minimum_a) * b.max_value, _has_small(b, minimum_b) * a.max_value)


def _has_small(fmt: ElementFormat, minimum: Fraction) -> Fraction:
    return minimum if not isinstance(fmt, FloatFormat) or fmt.has_subnormals else Fraction(0)
