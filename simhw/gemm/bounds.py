"""How large a sum can get, and how far an accumulator's result can be from the exact sum, from formats and K alone.

Notation: S is the sum of ``|a[k] * b[k]|`` over all K products, plus ``|c|``; u is the relative error of one rounding,
``2**-p`` to nearest and ``2**(1 - p)`` otherwise, for p significant bits; eta the unit of the register's subnormal
numbers. A chain of n roundings multiplies a term by at most ``1 / (1 - n u)``, so its relative error is at most
``gamma(n) = n u / (1 - n u)`` (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, lemma 3.1).

Every bound has the form ``|result - exact| <= relative * S + absolute`` and holds while nothing overflows:

* exact and integer registers: 0;
* ``Ieee``: gamma(K + 1), and gamma(K + 2) where products are rounded as well; eta per rounding;
* ``Pairwise``: gamma(ceil(log2 K) + 2); ``Tree``: gamma(log2(width) + ceil(K / width) + 2);
* ``AmdFused``: gamma(ceil(K / block));
* ``LsbTruncated``: the weight of the lowest kept bit, once per chunk;
* ``Aligned`` (tensor cores), with N blocks of L products: every block cuts at most L + 1 terms by less than
  ``2**-F * 2**E`` and rounds once, where ``2**E`` is at most the largest magnitude that takes part. With
  G = 1 + gamma(N) (to nearest; truncation never makes a sum larger: 1): ``N ((L + 1) 2**-F + u) G S``, plus the same
  with the exponents of subnormal operands and of zeros in place of S;
* ``AmdAligned``: the same with what its extra cuts lose, as gamma(N); ``ScaledAligned``: as ``Aligned``;
  ``ScaledGroups``: groups instead of products; ``AmdFlushing``: gamma(1 + log2(block) + N), flushed numbers apart;
* ``Chunked``: the inner bound for its chunks, and gamma(chunks + 1) of what they return.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators import (
    Accumulator,
    Aligned,
    Chunked,
    Exact,
    Ieee,
    LsbTruncated,
    Pairwise,
    PartialSums,
    Precision,
    Saturate,
    Tree,
    Vpmaddubsw,
    Where,
)
from simhw.accumulators.amd_aligned import AmdAligned
from simhw.accumulators.amd_flushing import AmdFlushing
from simhw.accumulators.amd_fused import AmdFused
from simhw.accumulators.rounding import FLOAT32
from simhw.accumulators.scaled import ScaledAligned, ScaledGroups
from simhw.accumulators.vpmaddubsw import PAIR_BITS, SUM_BITS
from simhw.errors import InputError
from simhw.formats import get_element_format
from simhw.formats.element import power_of_two
from simhw.gemm import aligned_error_rules, error_rules
from simhw.gemm.error_rules import ErrorBound, chain

__all__ = ["ErrorBound", "SumWidth", "error_bound", "register_limit", "sum_width"]


@dataclass(frozen=True, kw_only=True)
class SumWidth:
    """How large a sum of K products of two formats can get.

    Attributes:
        largest_product: largest ``|a * b|``.
        largest_sum: K times that.
        bits: two's complement width that holds every sum exactly, in units of the products' last place.
        unit_exponent: exponent of that unit.
    """

    largest_product: Fraction
    largest_sum: Fraction
    bits: int
    unit_exponent: int


def sum_width(k: int, formats: tuple[str, str]) -> SumWidth:
    """Return the worst case of a sum of ``k`` products. Raises InputError for ``k`` below 1.

    >>> sum_width(128, ("int8", "uint4")).bits
    19
    """
    _check_k(k)
    a, b = (get_element_format(name) for name in formats)
    corners = [x * y for x in (a.min_value, a.max_value) for y in (b.min_value, b.max_value)]
    largest = max(abs(corner) for corner in corners)
    unit = a.lsb_exponent + b.lsb_exponent
    highest, lowest = (k * corner / power_of_two(unit) for corner in (max(corners), min(corners)))
    bits = 1 + max(int(highest).bit_length(), int(-1 - lowest).bit_length() if lowest < 0 else 0)
    return SumWidth(largest_product=largest, largest_sum=k * largest, bits=bits, unit_exponent=unit)


def error_bound(accumulator: Accumulator, k: int, formats: tuple[str, str]) -> ErrorBound | None:
    """Return the bound for sums of ``k`` products of two formats; None where none is stated, or none holds.

    None holds where roundings are so many that ``n u >= 1`` (a sum may then stop growing altogether).

    Args:
        accumulator: the rule.
        k: number of products, at least 1.
        formats: names of the operands' formats.

    Raises:
        InputError: ``k`` is below 1.

    >>> from simhw.accumulators import Ieee
    >>> f"{float(error_bound(Ieee(), 1024, ('fp16', 'fp16')).relative) * 2**24:.2f}"  # in units of 2^-24
    '1025.06'
    """
    _check_k(k)
    rule = _RULES.get(type(accumulator))
    return None if rule is None else rule(accumulator, k, formats)


def register_limit(accumulator: Accumulator, formats: tuple[str, str]) -> int | None:
    """Return the smallest K at which a register of the accumulator can overflow; None if none can."""
    match accumulator:
        case Exact(bits=bits) | Saturate(bits=bits):
            return None if bits is None else _integer_limit(bits, formats)
        case PartialSums():
            inner = _integer_limit(accumulator.inner_bits, formats)
            return inner if inner <= accumulator.every else _integer_limit(accumulator.outer_bits, formats)
        case Vpmaddubsw():
            pair = _integer_limit(PAIR_BITS, formats)
            return pair if pair <= 2 else _integer_limit(SUM_BITS, formats)
        case LsbTruncated(register_bits=None):
            return None
        case LsbTruncated(register_bits=int(bits)):
            limit = _integer_limit(bits, formats)
            return None if accumulator.where is Where.CHUNK and limit > accumulator.every else limit
    largest = sum_width(1, formats).largest_product
    return int(Fraction(_precision(accumulator).largest) // largest) + 1


def _integer_limit(bits: int, formats: tuple[str, str]) -> int:
    """Return the smallest K whose sum of the largest or of the smallest products leaves a two's complement register."""
    a, b = (get_element_format(name) for name in formats)
    corners = [x * y for x in (a.min_value, a.max_value) for y in (b.min_value, b.max_value)]
    unit = power_of_two(a.lsb_exponent + b.lsb_exponent)
    top, bottom = ((1 << (bits - 1)) - 1) * unit, (1 << (bits - 1)) * unit
    counts = [top // max(corners) + 1] if max(corners) > 0 else []
    counts += [bottom // -min(corners) + 1] if min(corners) < 0 else []
    return int(min(counts))


def _check_k(k: int) -> None:
    if k < 1:
        raise InputError(f"k is {k}, must be at least 1; it is the number of products in a sum")


def _precision(accumulator: Accumulator) -> Precision:
    """Return the precision of the register that holds the result; those of AMD's matrix cores are fp32."""
    for name in ("precision", "result", "outer"):
        found = getattr(accumulator, name, None)
        if isinstance(found, Precision):
            return found
    return FLOAT32


def _chunked(accumulator: Chunked, k: int, formats: tuple[str, str]) -> ErrorBound | None:
    inner = error_bound(accumulator.inner, min(accumulator.every, k), formats)
    chunks = -(-k // accumulator.every)
    outer = chain(chunks + 1, chunks + 1, accumulator.outer, "one rounding per chunk")
    if inner is None or outer is None:
        return None
    return ErrorBound(
        relative=inner.relative + outer.relative * (1 + inner.relative),
        absolute=chunks * inner.absolute * (1 + outer.relative) + outer.absolute,
        formula=f"{inner.formula} within chunks of {accumulator.every}; {outer.formula}",
    )


_RULES: dict[type, Callable[..., ErrorBound | None]] = {
    Exact: error_rules.exact,
    Saturate: error_rules.exact,
    PartialSums: error_rules.exact,
    Vpmaddubsw: error_rules.exact,
    Ieee: error_rules.ieee,
    Pairwise: error_rules.pairwise,
    Tree: error_rules.tree,
    AmdFused: error_rules.amd_fused,
    AmdFlushing: error_rules.amd_flushing,
    LsbTruncated: error_rules.lsb_truncated,
    Chunked: _chunked,
    Aligned: aligned_error_rules.aligned,
    AmdAligned: aligned_error_rules.amd_aligned,
    ScaledAligned: aligned_error_rules.scaled_aligned,
    ScaledGroups: aligned_error_rules.scaled_groups,
}
