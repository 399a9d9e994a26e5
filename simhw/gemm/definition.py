"""The definition of a datapath's GEMM: exact fractions, one output at a time, obvious by reading, slow."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Exact, wrap
from simhw.accumulators.rounding import FLOAT32, Precision, round_to_precision
from simhw.formats import get_element_format
from simhw.formats.definition import decode_exact
from simhw.gemm.datapath import Datapath
from simhw.gemm.operand import Operand

_OUTPUTS = {
    "fp32": FLOAT32,
    "fp16": Precision(name="fp16", significand_bits=11, minimum_exponent=-14, maximum_exponent=15),
    "bf16": Precision(name="bf16", significand_bits=8, minimum_exponent=-126, maximum_exponent=127),
}


def define(a: Operand, b: Operand, datapath: Datapath, bias: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
    """Return ``(batch, m, n)`` exact output values for finite operands (weights as the multiplier sees them)."""
    batch, m, _ = a.codes.shape
    n = b.codes.shape[1]
    out = np.empty((batch, m, n), np.float64)
    for index in np.ndindex(batch, m, n):
        added = None if bias is None else Fraction(float(bias[index[2]]))
        out[index] = float(_output(a, b, datapath, index, added))
    return out


def _output(
    a: Operand, b: Operand, datapath: Datapath, index: tuple[int, int, int], bias: Fraction | None
) -> Fraction:
    i, row, column = index
    total = Fraction(0)
    for group, ks in enumerate((b if b.group_size else a).group_slices()):
        x = [_integer(a, i, row, k, group) for k in range(ks.start, ks.stop)]
        y = [_integer(b, i, column, k, group) for k in range(ks.start, ks.stop)]
        exact = Fraction(datapath.accumulator.dot([float(v) for v in x], [float(v) for v in y]))
        if isinstance(datapath.accumulator, Exact) and datapath.accumulator.bits is not None:
            unit = Fraction(2) ** (get_element_format(a.format).lsb_exponent + get_element_format(b.format).lsb_exponent)
            exact = wrap(int(exact / unit), datapath.accumulator.bits) * unit
        term = _fp32(exact)
        if a.group_scale is not None or b.group_scale is not None:
            scale = _fp32(_scale(a, i, row, group) * _scale(b, i, column, group))
            term = _fp32(term * scale)
        total = _fp32(total + term)
    for operand, line in ((a, row), (b, column)):
        if operand.row_scale is not None:
            total = _fp32(total * Fraction(float(operand.row_scale[i, line])))
    if bias is not None:
        total = _fp32(total + bias)
    precision = _OUTPUTS[datapath.output]
    largest = Fraction(get_element_format(datapath.output).max_value)
    rounded = round_to_precision(total, precision)
    if isinstance(rounded, Fraction):
        return rounded
    return largest if rounded > 0 else -largest


def _integer(operand: Operand, i: int, row: int, k: int, group: int) -> Fraction:
    """Return one decoded element, its zero point subtracted."""
    value = Fraction(decode_exact(int(operand.codes[i, row, k]), get_element_format(operand.format)))
    return value if operand.zero_point is None else value - int(operand.zero_point[i, row, group])


def _scale(operand: Operand, i: int, row: int, group: int) -> Fraction:
    return Fraction(1) if operand.group_scale is None else Fraction(float(operand.group_scale[i, row, group]))


def _fp32(value: Fraction) -> Fraction:
    return Fraction(round_to_precision(value, FLOAT32))
