"""``check_pe``: a processing element's product, in any realisation, against the product of the decoded values."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from simhw.formats import ElementFormat, decode_exact, get_element_format
from simhw.pes import ProcessingElement, get_pe
from simhw.testing.boundaries import boundary_codes
from simhw.testing.classes import InputClass
from simhw.testing.dot_check import as_number
from simhw.testing.report import Disagreement, Input, Report, Tally, same, size_of_value

EVERY_PAIR = 1 << 17
"""Pairings of up to this many pairs of codes are tried pair by pair."""
SOME_PAIRS = 1 << 14
"""Of wider ones, this many pairs of boundary codes at most."""


def check_pe(
    pe: str | ProcessingElement,
    *,
    product: Callable[[int, int], Any] | None = None,
    activation_format: str | None = None,
    weight_format: str | None = None,
    seed: int = 0,
) -> Report:
    """Return where a model of a PE's multiplier differs from the exact product of the decoded operands.

    Every pair of codes is tried where there are at most 2^17 (8 x 8 bits); of wider formats pairs of boundary codes.
    Codes of NaN and infinity, which no PE multiplies, are left out.

    Args:
        pe: name or record.
        product: the candidate, ``(activation code, weight code) -> value``, e.g. a co-simulated circuit. None: the
            PE's own definition is checked.
        activation_format: of a pairing that the PE executes; None: its main one.
        weight_format: likewise.
        seed: of the pairs drawn from wide formats.

    Raises:
        InputError: unknown PE or pairing, or a result that is no number.

    >>> check_pe("mixpe_w4a8").agrees
    True
    """
    record = get_pe(pe) if isinstance(pe, str) else pe
    names = (activation_format or record.activation_format, weight_format or record.weight_format)
    record.cycles_per_product(get_element_format(names[1]).bits, get_element_format(names[0]).bits)

    def own(a: int, w: int) -> Fraction:
        return record.product(a, w, activation_format=names[0], weight_format=names[1])

    candidate = own if product is None else product
    tally = Tally()
    operands, pairs, coverage = _operands(names, seed)
    extremes = [(min(values.values()), max(values.values())) for values in operands]
    for a_code, w_code in pairs:
        a, w = operands[0][a_code], operands[1][w_code]
        expected, got = a * w, as_number(candidate(a_code, w_code))
        classes = _classes(a, w, extremes)
        if same(expected, got, sign_of_zero=False):
            tally.add(classes)
            continue
        wrong = Disagreement(
            classes=classes,
            inputs=(
                Input(name="activation", values=(a,), codes=(a_code,)),
                Input(name="weight", values=(w,), codes=(w_code,)),
            ),
            expected=expected,
            got=got,
            ulps=_units(expected, got, names),
        )
        # Small products first: a wrong row of gates shows best with a weight of one bit.
        tally.add(classes, wrong, (size_of_value(w)[:3], size_of_value(a)[:3], a < 0, w < 0))
    return tally.report(f"product of {record.name}, {names[0]} x {names[1]}", coverage)


def _operands(names: tuple[str, str], seed: int) -> tuple[list[dict[int, Fraction]], Iterable[tuple[int, int]], str]:
    """Return the values by code of both operands, the pairs of codes to try, and what these cover."""
    formats = [get_element_format(name) for name in names]
    if formats[0].code_count * formats[1].code_count <= EVERY_PAIR:
        operands = [_finite(fmt, range(fmt.code_count)) for fmt in formats]
        return operands, itertools.product(operands[0], operands[1]), "every pair of codes"
    operands = [_finite(fmt, boundary_codes(fmt, seed=seed).tolist()) for fmt in formats]
    if len(operands[0]) * len(operands[1]) <= SOME_PAIRS:
        return operands, itertools.product(operands[0], operands[1]), "every pair of boundary codes"
    draw = random.Random(seed)
    left, right = (draw.choices(list(values), k=SOME_PAIRS) for values in operands)
    return operands, zip(left, right, strict=True), f"{SOME_PAIRS} pairs of boundary codes"


def _finite(fmt: ElementFormat, codes: Iterable[int]) -> dict[int, Fraction]:
    """Return the values of the codes that are numbers."""
    exact = {code: decode_exact(code, fmt) for code in codes}
    return {code: Fraction(value) for code, value in exact.items() if value == 0 or isinstance(value, Fraction)}


def _classes(a: Fraction, w: Fraction, extremes: list[tuple[Fraction, Fraction]]) -> tuple[InputClass, ...]:
    if a == 0 or w == 0:
        return (InputClass.SIGNED_ZERO,)
    return (InputClass.SATURATION,) if a in extremes[0] and w in extremes[1] else (InputClass.ORDINARY,)


def _units(expected: Fraction, got: Fraction | float, names: tuple[str, str]) -> float | None:
    if not isinstance(got, Fraction) and got != 0:
        return None
    unit = Fraction(2) ** sum(get_element_format(name).lsb_exponent for name in names)
    return float((Fraction(got) - expected) / unit)
