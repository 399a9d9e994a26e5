"""What follows the accumulator, in one pass: fp32, row scales, bias, rounding to the output format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from simhw.kernel import kernel, vector_bytes
from simhw.vectors import FLOAT, LONG, WORD, Vectors, View, element, long, size_of, vector

KEPT, CLAMPED, HALF, UPPER_HALF = range(4)
"""How results are rounded: not at all; fp32, infinity becoming the largest number; to fp16, to bf16, saturating."""


def _clamp(v: Vectors, value: Any, largest: Any) -> Any:
    """Return values within ``-largest..largest``; NaN stays."""
    return v.larger(v.smaller(value, largest), v.negative(largest))


def _to_half(v: Vectors, value: Any, largest: Any) -> Any:
    return v.to_half(_clamp(v, value, largest))


def _to_upper_half(v: Vectors, value: Any, largest: Any) -> Any:
    """Round to nearest even at bit 16 of the pattern: bf16 has fp32's exponents, subnormals included."""
    builder, words = v.builder, vector(WORD, value.type.count)
    bits = builder.bitcast(_clamp(v, value, largest), words)
    odd = builder.and_(builder.lshr(bits, v.constant(words, 16)), v.constant(words, 1))
    moved = builder.add(builder.add(bits, v.constant(words, 0x7FFF)), odd)
    return builder.bitcast(builder.and_(moved, v.constant(words, -0x10000)), value.type)


def _finish_row(rounded: Callable[[Vectors, Any, Any], Any], *, lines: bool = False) -> Any:
    """Return an intrinsic that does one row of :func:`finish` or, for ``lines``, of :func:`finish_lines`.

    It returns how many results are NaN.
    """

    @intrinsic
    def row(
        typing_context: Any,  # noqa: ARG001
        sums: Any,
        unit: Any,
        a_scale: Any,
        b_scale: Any,
        bias: Any,
        has_bias: Any,
        largest: Any,
        values: Any,
        beyond: Any,
        at: Any,
        first: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            v, lanes = Vectors(builder), vector_bytes() // 4
            views = {i: View(context, builder, signature.args[i], arguments[i]) for i in (0, 2, 3, 4, 7, 8)}
            kind = element(signature.args[0].dtype)
            floats, words = vector(FLOAT, lanes), vector(WORD, lanes)
            place, n = arguments[9], views[0].shape[1]

            def of_line(i: int) -> Any:
                return v.splat(v.load(views[i].pointer, builder.mul(place, long(4)), FLOAT), lanes)

            scale = of_line(2)
            constants = [of_line(i) for i in (3, 4)] if lines else []
            by_unit, limit = v.splat(arguments[1], lanes), v.splat(arguments[6], lanes)
            biased = v.splat(builder.icmp_unsigned("!=", arguments[5], arguments[5].type(0)), lanes)
            start = builder.mul(place, n)
            target = builder.add(builder.mul(place, views[7].shape[1]), arguments[10])
            none = v.constant(words, 0)
            with v.steps(long(0), n, lanes, [none, none]) as j:
                mask = v.first_lanes(builder.sub(n, j.index), lanes)
                offset = builder.mul(j.index, long(4))
                index = builder.add(start, j.index)
                held = v.load_lanes(
                    views[0].pointer, builder.mul(index, long(size_of(kind))), vector(kind, lanes), mask
                )
                value = builder.fmul(v.to_float(held), by_unit)
                right, bias = constants or (v.load_lanes(views[i].pointer, offset, floats, mask) for i in (3, 4))
                value = builder.fmul(builder.fmul(value, scale), right)
                added = builder.fadd(value, bias)
                value = builder.select(biased, added, value)
                outside = builder.fcmp_ordered(">", v.generic("llvm.fabs", value), limit)
                nan = builder.fcmp_unordered("uno", value, value)
                result = builder.select(nan, value, rounded(v, value, limit))
                place_of_result = builder.add(target, j.index)
                v.store_lanes(result, views[7].pointer, builder.mul(place_of_result, long(4)), mask)
                flags = (builder.and_(flag, mask) for flag in (outside, nan))
                j.values = [builder.sub(s, builder.sext(f, words)) for s, f in zip(j.values, flags, strict=True)]
            outside, nans = (builder.sext(v.generic_reduction("llvm.vector.reduce.add", s), LONG) for s in j.values)
            v.store(outside, views[8].pointer, builder.mul(place, long(8)))
            return nans

        return types.int64(sums, unit, a_scale, b_scale, bias, has_bias, largest, values, beyond, at, first), generate

    return row


_kept, _clamped = _finish_row(lambda _v, value, _largest: value), _finish_row(_clamp)
_half, _upper_half = _finish_row(_to_half), _finish_row(_to_upper_half)
_kept_line, _clamped_line = _finish_row(lambda _v, value, _largest: value, lines=True), _finish_row(_clamp, lines=True)
_half_line, _upper_half_line = _finish_row(_to_half, lines=True), _finish_row(_to_upper_half, lines=True)


@kernel
def finish(
    sums: NDArray[Any],
    unit: np.float32,
    a_scale: NDArray[np.float32],
    b_scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    has_bias: bool,
    largest: np.float32,
    rounding: int,
    values: NDArray[np.float32],
    beyond: NDArray[np.int64],
) -> int:
    """Set ``values`` (m, n) to ``fp32(sums) * unit`` times the row scale, times the column scale, plus the bias.

    Then round (see ``KEPT`` and others), count results beyond ``largest`` per row; return how many are NaN. Sums of
    four bytes may lie where the values go.
    """
    nans = 0
    for i in range(values.shape[0]):
        if rounding == HALF:
            nans += _half(sums, unit, a_scale, b_scale, bias, has_bias, largest, values, beyond, i, 0)
        elif rounding == UPPER_HALF:
            nans += _upper_half(sums, unit, a_scale, b_scale, bias, has_bias, largest, values, beyond, i, 0)
        elif rounding == CLAMPED:
            nans += _clamped(sums, unit, a_scale, b_scale, bias, has_bias, largest, values, beyond, i, 0)
        else:
            nans += _kept(sums, unit, a_scale, b_scale, bias, has_bias, largest, values, beyond, i, 0)
    return nans


@kernel
def finish_lines(
    sums: NDArray[Any],
    unit: np.float32,
    a_scale: NDArray[np.float32],
    b_scale: NDArray[np.float32],
    bias: NDArray[np.float32],
    has_bias: bool,
    largest: np.float32,
    rounding: int,
    values: NDArray[np.float32],
    first: int,
    beyond: NDArray[np.int64],
) -> int:
    """Do what :func:`finish` does for ``sums`` (lines, n) whose lines have one scale of each operand and one bias.

    ``values`` (lines, n or more) get the results from column ``first`` on.
    """
    nans = 0
    for i in range(values.shape[0]):
        if rounding == HALF:
            nans += _half_line(sums, unit, a_scale, b_scale, bias, has_bias, largest, values, beyond, i, first)
        elif rounding == UPPER_HALF:
            nans += _upper_half_line(sums, unit, a_scale, b_scale, bias, has_bias, largest, values, beyond, i, first)
        elif rounding == CLAMPED:
            nans += _clamped_line(sums, unit, a_scale, b_scale, bias, has_bias, largest, values, beyond, i, first)
        else:
            nans += _kept_line(sums, unit, a_scale, b_scale, bias, has_bias, largest, values, beyond, i, first)
    return nans
