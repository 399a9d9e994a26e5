"""What ``explain`` says of sums: accumulators, and the worst cases of a datapath for a given K."""

from __future__ import annotations

import math
from fractions import Fraction

from simhw.accumulators import Accumulator, IntegerAccumulator
from simhw.accumulators.catalog import get_accumulator
from simhw.gemm.bounds import error_bound, register_limit, sum_width
from simhw.gemm.datapath import Datapath

USUAL_K = 4096
"""Length of a sum that figures are given for unless told otherwise: a hidden size of large language models."""

Pairs = list[tuple[str, str]]


def accumulator_pairs(name: str, k: int | None) -> Pairs:
    """Return what to say of an accumulator of the catalogue, for operands that it is usually given."""
    entry = get_accumulator(name)
    integer = isinstance(entry.accumulator, IntegerAccumulator) or "integer" in entry.accumulator.name
    formats = ("int8", "int8") if integer else ("e4m3", "e4m3")
    return [
        ("what", entry.description),
        ("rule", entry.accumulator.name),
        *sum_pairs(entry.accumulator, formats, USUAL_K if k is None else k),
        ("source", entry.source),
    ]


def datapath_pairs(datapath: Datapath, k: int | None) -> Pairs:
    """Return the worst cases of a datapath's sums: of one group, where groups are scaled one by one."""
    formats = (datapath.activation, datapath.multiplier_weight or datapath.weight)
    wanted = USUAL_K if k is None else k
    block = datapath.block_size
    group = wanted if block is None else min(block, wanted)
    return sum_pairs(datapath.accumulator, formats, group)


def sum_pairs(accumulator: Accumulator, formats: tuple[str, str], k: int) -> Pairs:
    """Return width, overflow and error bound of a sum of ``k`` products."""
    width = sum_width(k, formats)
    limit = register_limit(accumulator, formats)
    bound = error_bound(accumulator, k, formats)
    pairs = [
        (
            "worst-case sum",
            f"K x {_size(width.largest_product)} = {_size(width.largest_sum)} for K = {k} products of "
            f"{formats[0]} x {formats[1]}; exact in {width.bits} bits from 2^{width.unit_exponent} on",
        ),
        ("overflow", "never, at any K" if limit is None else f"possible from K = {_size(Fraction(limit))} on"),
    ]
    if bound is None:
        pairs.append(("error bound", f"none is stated for K = {k}"))
    elif not bound.relative and not bound.absolute:
        pairs.append(("error bound", bound.formula))
    else:
        pairs.append(
            (
                "error bound",
                f"|error| <= {float(bound.relative):.3g} S + {float(bound.absolute):.3g} for K = {k}, "
                f"S = sum of |a b| + |c| ({bound.formula})",
            )
        )
    return pairs


def _size(value: Fraction) -> str:
    """Return a magnitude in digits, or as a power of two where those are many."""
    if value < 10**7 and value.denominator == 1:
        return str(value)
    return f"2^{math.log2(value):.1f}"
