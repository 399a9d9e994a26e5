"""``check_format``: another implementation of a format's casts against the definition in exact fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import (
    ElementFormat,
    FloatFormat,
    IntegerFormat,
    Overflow,
    Rounding,
    decode_exact,
    encode_exact,
    get_element_format,
)
from simhw.formats.arrays import FloatArray, as_codes, as_values
from simhw.formats.names import AnyFormat
from simhw.formats.rounding import choose
from simhw.testing.boundaries import boundary_codes, boundary_values, classify
from simhw.testing.classes import InputClass
from simhw.testing.report import Disagreement, Input, Number, Report, Tally, same, size_of_value

DECODED_BITS = 16
"""Formats of up to this many bits are decoded code by code."""


def check_format(
    format: str | AnyFormat,
    *,
    encode: Callable[[Any], Any] | None = None,
    decode: Callable[[Any], Any] | None = None,
    round_to: Callable[[Any], Any] | None = None,
    rounding: Rounding | str = Rounding.NEAREST_EVEN,
    overflow: Overflow | str = Overflow.SATURATE,
    infinite: Overflow | str | None = None,
    dtype: Any = np.float32,
    seed: int = 0,
) -> Report:
    """Return where another implementation of a format differs from exact rounding.

    The inputs are :func:`simhw.testing.boundary_values`: between two of them an implementation that is monotone cannot
    change its mind. With 16-bit inputs (``dtype=np.float16``) every input is tried. Every code of formats of up to 16
    bits is decoded. The judge is :func:`simhw.formats.encode_exact`, in fractions.

    Args:
        format: name or record of an element format.
        encode: takes a 1-D array of ``dtype``, returns as many codes (integers, or an array of the ml_dtypes or torch
            dtype). For a model of one value at a time see :func:`simhw.testing.elementwise`.
        decode: takes a 1-D array of codes, returns as many values.
        round_to: takes values, returns the values of the format that they become (a "fake quantizer").
        rounding: what the implementation claims to do; not "stochastic".
        overflow: what it claims to do beyond the largest value.
        infinite: what it claims to make of infinities; None: the same.
        dtype: float64, float32, float16, or ml_dtypes' bfloat16: what ``encode`` and ``round_to`` are given.
        seed: of the codes looked at in formats of more than ten bits.

    Raises:
        InputError: nothing to check, a policy that the format has not, results of another shape or kind.

    >>> from simhw.formats import encode
    >>> check_format("e2m1", encode=lambda values: encode(values, "e2m1")).agrees
    True
    """
    record = get_element_format(format)
    how = choose(Rounding, rounding, argument="rounding")
    policy = choose(Overflow, overflow, argument="overflow")
    at_infinity = policy if infinite is None else choose(Overflow, infinite, argument="infinite")
    if encode is None and decode is None and round_to is None:
        raise InputError("nothing was given to check, must be encode=, decode= or round_to=; pass a callable")
    if how is Rounding.STOCHASTIC:
        raise InputError("rounding is 'stochastic', whose results depend on a generator; check a deterministic one")
    tally = Tally()
    if decode is not None:
        _check_decode(decode, record, tally, seed)
    if encode is not None or round_to is not None:
        values = boundary_values(record, dtype=dtype, seed=seed)
        if at_infinity is Overflow.WRAP:
            values = values[~np.isinf(values.astype(np.float64))]
        expected = [encode_exact(v, record, how, policy, infinite=at_infinity) for v in _numbers(values)]
        for checked, function in ((True, encode), (False, round_to)):
            if function is not None:
                _compare(function, checked, values, expected, record, tally)
    names = [n for n, f in (("encode", encode), ("decode", decode), ("round_to", round_to)) if f is not None]
    subject = f"{' and '.join(names)} of {record.name} ({how}, {policy})"
    every = record.bits <= DECODED_BITS and (names == ["decode"] or np.dtype(dtype).itemsize == 2)
    coverage = "every input" if every else f"every boundary, inputs {np.dtype(dtype).name}"
    return tally.report(subject, coverage)


def elementwise(function: Callable[[Any], Any]) -> Callable[[Any], NDArray[Any]]:
    """Return a function of arrays from one of single values: for ctypes, cocotb or plain Python models.

    The function is given Python numbers (float or int) and may return any number.

    >>> elementwise(lambda value: int(value) & 3)([1.0, 6.0]).tolist()
    [1, 2]
    """

    def of_array(values: Any) -> NDArray[Any]:
        given = np.asarray(values)
        numbers = given.tolist() if given.dtype.kind in "iu" else _numbers(given)
        return np.array([function(number) for number in numbers])

    return of_array


def _numbers(values: FloatArray) -> list[float]:
    with np.errstate(invalid="ignore"):  # NaN of ml_dtypes
        return [float(value) for value in values.astype(np.float64).tolist()]


def _check_decode(decode: Callable[[Any], Any], fmt: ElementFormat, tally: Tally, seed: int) -> None:
    every = fmt.bits <= DECODED_BITS
    codes = np.arange(fmt.code_count) if every else boundary_codes(fmt, seed=seed)
    codes = codes.astype(fmt.code_dtype)
    got = as_values(decode(codes.copy()))
    _require_shape("decode", got, codes.size)
    for code, value in zip(codes.tolist(), _numbers(got), strict=True):
        expected = decode_exact(code, fmt)
        classes = (_class_of_code(expected, fmt),)
        if same(expected, value):
            tally.add(classes)
            continue
        wrong = Disagreement(
            classes=classes,
            inputs=(Input(name="code", values=(expected,), codes=(code,)),),
            expected=expected,
            got=value,
            ulps=None if not np.isfinite(value) else _steps(value, expected, fmt),
        )
        tally.add(classes, wrong, (*size_of_value(expected), code))


def _class_of_code(value: Number, fmt: ElementFormat) -> InputClass:
    if value == 0:
        return InputClass.SIGNED_ZERO
    if isinstance(value, float):
        return InputClass.NAN if np.isnan(value) else InputClass.INFINITY
    if isinstance(fmt, FloatFormat) and fmt.has_zero and abs(value) < fmt.smallest_normal:
        return InputClass.SUBNORMAL
    return InputClass.EXACT


def _compare(
    function: Callable[[Any], Any],
    returns_codes: bool,
    values: FloatArray,
    expected: list[int],
    fmt: ElementFormat,
    tally: Tally,
) -> None:
    """Count how often a function of values gives the expected codes, or their values."""
    name = "encode" if returns_codes else "round_to"
    result = function(values.copy())
    got = as_codes(result, fmt) if returns_codes else as_values(result)
    _require_shape(name, got, values.size)
    results = got.tolist() if returns_codes else _numbers(got)
    for value, classes, code, made in zip(_numbers(values), classify(values, fmt), expected, results, strict=True):
        right = decode_exact(code, fmt)
        became = decode_exact(made, fmt) if returns_codes else made
        # Two NaN are the same; otherwise an encoder must make the very code (FNUZ, duplicates in a codebook).
        agrees = same(right, became) and (not returns_codes or made == code or right != right)
        if agrees:
            tally.add(classes)
            continue
        wrong = Disagreement(
            classes=classes,
            inputs=(Input(name="value", values=(value,)),),
            expected=right,
            got=became,
            expected_code=code,
            got_code=made if returns_codes else None,
            ulps=_distance(right, became, code, made if returns_codes else None, fmt),
        )
        tally.add(classes, wrong, size_of_value(value))


def _distance(right: Number, became: Number, code: int, made: int | None, fmt: ElementFormat) -> float | None:
    if not (isinstance(right, Fraction) or right == 0) or not np.isfinite(float(became)):
        return None
    if made is not None and isinstance(fmt, FloatFormat | IntegerFormat):
        return float(_rank(made, fmt) - _rank(code, fmt))
    return _steps(float(became), right, fmt)


def _rank(code: int, fmt: FloatFormat | IntegerFormat) -> int:
    """Return the position of a code among the values."""
    if isinstance(fmt, IntegerFormat):
        return code - fmt.code_count if code > fmt.max_integer_code else code
    magnitude = code & fmt.top_code
    return -magnitude if code & fmt.sign_bit else magnitude


def _steps(got: float, expected: Number, fmt: ElementFormat) -> float | None:
    """Return ``got - expected`` in units of the last place of the expected value."""
    if isinstance(expected, float) and not np.isfinite(expected):
        return None
    exact = Fraction(expected)
    unit = Fraction(2) ** fmt.lsb_exponent
    if isinstance(fmt, FloatFormat) and exact:
        magnitude = abs(exact)
        exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
        exponent -= magnitude < Fraction(2) ** exponent
        unit = max(unit, Fraction(2) ** (exponent - fmt.mantissa_bits))
    return float((Fraction(got) - exact) / unit)


def _require_shape(name: str, got: NDArray[Any], size: int) -> None:
    if got.shape != (size,):
        raise InputError(
            f"{name} returned an array of shape {got.shape}, must be ({size},), one result per input; "
            "wrap a function of single values in simhw.testing.elementwise"
        )
