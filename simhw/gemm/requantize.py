"""From an int32 sum to an int8 code: one function per library or machine that does it, because they differ.

Every rule computes ``round(sum * scale) + zero_point``, clamped; they differ in how the scale is held, in how often
they round and which way. :data:`RULES` lists them.

* ``tflite_double_rounding``: the scale is ``multiplier * 2**(shift - 31)`` with 31 bits; the product is rounded to an
  integer before the shift (ties up), and again after it (ties away from zero). gemmlowp's ``fixedpoint.h``
  (SaturatingRoundingDoublingHighMul, RoundingDivideByPOT), TensorFlow Lite's MultiplyByQuantizedMultiplier.
* ``tflite_single_rounding``: the same scale, one rounding, ties up. TensorFlow Lite built with TFLITE_SINGLE_ROUNDING.
* ``xnnpack_rndnu``: the scale in fp32, the product exact, ties up. XNNPACK, ``qs8-requantization/rndnu``.
* ``xnnpack_fp32``, ``onnxruntime``, ``gemmini_scale``: sum and product in fp32, each rounded to nearest even, then to
  the nearest integer, ties to even. XNNPACK's ``fp32`` (fmagic, lrintf), ONNX Runtime's MlasRequantizeOutput and ONNX
  QLinearMatMul, Gemmini's ACC_SCALE: three names of one function.
* ``onnx_reference``: sum and product in fp64, to the nearest integer, ties to even. onnx.reference, QLinearMatMul.
* ``gemmini_shift``: the scale is a power of two, ties to even. Gemmini's ROUNDING_RIGHT_SHIFT.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators.rounding import FLOAT32, round_to_precision
from simhw.errors import InputError, unknown_name
from simhw.formats import IntegerFormat, encode, get_element_format

INT32 = (-(2**31), 2**31 - 1)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One way to scale and round.

    Attributes:
        description: one sentence.
        define: ``(sum, scale)`` -> integer before zero point and clamping, in exact arithmetic.
        kernel: function of ``simhw/gemm/kernels/requantize.py`` that does the same on arrays.
        arguments: ``scales`` -> what the kernel takes per column instead of them.
        least, most: scales that the rule takes, ``least <= scale < most``.
        scale_type: float type in which the library computes a scale from those of operands and results.
    """

    description: str
    define: Callable[[int, float], int]
    kernel: str
    arguments: Callable[[NDArray[np.float64]], tuple[NDArray[Any], ...]]
    least: float = 2.0**-62
    most: float = 256.0
    scale_type: type[np.float32] | type[np.float64] = np.float32


def quantize_multiplier(scale: float) -> tuple[int, int]:
    """Return ``(multiplier, shift)`` with ``scale ~ multiplier * 2**(shift - 31)``, as TensorFlow Lite makes them.

    The multiplier has 31 bits, rounded to nearest, ties away from zero; scales below ``2**-32`` become zero.

    >>> quantize_multiplier(0.75)
    (1610612736, 0)
    """
    fraction, shift = math.frexp(scale)
    multiplier = math.floor(Fraction(fraction) * 2**31 + Fraction(1, 2))
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def _double_rounding(total: int, scale: float) -> int:
    multiplier, shift = quantize_multiplier(scale)
    high = _ties_up(Fraction((total << max(shift, 0)) * multiplier, 2**31))
    result = Fraction(high, 2 ** max(-shift, 0))
    return _ties_up(result) if result >= 0 else -_ties_up(-result)


def _single_rounding(total: int, scale: float) -> int:
    multiplier, shift = quantize_multiplier(scale)
    return _ties_up(Fraction(total * multiplier, 2 ** (31 - shift)))


def _fixed_point(total: int, scale: float) -> int:
    return _ties_up(total * Fraction(scale))


def _floating_point(total: int, scale: float) -> int:
    held = round_to_precision(Fraction(total), FLOAT32)
    assert isinstance(held, Fraction)
    product = round_to_precision(held * Fraction(scale), FLOAT32)
    return round(product)


