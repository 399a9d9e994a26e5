"""``check_accumulator``: another model of how products are summed against an accumulator's definition."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from simhw.accumulators import Accumulator, Exact, IntegerAccumulator
from simhw.errors import InputError
from simhw.gemm.one_dot import define_dot
from simhw.testing.classes import InputClass
from simhw.testing.operands import STRESSES, single_products, stressed_codes, stresses_of
from simhw.testing.report import Disagreement, Input, Number, Report, Tally, same
from simhw.testing.shrinking import DotCase, shrink

Dot = Callable[[Any, Any, float], Any]
"""``(a values, b values, c) -> result``; the operands are float64 arrays of one length."""

LENGTHS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 128)
"""Numbers of products tried: powers of two and their neighbours, where blocks begin and end."""


def check_accumulator(
    accumulator: Accumulator,
    *,
    dot: Dot,
    formats: tuple[str, str] = ("e4m3", "e4m3"),
    addend: bool = True,
    tries: int = 2000,
    pairs: int = 1 << 12,
    lengths: tuple[int, ...] = LENGTHS,
    seed: int = 0,
) -> Report:
    """Return where another model of a dot product differs from an accumulator's definition.

    Single products are tried for every pair of finite codes where there are at most ``pairs`` of them; sums with
    cancellation, saturation, alignment loss, spread exponents, infinities and NaN, and addends, ``tries`` times in
    all. The first wrong case is shrunk to few products and simple codes.

    Args:
        accumulator: the rule, see :mod:`simhw.accumulators`.
        dot: the candidate, ``(a values, b values, c) -> result``. A zero may have any sign.
        formats: element formats that operands are drawn from.
        addend: whether ``c`` is ever other than 0.
        tries: number of sums.
        pairs: number of single products.
        lengths: numbers of products in a sum.
        seed: of the draws.

    Raises:
        InputError: a result that is no number, or no length to try.

    >>> from simhw.accumulators import Ieee
    >>> check_accumulator(Ieee(), dot=Ieee().dot, tries=50, pairs=10).agrees
    True
    """
    if tries < 1 or not lengths or min(lengths) < 1:
        raise InputError(f"tries is {tries} and lengths are {lengths}; both must be at least 1")

    def outcome(case: DotCase) -> tuple[Number, Number]:
        expected = define_case(accumulator, case)
        return expected, as_number(dot(np.array(case.a_values), np.array(case.b_values), case.c))

    tally = Tally()
    integer = isinstance(accumulator, Exact | IntegerAccumulator)
    for case, classes in dot_cases(formats, addend and not integer, not integer, tries, pairs, lengths, seed):
        expected, got = outcome(case)
        if same(expected, got, sign_of_zero=False):
            tally.add(classes)
        else:
            tally.add(classes, describe(case, classes, expected, got), case.size)
    first = None
    if (found := tally.smallest) is not None:

        def fails(case: DotCase) -> bool:
            return not same(*outcome(case), sign_of_zero=False)

        start = DotCase(
            a=found.inputs[0].codes or (),
            b=found.inputs[1].codes or (),
            c=float(found.inputs[2].values[0]),
            a_format=formats[0],
            b_format=formats[1],
        )
        smallest = shrink(start, fails)
        first = describe(smallest, found.classes, *outcome(smallest))
    coverage = f"{pairs} single products at most, {tries} sums of up to {max(lengths)} {' x '.join(formats)} products"
    return tally.report(f"dot product, {accumulator.name}", coverage, first)


def dot_cases(
    formats: tuple[str, str],
    addend: bool,
    specials: bool,
    tries: int,
    pairs: int,
    lengths: tuple[int, ...],
    seed: int,
) -> Iterator[tuple[DotCase, tuple[InputClass, ...]]]:
    """Yield the cases of a check with their classes, short sums first; ``specials``: with infinities and NaN."""
    rng = np.random.default_rng(seed)
    for x, y in single_products(*formats, pairs, rng):
        yield DotCase(a=(x,), b=(y,), c=0.0, a_format=formats[0], b_format=formats[1]), (InputClass.ONE_PRODUCT,)
    stresses = stresses_of(*formats) if specials else STRESSES
    for index in range(tries):
        stress = stresses[index % len(stresses)]
        k = lengths[index * len(lengths) // tries]
        a, b = stressed_codes(stress, k, *formats, rng)
        case = DotCase(a=tuple(a.tolist()), b=tuple(b.tolist()), c=0.0, a_format=formats[0], b_format=formats[1])
        if addend and index % 3 == 0:
            c = _addend(case, rng)
            yield DotCase(**{**vars(case), "c": c}), (stress, InputClass.ADDEND)
        else:
            yield case, (stress,)


def _addend(case: DotCase, rng: np.random.Generator) -> float:
    """Return an fp16 value of the size of one product or of the sum, or what cancels the sum."""
    products = np.array(case.a_values) * np.array(case.b_values)
    products = products[np.isfinite(products)]
    total = float(products.sum()) if len(products) else 1.0
    one = float(rng.choice(products)) if len(products) else 1.0
    value = float(rng.choice([total, -total, one, -one, 1.0])) * 2.0 ** int(rng.integers(-12, 4))
    return float(np.float16(max(-65504.0, min(65504.0, value))))


def define_case(accumulator: Accumulator, case: DotCase) -> Number:
    """Return what an accumulator's definition gives for a case."""
    return define_dot(accumulator, case.a_values, case.b_values, case.c, formats=(case.a_format, case.b_format))


def as_number(result: Any) -> Number:
    """Return a candidate's result as an exact value.

    Raises:
        InputError: it is no number.
    """
    if isinstance(result, Fraction):
        return result
    try:
        number = result if isinstance(result, int) else float(result)
    except (TypeError, ValueError):
        raise InputError(f"the dot product returned {result!r}, must be one number") from None
    return Fraction(number) if number != 0 and math.isfinite(number) else float(number)


def describe(case: DotCase, classes: tuple[InputClass, ...], expected: Number, got: Number) -> Disagreement:
    """Return a wrong case as a record; ulps are those of an fp32 result."""
    return Disagreement(
        classes=classes,
        inputs=(
            Input(name="a", values=case.a_values, codes=case.a),
            Input(name="b", values=case.b_values, codes=case.b),
            Input(name="c", values=(case.c,)),
        ),
        expected=expected,
        got=got,
        ulps=_ulps(expected, got),
    )


def _ulps(expected: Number, got: Number) -> float | None:
    if not (math.isfinite(expected) and math.isfinite(got)):
        return None
    with np.errstate(over="ignore"):
        unit = float(np.spacing(np.float32(max(abs(float(expected)), abs(float(got))))))
    return float((Fraction(got) - Fraction(expected)) / Fraction(unit)) if math.isfinite(unit) else None
