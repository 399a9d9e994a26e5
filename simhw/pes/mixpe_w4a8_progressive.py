"""MixPE W4A8, all-integer: the PE of ``mixpe_w4a8`` behind whose groups everything stays integer (QServe's two levels).

Weights have two levels of scales: a float per column, and within it an integer scale s of 8 bits and a zero point per
group. At the end of a group the dequantizer forms s (sum of q x) - (z s) (sum of x), with z s stored ready as an 8-bit
integer, and adds it to an int32 sum. One conversion to fp32 and two multiplications (column, token) follow, once per
output. So the dequantizer of a group has two integer multipliers and an adder where the other form has a normaliser,
an fp32 multiplier and an fp32 adder.

Widths at g = 128: sum of q x has 19 bits, s at most 238 / 15 = 16 (in 8 bits), their product 27; z s within -128..127
and the sum of x (16 bits) make 23. A column's weights s (q - z) fit int8 (the protective range of level 1), so the
int32 sum overflows only beyond 2^17 products, as that of ``int8_mac``.
"""

from __future__ import annotations

from dataclasses import replace

from simhw.costs import IntegerAdd, IntegerMultiply, Register
from simhw.pes.base import DequantizationParts, Signal, signed_bits
from simhw.pes.mixpe_w4a8 import PE as MIXPE
from simhw.pes.structure import scale_int32_output

SCALE_BITS = 8
SUM_BITS = 32


def _held_bits(group_size: int) -> int:
    """Return the width of a group's sum of q x alone; the zero point is subtracted behind the scale."""
    return signed_bits(-128 * 15 * group_size, 127 * 15 * group_size)


def _worst_case_bits(group_size: int, weight_format: str) -> int:
    return _held_bits(group_size) if weight_format == "uint4" else MIXPE.worst_case_bits(group_size, weight_format)


def _dequantize_parts(group_size: int) -> DequantizationParts:
    held, activation_bits = _held_bits(group_size), signed_bits(-128 * group_size, 127 * group_size)
    return DequantizationParts(
        scale=(IntegerMultiply(a_bits=SCALE_BITS, b_bits=held), IntegerAdd(bits=SUM_BITS), Register(bits=SUM_BITS)),
        zero_point=(
            IntegerMultiply(a_bits=SCALE_BITS, b_bits=activation_bits),
            IntegerAdd(bits=max(held, activation_bits) + SCALE_BITS + 1),
        ),
        activation_sum=(IntegerAdd(bits=activation_bits), Register(bits=activation_bits)),
        output=scale_int32_output(group_size).output,
    )


PE = replace(
    MIXPE,
    name="mixpe_w4a8_progressive",
    description="uint4 x int8 by shift and add, integer group scale and zero point, int32 sum, floats at the end",
    source="MixPE, arXiv 2411.16158; two-level scales of QServe, arXiv 2405.04532",
    worst_case_bits=_worst_case_bits,
    dequantize_parts=_dequantize_parts,
    signals=(
        *MIXPE.signals,
        Signal(name="scaled group sum", bits=27, worst_case="128 x 15 x -128 times an 8-bit scale (g = 128)"),
        Signal(
            name="scaled zero-point term", bits=23, worst_case="-128 times 128 x -128 (g = 128): 2^21, one above 22"
        ),
        Signal(name="sum over groups", bits=32, worst_case="2^17 products of int8 weights with int8 activations"),
    ),
)
