"""Every step of one dot product: what each product is, how far it is shifted, which bits are lost, what is held."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from simhw.accumulators import Accumulator, Addend, Aligned, Exact, Ieee, Number
from simhw.accumulators.aligned import block_indices
from simhw.accumulators.ieee import add_rounded, multiply_exact, multiply_rounded, round_value
from simhw.accumulators.rounding import FLOAT32, Precision, exponent_of, round_to_precision
from simhw.accumulators.scaled import ScaledAccumulator
from simhw.errors import InputError
from simhw.formats import decode
from simhw.gemm.codes import take_codes
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.matmul import matmul, weight_formats
from simhw.gemm.one_dot import define_dot


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a sum.

    Attributes:
        label: ``k = 3``, ``c``, ``carried`` (the sum so far as a term of the next block) or ``rounded``.
        a_code, b_code: operand codes of a product.
        a, b: their values.
        product: the exact product (or the term that is added).
        exponent: with which the term takes part in an alignment.
        shift: places that it is shifted right to the largest exponent.
        bits_lost: significant bits that alignment or rounding cuts off in this step.
        lost: their value: the exact result of the step minus what is held after it.
        before: the sum before rounding.
        after: the sum that is held after the step.
    """

    label: str
    a_code: int | None = None
    b_code: int | None = None
    a: float | None = None
    b: float | None = None
    product: Number | None = None
    exponent: int | None = None
    shift: int | None = None
    bits_lost: int = 0
    lost: Fraction = Fraction(0)
    before: Number | None = None
    after: Number


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A dot product step by step.

    Attributes:
        datapath: whose rules are followed.
        steps: in the order of the hardware.
        result: what :func:`simhw.matmul` returns; the last step holds the same.
        exact: the sum without any rounding (NaN or infinity where an operand is).
    """

    datapath: Datapath
    steps: tuple[Step, ...]
    result: float
    exact: Number

    @property
    def error(self) -> float:
        """``result - exact``; NaN where they are not both finite."""
        if not (math.isfinite(self.result) and isinstance(self.exact, Fraction)):
            return math.nan
        return float(Fraction(self.result) - self.exact)


def trace_dot(a_codes: Any, b_codes: Any, datapath: str | Datapath = "hopper_e4m3_fp32", c: float = 0.0) -> Trace:
    """Return every step of one dot product of two vectors of codes on a datapath.

    Steps are shown in full for exact, sequential floating-point (``Ieee``) and aligned (tensor-core) accumulators; for
    others a step holds what the accumulator returns for the first products. Scales are one. Where the datapath
    requantizes, the steps end in the register: how it is stored depends on the scales of a layer.

    Args:
        a_codes: ``(k,)`` codes of the first operand's format, as :func:`simhw.matmul` takes them.
        b_codes: ``(k,)`` codes of the second operand's format.
        datapath: name or record.
        c: addend, for accumulators that have one.

    Raises:
        InputError: as :func:`simhw.matmul`; no products.
    """
    record = datapath if isinstance(datapath, Datapath) else get_datapath(datapath)
    left, a_format = take_codes(a_codes, (record.activation,), "a_codes")
    right, b_format = take_codes(b_codes, weight_formats(record), "b_codes")
    if left.ndim != 1 or left.shape != right.shape or left.size == 0:
        raise InputError(
            f"operands have shapes {left.shape} and {right.shape}, must be two vectors of one length, at least 1"
        )
    if record.multiplier_weight is not None:
        raise InputError(
            f"datapath {record.name} rounds weights to {record.multiplier_weight} before the multiplier, with scales "
            "that a dot product alone has not; choose the datapath of its multiplier"
        )
    given = None if c == 0 else np.full((1, 1), c)
    register = replace(record, requantize=None, output="fp32")
    result = float(matmul(left[None], right[:, None], register, given)[0, 0])
    formats = (a_format, b_format)
    x, y = (decode(codes, name).astype(np.float64) for codes, name in ((left, a_format), (right, b_format)))
    block = None if isinstance(record.accumulator, ScaledAccumulator) else record.block_size
    steps: list[Step] = []
    total: Number = Fraction(0)
    for start in range(0, left.size, block or left.size):
        ks = slice(start, start + (block or left.size))
        for step in _steps(record.accumulator, x[ks].tolist(), y[ks].tolist(), float(c), formats):
            if step.label.startswith("k = "):
                at = start + int(step.label[4:])
                step = replace(step, label=f"k = {at}", a_code=int(left[at]), b_code=int(right[at]))
                step = replace(step, a=float(x[at]), b=float(y[at]))
            steps.append(step)
        if block is not None:
            steps += _join(steps[-1].after, total, first=start == 0)
            total = steps[-1].after
    last = steps[-1].after
    if isinstance(last, Fraction) and math.isfinite(result) and Fraction(result) != last:
        steps.append(_rounded(last, Fraction(result), FLOAT32, "rounded"))
    return Trace(datapath=record, steps=tuple(steps), result=result, exact=_exact(x.tolist(), y.tolist(), float(c)))


def _exact(a: list[float], b: list[float], c: float) -> Number:
    if not all(map(math.isfinite, (*a, *b, c))):
        return float(sum((x * y for x, y in zip(a, b, strict=True)), c))
    return sum((Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True)), Fraction(c))


def _steps(
    accumulator: Accumulator, a: list[float], b: list[float], c: float, formats: tuple[str, str]
) -> Iterator[Step]:
    finite = all(map(math.isfinite, (*a, *b, c)))
    if isinstance(accumulator, Ieee) and finite:
        return _sequential(accumulator, a, b, c)
    if isinstance(accumulator, Aligned) and finite:
        return _aligned(accumulator, a, b, c)
    return _prefixes(accumulator, a, b, c, formats, exact=isinstance(accumulator, Exact) and finite)


def _prefixes(
    accumulator: Accumulator, a: list[float], b: list[float], c: float, formats: tuple[str, str], *, exact: bool
) -> Iterator[Step]:
    """What the accumulator returns for the first 1, 2, ... products."""
    if c:
        yield Step(label="c", product=c, after=define_dot(accumulator, [], [], c, formats=formats))
    before: Number = Fraction(c) if math.isfinite(c) else c
    for k in range(len(a)):
        after = define_dot(accumulator, a[: k + 1], b[: k + 1], c, formats=formats)
        product = multiply_exact(a[k], b[k]) if math.isfinite(a[k]) and math.isfinite(b[k]) else a[k] * b[k]
        total = before + product if isinstance(before, Fraction) and isinstance(product, Fraction) else None
        wrapped = exact and total is not None and total != after
        yield Step(label=f"k = {k}", product=product, before=total if wrapped else None, after=after)
        before = after


def _sequential(accumulator: Ieee, a: list[float], b: list[float], c: float) -> Iterator[Step]:
    """One rounding per addition (and per product, where it is not fused)."""
    precision = accumulator.precision
    total = round_value(c, precision)
    if c:
        yield _rounded(Fraction(c), total, precision, "c")
    for k, (x, y) in enumerate(zip(a, b, strict=True)):
        exact = multiply_exact(x, y)
        product = exact if accumulator.fused else multiply_rounded(x, y, precision)
        before = Fraction(total) + Fraction(product) if math.isfinite(total) and math.isfinite(product) else None
        total = add_rounded(total, product, precision)
        step = (
            _rounded(before, total, precision, f"k = {k}")
            if before is not None
            else Step(label=f"k = {k}", after=total)
        )
        yield replace(step, product=exact, exponent=exponent_of(Fraction(exact)) if exact else None)


def _aligned(accumulator: Aligned, a: list[float], b: list[float], c: float) -> Iterator[Step]:
    """Block by block: terms shifted to the largest exponent and cut off, then one rounding of their sum."""
    fused = accumulator.addend is Addend.FUSED
    held: Number = Fraction(c) if fused else Fraction(0)
    for index, ks in enumerate(block_indices(len(a), accumulator.block, accumulator.order)):
        if not isinstance(held, Fraction):
            yield from (Step(label=f"k = {k}", product=Fraction(a[k]) * Fraction(b[k]), after=held) for k in ks)
            continue
        terms = [(f"k = {k}", Fraction(a[k]) * Fraction(b[k]), _exponent(accumulator, a[k], b[k])) for k in ks]
        carried = max(exponent_of(held), accumulator.result.minimum_exponent) if held else accumulator.zero_exponent
        if index or (fused and held):
            terms.insert(0, ("carried" if index else "c", held, carried))
        largest = max(carried, *(exponent for _, _, exponent in terms))
        if len(ks) < accumulator.block:  # the hardware's block is filled up with zeros
            largest = max(largest, accumulator.zero_exponent)
        unit = Fraction(2) ** (largest - accumulator.fraction_bits)
        total = Fraction(0)
        for label, value, exponent in terms:
            kept = math.trunc(value / unit) * unit
            total += kept
            yield Step(
                label=label,
                product=value,
                exponent=exponent,
                shift=largest - exponent,
                bits_lost=_bits_below(value, unit),
                lost=value - kept,
                after=total,
            )
        held = round_to_precision(total, accumulator.result)
        yield _rounded(total, held, accumulator.result, "rounded")
    if accumulator.addend is Addend.AFTER and c:
        nearest = FLOAT32 if accumulator.result.significand_bits > 11 else accumulator.result
        before = Fraction(held) + Fraction(c) if isinstance(held, Fraction) else None
        after = float(held) + c if before is None else round_to_precision(before, nearest)
        yield Step(label="c", product=c, after=after) if before is None else _rounded(before, after, nearest, "c")


def _exponent(accumulator: Aligned, x: float, y: float) -> int:
    """Return the exponent of a product: the sum of its operands', never normalised."""
    if x == 0 or y == 0:
        return accumulator.zero_exponent
    pairs = zip((x, y), accumulator.minimum_exponents, strict=True)
    return sum(max(exponent_of(Fraction(value)), minimum) for value, minimum in pairs)


