"""The definition of a datapath's GEMM: exact fractions, one output at a time, obvious by reading, slow."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Exact, IntegerAccumulator, Number, wrap
from simhw.accumulators.rounding import FLOAT32, FLOAT64, Precision, round_to_precision
from simhw.accumulators.scaled import ScaledAccumulator
from simhw.formats import get_element_format
from simhw.formats.definition import decode_exact
from simhw.gemm.datapath import Datapath
from simhw.gemm.operand import Operand
from simhw.gemm.requantize import get_rule, requantize_exact
from simhw.gemm.stored import StoredScale

_OUTPUTS = {
    "fp32": FLOAT32,
    "fp16": Precision(name="fp16", significand_bits=11, minimum_exponent=-14, maximum_exponent=15),
    "bf16": Precision(name="bf16", significand_bits=8, minimum_exponent=-126, maximum_exponent=127),
}


def define(
    a: Operand,
    b: Operand,
    datapath: Datapath,
    bias: NDArray[np.float32] | None = None,
    stored: StoredScale | None = None,
) -> NDArray[np.float64]:
    """Return ``(batch, m, n)`` exact output values for finite operands (weights as the multiplier sees them).

    ``stored`` says what codes mean where the datapath requantizes; the values are then those of the codes, in fp32.
    """
    batch, m, _ = a.codes.shape
    n = b.codes.shape[1]
    out = np.empty((batch, m, n), np.float64)
    for index in np.ndindex(batch, m, n):
        added = None if bias is None else Fraction(float(bias[index[2]]))
        if stored is not None:
            code = define_stored(a, b, datapath, index, stored, _bias_code(a, b, index, added))
            out[index] = float(_multiply(Fraction(code - stored.zero_point), Fraction(stored.scale)))
        else:
            out[index] = float(_output(a, b, datapath, index, added))
    return out


def define_stored(
    a: Operand, b: Operand, datapath: Datapath, index: tuple[int, int, int], stored: StoredScale, bias: int = 0
) -> int:
    """Return the integer that one output is stored as, where the datapath requantizes."""
    assert datapath.requantize is not None
    i, row, column = index
    left, right = _row_scales(a, b, index)
    zeros = [0 if o.zero_point is None else int(o.zero_point[i, line, 0]) for o, line in ((a, row), (b, column))]
    x = [_element(a, i, row, k) - zeros[0] for k in range(a.codes.shape[2])]
    y = [_element(b, i, column, k) for k in range(a.codes.shape[2])]
    total = _group_sum(datapath, x, y, a, b)
    assert isinstance(total, Fraction)
    held = wrap(int(total - zeros[1] * sum(x)) + bias, 32)
    precision = FLOAT64 if get_rule(datapath.requantize).scale_type is np.float64 else FLOAT32
    product = round_to_precision(left * right, precision)
    assert isinstance(product, Fraction)
    scale = round_to_precision(product / Fraction(stored.scale), precision)
    return requantize_exact(
        held, float(scale), datapath.requantize, zero_point=stored.zero_point, output=datapath.output
    )


def _bias_code(a: Operand, b: Operand, index: tuple[int, int, int], bias: Fraction | None) -> int:
    """Return the int32 code of a real bias, in units of the product of the operands' scales (computed in fp64)."""
    if bias is None:
        return 0
    left, right = _row_scales(a, b, index)
    unit = round_to_precision(left * right, FLOAT64)
    assert isinstance(unit, Fraction)
    return max(-(2**31), min(2**31 - 1, round(Fraction(float(bias / unit)))))


def _row_scales(a: Operand, b: Operand, index: tuple[int, int, int]) -> tuple[Fraction, Fraction]:
    i, row, column = index
    left, right = (
        Fraction(1) if operand.row_scale is None else Fraction(float(operand.row_scale[i, line]))
        for operand, line in ((a, row), (b, column))
    )
    return left, right


def _output(a: Operand, b: Operand, datapath: Datapath, index: tuple[int, int, int], bias: Fraction | None) -> Number:
    i, row, column = index
    inside = isinstance(datapath.accumulator, ScaledAccumulator)
    total = (_sum_inside if inside else _sum_behind)(a, b, datapath, index)
    for operand, line in ((a, row), (b, column)):
        if operand.row_scale is not None:
            total = _multiply(total, Fraction(float(operand.row_scale[i, line])))
    if bias is not None:
        total = _add(total, bias)
    return _saturate(total, datapath.output)


