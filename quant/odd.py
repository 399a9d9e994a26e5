"""Integers read as odd numbers, so that each of their bits stands for -1 or 1 (LUT Tensor Core).

The codes are those of rounding to nearest, only their reading changes, and scale and zero point with it: a uint4 code u
with zero point z and scale s stands for s (u - z) = s / 2 ((2u - 15) - (2z - 15)). A signed int8 code q, symmetric, is
stored with its top bit inverted: u = q + 128 is read as 2u - 255 = 2q + 1, with zero point 1.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simhw.errors import InputError
from simhw.formats import get_element_format
from simhw.gemm.operand import Operand
from simhw.quant.round_to_nearest import METHOD
from simhw.quantize import Coding, FloatArray, OperandScheme


def quantize_odd(values: FloatArray, scheme: OperandScheme, rows_per_scale: int) -> Operand:
    """Return values in ``odd2`` or ``odd4`` (of unsigned codes) or ``odd8`` (of signed ones, symmetric)."""
    bits = get_element_format(scheme.format).bits
    if scheme.format != f"odd{bits}":
        raise InputError(f"format {scheme.format} is not odd; choose odd2, odd4 or odd8")
    signed = bits == 8
    name = f"int{bits}" if signed else f"uint{bits}"
    plain = replace(scheme, format=name, symmetric=signed, coding=Coding.PLAIN)
    found = METHOD.quantize(values, plain, rows_per_scale=rows_per_scale)
    if signed:
        codes = found.codes ^ found.codes.dtype.type(1 << bits - 1)
        zero = np.ones((*codes.shape[:2], found.groups), np.int32)
    else:
        assert found.zero_point is not None
        codes, zero = found.codes, 2 * found.zero_point - ((1 << bits) - 1)
    return replace(
        found,
        codes=codes,
        format=scheme.format,
        zero_point=zero,
        group_scale=None if found.group_scale is None else found.group_scale / np.float32(2),
        row_scale=None if found.row_scale is None else found.row_scale / np.float32(2),
    )