def _join(group: Number, total: Number, *, first: bool) -> list[Step]:
    """Return the steps that round one group's sum to fp32 and add it to the sum of those before it."""
    rounded = round_to_precision(group, FLOAT32) if isinstance(group, Fraction) else group
    steps = [_rounded(group, rounded, FLOAT32, "rounded")] if isinstance(group, Fraction) and rounded != group else []
    if first:
        return steps
    if not (isinstance(rounded, Fraction) and isinstance(total, Fraction)):
        return [*steps, Step(label="sum", after=float(rounded) + float(total))]
    before = total + rounded
    return [*steps, _rounded(before, round_to_precision(before, FLOAT32), FLOAT32, "sum")]


def _rounded(before: Fraction, after: Number, precision: Precision, label: str) -> Step:
    """Return a step that rounds a sum."""
    if not math.isfinite(after):
        return Step(label=label, before=before, after=after)
    exponent = max(exponent_of(before), precision.minimum_exponent) if before else precision.minimum_exponent
    unit = Fraction(2) ** (exponent - precision.significand_bits + 1)
    return Step(
        label=label, before=before, after=after, lost=before - Fraction(after), bits_lost=_bits_below(before, unit)
    )


def _bits_below(value: Fraction, unit: Fraction) -> int:
    """Return how many bits of ``value`` lie below ``unit``, from its highest one there to its lowest.

    >>> [_bits_below(value, Fraction(1)) for value in (Fraction(7, 4), Fraction(3, 8), Fraction(4))]
    [2, 2, 0]
    """
    rest = abs(value) % unit
    return exponent_of(rest) - exponent_of(_last_place(rest)) + 1 if rest else 0


def _last_place(value: Fraction) -> Fraction:
    """Return the weight of the lowest bit that is set."""
    numerator = abs(value.numerator)
    return Fraction(numerator & -numerator, value.denominator)