def _double_precision(total: int, scale: float) -> int:
    return round(float(Fraction(total) * Fraction(scale)))


def _shifted(total: int, scale: float) -> int:
    return round(total * Fraction(scale))


def _ties_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def _multipliers(scales: NDArray[np.float64]) -> tuple[NDArray[np.int64], ...]:
    pairs = np.array([quantize_multiplier(float(scale)) for scale in scales], np.int64).reshape(-1, 2)
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def _single_shifts(scales: NDArray[np.float64]) -> tuple[NDArray[np.int64], ...]:
    multiplier, shift = _multipliers(scales)
    return multiplier, 31 - shift


def _significands(scales: NDArray[np.float64]) -> tuple[NDArray[np.int64], ...]:
    fraction, exponent = np.frexp(scales)
    return np.ldexp(fraction, 24).astype(np.int64), (24 - exponent).astype(np.int64)


def _float32(scales: NDArray[np.float64]) -> tuple[NDArray[np.float32], ...]:
    return (scales.astype(np.float32),)


def _shifts(scales: NDArray[np.float64]) -> tuple[NDArray[np.int64], ...]:
    return ((1 - np.frexp(scales)[1]).astype(np.int64),)


def _in_float(description: str) -> Rule:
    return Rule(description=description, define=_floating_point, kernel="scale_in_float", arguments=_float32)


RULES: Final = MappingProxyType(
    {
        "tflite_double_rounding": Rule(
            description="31-bit multiplier, rounded before the shift (ties up) and after it (ties away)",
            define=_double_rounding,
            kernel="round_twice",
            arguments=_multipliers,
            scale_type=np.float64,
        ),
        "tflite_single_rounding": Rule(
            description="31-bit multiplier, rounded once, ties up",
            define=_single_rounding,
            kernel="round_once",
            arguments=_single_shifts,
            scale_type=np.float64,
        ),
        "xnnpack_rndnu": Rule(
            description="fp32 scale, exact product, rounded once, ties up",
            define=_fixed_point,
            kernel="round_once",
            arguments=_significands,
            least=2.0**-32,
            most=1.0,
        ),
        "xnnpack_fp32": _in_float("fp32 sum times fp32 scale, ties to even"),
        "onnxruntime": _in_float("fp32 sum times fp32 scale, ties to even"),
        "gemmini_scale": _in_float("fp32 sum times fp32 scale, ties to even"),
        "onnx_reference": Rule(
            description="fp64 sum times fp32 scale, ties to even",
            define=_double_precision,
            kernel="scale_in_double",
            arguments=_float32,
        ),
        "gemmini_shift": Rule(
            description="right shift by log2(1 / scale), ties to even",
            define=_shifted,
            kernel="shift_to_even",
            arguments=_shifts,
            least=2.0**-31,
            most=2.0,
        ),
    }
)
"""Every rule by name."""


def get_rule(name: str) -> Rule:
    """Return a rule by name. Raises InputError for an unknown one."""
    if name not in RULES:
        raise unknown_name("requantization", name, RULES)
    return RULES[name]


def requantize(
    sums: Any, scale: Any, rule: str, *, zero_point: int = 0, output: str = "int8"
) -> NDArray[np.unsignedinteger]:
    """Return codes of ``output`` for int32 sums, bit for bit as ``rule`` makes them.

    Args:
        sums: integers of any shape ``(..., n)``, within int32.
        scale: one real scale, or ``(n,)``: one per column. For the fp32 rules a value of fp32.
        rule: name in :data:`RULES`.
        zero_point: added after rounding; an integer of ``output``.
        output: an integer format of at most 16 bits, whose range the results are clamped to.

    Raises:
        InputError: an unknown rule, sums beyond int32, scales that the rule does not take.

    >>> requantize([5, -5, 1000], 0.5, "tflite_single_rounding").view("int8")
    array([  3,  -2, 127], dtype=int8)
    """
    form = _integer_format(output)
    _check_zero_point(zero_point, form)
    values = np.clip(round_scaled(sums, scale, rule) + zero_point, form.min_integer_code, form.max_integer_code)
    return encode(values, form)


