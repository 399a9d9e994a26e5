"""int8 PE behind a dequantizer: uint4 group weights become int8 before they enter the array.

The baseline that MixPE argues against. The dequantizer at the head of each column subtracts the zero point
(4 bits minus 4 bits: 5 signed), multiplies by the group's 8-bit scale and rounds the 13-bit product to
int8; the PE itself is ``int8_mac``. Two-level scales as in QServe: int8 within the column's own float
scale.
"""

from __future__ import annotations

from simhw.costs import IntegerAdd, IntegerMultiply
from simhw.pes.base import Dequantization, DequantizationParts, ProcessingElement
from simhw.pes.int8_mac import product, worst_case_bits
from simhw.pes.structure import integer_accumulation, scale_int32_output


def _dequantize_parts(group_size: int) -> DequantizationParts:
    subtract, scale, round_off = IntegerAdd(bits=5), IntegerMultiply(a_bits=5, b_bits=8), IntegerAdd(bits=13)
    return DequantizationParts(weight=(subtract, scale, round_off), output=scale_int32_output(group_size).output)


PE = ProcessingElement(
    name="w4a8_dequantize_first",
    description="uint4 weights dequantized to int8 at the edge of the array, int8 multiplier",
    source="baseline of MixPE, arXiv 2411.16158; two-level scales of QServe, arXiv 2405.04532",
    activation_format="int8",
    weight_format="int8",
    stored_weight_format="uint4",
    products={("int8", "int8"): product},
    products_per_cycle={(8, 4): 1, (8, 8): 1},
    product_bits=16,
    least_accumulator_bits=16,
    worst_case_bits=worst_case_bits,
    register_bits=16,
    multiplier=(IntegerMultiply(a_bits=8, b_bits=8),),
    accumulation=integer_accumulation,
    dequantization=Dequantization.BEFORE_MULTIPLY,
    dequantize_parts=_dequantize_parts,
)
