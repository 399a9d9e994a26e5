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
* ``Chunked``: the inner bound for its chunks, and gamma(chunks + 1) of what they return.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from simhw.accumulators import (
    Accumulator,
    Addend,
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
from simhw.accumulators.amd_fused import AmdFused
from simhw.accumulators.rounding import FLOAT32, NEAREST
from simhw.accumulators.vpmaddubsw import PAIR_BITS, SUM_BITS
from simhw.errors import InputError
from simhw.formats import ElementFormat, FloatFormat, get_element_format
from simhw.formats.element import power_of_two


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


def _u(precision: Precision) -> Fraction:
    nearest = precision.rounding in NEAREST
    return power_of_two(-precision.significand_bits if nearest else 1 - precision.significand_bits)


def _eta(precision: Precision) -> Fraction:
    return power_of_two(precision.minimum_exponent - precision.significand_bits + 1)


def _gamma(n: int, u: Fraction) -> Fraction | None:
    return None if n * u >= 1 else n * u / (1 - n * u)


def _chain(roundings: int, total: int, precision: Precision, formula: str) -> ErrorBound | None:
    """Return the bound where every term takes part in ``roundings`` of ``total`` roundings."""
    gamma = _gamma(roundings, _u(precision))
    if gamma is None:
        return None
    absolute = total * _eta(precision) * (1 + gamma)
    return ErrorBound(relative=gamma, absolute=absolute, formula=f"gamma({roundings}) S, {formula}")


def _exact(accumulator: Accumulator, k: int, formats: tuple[str, str]) -> ErrorBound:  # noqa: ARG001
    formula = "0 while the register does not overflow (what leaves it for fp32 is rounded once)"
    return ErrorBound(relative=Fraction(0), absolute=Fraction(0), formula=formula)


def _ieee(accumulator: Ieee, k: int, formats: tuple[str, str]) -> ErrorBound | None:  # noqa: ARG001
    roundings = k + 1 + int(not accumulator.fused)  # the addend is rounded at the start
    total = k * (1 if accumulator.fused else 2) + 1
    return _chain(roundings, total, accumulator.precision, "one rounding per addition")


def _pairwise(accumulator: Pairwise, k: int, formats: tuple[str, str]) -> ErrorBound | None:  # noqa: ARG001
    roundings = (k - 1).bit_length() + 2
    return _chain(roundings, 2 * k + 1, accumulator.precision, "one rounding per level of the tree")


def _tree(accumulator: Tree, k: int, formats: tuple[str, str]) -> ErrorBound | None:  # noqa: ARG001
    groups = -(-k // accumulator.width)
    roundings = accumulator.width.bit_length() + groups + 1
    total = 2 * groups * accumulator.width + groups + 1
    return _chain(roundings, total, accumulator.precision, "one rounding per level and per group")


def _amd_fused(accumulator: AmdFused, k: int, formats: tuple[str, str]) -> ErrorBound | None:  # noqa: ARG001
    blocks = -(-k // accumulator.block)
    return _chain(blocks, blocks, FLOAT32, "one rounding per block")


def _lsb_truncated(accumulator: LsbTruncated, k: int, formats: tuple[str, str]) -> ErrorBound:
    unit = power_of_two(sum(get_element_format(name).lsb_exponent for name in formats))
    chunks = -(-k // accumulator.every)
    return ErrorBound(
        relative=Fraction(0),
        absolute=chunks * (1 << accumulator.bits) * unit,
        formula=f"{chunks} chunks x 2^{accumulator.bits} units of the last place, while nothing is clamped",
    )


def _chunked(accumulator: Chunked, k: int, formats: tuple[str, str]) -> ErrorBound | None:
    inner = error_bound(accumulator.inner, min(accumulator.every, k), formats)
    chunks = -(-k // accumulator.every)
    outer = _chain(chunks + 1, chunks + 1, accumulator.outer, "one rounding per chunk")
    if inner is None or outer is None:
        return None
    return ErrorBound(
        relative=inner.relative + outer.relative * (1 + inner.relative),
        absolute=chunks * inner.absolute * (1 + outer.relative) + outer.absolute,
        formula=f"{inner.formula} within chunks of {accumulator.every}; {outer.formula}",
    )


def _aligned(accumulator: Aligned, k: int, formats: tuple[str, str]) -> ErrorBound | None:
    blocks = -(-k // accumulator.block)
    result = accumulator.result
    u, eta = _u(result), _eta(result)
    growth = Fraction(1)
    if result.rounding is not result.rounding.TOWARD_ZERO:
        gamma = _gamma(blocks, u)
        if gamma is None:
            return None
        growth += gamma
    cut = (accumulator.block + 1) * power_of_two(-accumulator.fraction_bits)
    floor = _subnormal_product(accumulator, formats) + power_of_two(result.minimum_exponent)
    floor += power_of_two(accumulator.zero_exponent) + blocks * eta
    relative = blocks * (cut + u) * growth
    absolute = blocks * (cut * floor + u * blocks * eta + eta)
    if accumulator.addend is Addend.AFTER:  # one more rounding to nearest, of the sum with c
        last = min(u, _u(FLOAT32)) if result.significand_bits > 11 else u
        relative += last * (1 + relative)
        absolute = absolute * (1 + last) + eta
    sizes = f"N = {blocks} blocks of L = {accumulator.block}, F = {accumulator.fraction_bits}"
    return ErrorBound(relative=relative, absolute=absolute, formula=f"N ((L + 1) 2^-F + u) G S, {sizes}")


def _subnormal_product(accumulator: Aligned, formats: tuple[str, str]) -> Fraction:
    """Return the largest ``2**exponent`` of a product with a subnormal operand, whose exponent overstates it."""
    a, b = (get_element_format(name) for name in formats)
    minimum_a, minimum_b = (power_of_two(exponent) for exponent in accumulator.minimum_exponents)
    return max(_has_small(a, minimum_a) * b.max_value, _has_small(b, minimum_b) * a.max_value)


def _has_small(fmt: ElementFormat, minimum: Fraction) -> Fraction:
    return minimum if not isinstance(fmt, FloatFormat) or fmt.has_subnormals else Fraction(0)


_RULES: dict[type, Callable[..., ErrorBound | None]] = {
    Exact: _exact,
    Saturate: _exact,
    PartialSums: _exact,
    Vpmaddubsw: _exact,
    Ieee: _ieee,
    Pairwise: _pairwise,
    Tree: _tree,
    AmdFused: _amd_fused,
    LsbTruncated: _lsb_truncated,
    Chunked: _chunked,
    Aligned: _aligned,
}