def round_scaled(sums: Any, scale: Any, rule: str) -> NDArray[np.int64]:
    """Return int32 sums scaled and rounded to integers, before zero point and clamping (see :func:`requantize`)."""
    found = get_rule(rule)
    totals = _int32(sums)
    flat = totals.reshape(-1, totals.shape[-1]) if totals.ndim else totals.reshape(1, 1)
    scales = np.broadcast_to(_scales(scale, rule, found), flat.shape[1:])
    if found.kernel == "round_twice":
        _check_left_shift(flat, scales)
    from simhw.gemm.kernels import requantize as kernels

    rounded = np.empty(flat.shape, np.int64)
    getattr(kernels, found.kernel)(np.ascontiguousarray(flat), *found.arguments(scales), rounded)
    return rounded.reshape(totals.shape)


def requantize_exact(total: int, scale: float, rule: str, *, zero_point: int = 0, output: str = "int8") -> int:
    """Return what one sum becomes, as an integer: the definition, in exact arithmetic.

    >>> requantize_exact(5, 0.5, "onnxruntime"), requantize_exact(5, 0.5, "tflite_single_rounding")
    (2, 3)
    """
    found, form = get_rule(rule), _integer_format(output)
    _scales(scale, rule, found)
    _check_zero_point(zero_point, form)
    return max(form.min_integer_code, min(form.max_integer_code, found.define(total, scale) + zero_point))


def _integer_format(name: str) -> IntegerFormat:
    form = get_element_format(name)
    if not isinstance(form, IntegerFormat) or form.bits > 16 or form.fraction_bits:
        raise InputError(f"output is {name!r}, must be an integer format of at most 16 bits; take int8 or uint8")
    return form


def _int32(sums: Any) -> NDArray[np.int64]:
    given = np.asarray(sums)
    if given.dtype.kind not in "iu":
        raise InputError(f"sums have dtype {given.dtype}, must be integers; requantization starts from int32 sums")
    if given.size and not (INT32[0] <= int(given.min()) and int(given.max()) <= INT32[1]):
        raise InputError("sums reach beyond int32, which every rule starts from; wrap or saturate them first")
    return given.astype(np.int64)


def _scales(scale: Any, name: str, rule: Rule) -> NDArray[np.float64]:
    scales = np.asarray(scale, np.float64)
    wrong = scales[~((scales >= rule.least) & (scales < rule.most))]
    if wrong.size:
        raise InputError(f"scale is {wrong.flat[0]:g}, {name} takes {rule.least:g} up to {rule.most:g}; rescale first")
    held = scales if rule.arguments in (_multipliers, _single_shifts) else scales.astype(np.float32)
    inexact = scales[held != scales]
    if inexact.size:
        raise InputError(f"scale is {inexact.flat[0]!r}, which fp32 has not; {name} holds it in fp32, round it first")
    if rule.kernel == "shift_to_even" and (np.frexp(scales)[0] != 0.5).any():
        raise InputError(f"{name} shifts, a scale must be a power of two; choose the nearest one")
    return scales


def _check_left_shift(sums: NDArray[np.int64], scales: NDArray[np.float64]) -> None:
    shift = np.maximum(np.frexp(scales)[1], 0)
    limit = np.int64(2) ** (31 - shift)
    if sums.size and ((sums.max(axis=0) >= limit) | (sums.min(axis=0) < -limit)).any():
        raise InputError(
            "a sum shifted left for a scale of 1 or more leaves int32, which tflite_double_rounding does not define; "
            "take a smaller scale or tflite_single_rounding"
        )


def _check_zero_point(zero_point: int, form: IntegerFormat) -> None:
    if not form.min_integer_code <= zero_point <= form.max_integer_code:
        raise InputError(
            f"zero point is {zero_point}, must be {form.min_integer_code}..{form.max_integer_code}; "
            f"it is a value of {form.name}"
        )