def _sum_behind(a: Operand, b: Operand, datapath: Datapath, index: tuple[int, int, int]) -> Number:
    """Return the sum over groups, each scaled behind the accumulator."""
    i, row, column = index
    total: Number = Fraction(0)
    whole = 0  # the int32 sum where scales are integers
    for group, ks in enumerate((b if b.group_size else a).group_slices()):
        x = [_element(a, i, row, k) for k in range(ks.start, ks.stop)]
        y = [_element(b, i, column, k) for k in range(ks.start, ks.stop)]
        zero = 0 if b.zero_point is None else int(b.zero_point[i, column, group if b.group_size else 0])
        held = _group_sum(datapath, x, y, a, b)
        if datapath.integer_scales and b.group_scale is not None:
            assert isinstance(held, Fraction)
            whole = wrap(whole + int(_scale(b, i, column, group) * (held - zero * sum(x))), 32)
            continue
        term = _fp32(held - zero * sum(x) if isinstance(held, Fraction) else held)
        if a.group_scale is not None or b.group_scale is not None:
            scale = _multiply(_scale(a, i, row, group), _scale(b, i, column, group))
            term = _multiply(term, scale)
        total = _add(total, term)
    return _fp32(Fraction(whole)) if datapath.integer_scales and b.group_scale is not None else total


def _sum_inside(a: Operand, b: Operand, datapath: Datapath, index: tuple[int, int, int]) -> Number:
    """Return the sum of an accumulator that takes the scales itself."""
    i, row, column = index
    accumulator = datapath.accumulator
    assert isinstance(accumulator, ScaledAccumulator)
    k = a.codes.shape[2]
    x, y = ([float(_element(o, i, line, at)) for at in range(k)] for o, line in ((a, row), (b, column)))
    groups = range(-(-k // accumulator.scale_block))
    s, t = ([float(_scale(o, i, line, group)) for group in groups] for o, line in ((a, row), (b, column)))
    return accumulator.dot_scaled(x, y, s, t)


def _saturate(value: Number, output: str) -> Number:
    rounded = round_to_precision(value, _OUTPUTS[output]) if isinstance(value, Fraction) else value
    if not math.isinf(rounded):
        return rounded
    largest = Fraction(get_element_format(output).max_value)
    return largest if rounded > 0 else -largest


def _group_sum(datapath: Datapath, x: list[Fraction], y: list[Fraction], a: Operand, b: Operand) -> Number:
    """Return what the accumulator holds after one group: codes as they are, zero points not yet subtracted."""
    units = sum(get_element_format(operand.format).lsb_exponent for operand in (a, b))
    if isinstance(datapath.accumulator, IntegerAccumulator):
        scales = (Fraction(2) ** get_element_format(operand.format).lsb_exponent for operand in (a, b))
        p, q = ([int(v / scale) for v in side] for side, scale in zip((x, y), scales, strict=True))
        return datapath.accumulator.dot_integers(p, q) * Fraction(2) ** units
    exact = datapath.accumulator.dot([float(v) for v in x], [float(v) for v in y])
    if not isinstance(datapath.accumulator, Exact) or datapath.accumulator.bits is None:
        return exact
    unit = Fraction(2) ** units
    return wrap(int(Fraction(exact) / unit), datapath.accumulator.bits) * unit


def _element(operand: Operand, i: int, row: int, k: int) -> Fraction:
    return Fraction(decode_exact(int(operand.codes[i, row, k]), get_element_format(operand.format)))


def _scale(operand: Operand, i: int, row: int, group: int) -> Fraction:
    return Fraction(1) if operand.group_scale is None else Fraction(float(operand.group_scale[i, row, group]))


def _fp32(value: Number) -> Number:
    return round_to_precision(value, FLOAT32) if isinstance(value, Fraction) else value


def _multiply(x: Number, y: Number) -> Number:
    """Return ``x * y`` in fp32; infinities, which an fp16 accumulator can leave, follow IEEE 754."""
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return _fp32(x * y)
    return float(x) * float(y)


def _add(x: Number, y: Number) -> Number:
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return _fp32(x + y)
    return float(x) + float(y)
