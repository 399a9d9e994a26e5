"""int8 PE behind a dequantizer: uint4 group weights become int8 before they enter the array.

The baseline that MixPE argues against. The dequantizer at the head of each column subtracts the zero point
(4 bits minus 4 bits: 5 signed), multiplies by the group's 8-bit scale and rounds the 13-bit product to
int8; the PE itself is ``int8_mac``. Two-level scales as in QServe: int8 within the column's own float
scale.
"""

from __future__ import annotations

from simhw.circuits.base import Circuit, read_flag
from simhw.circuits.dequantize_first import dequantize_first
from simhw.circuits.integer_mac import Integer
from simhw.costs import IntegerAdd, IntegerMultiply
from simhw.pes.base import Dequantization, DequantizationParts, ProcessingElement, Signal
from simhw.pes.int8_mac import COMMON_BITS, product, worst_case_bits
from simhw.pes.structure import integer_accumulation, scale_int32_output

CIRCUITS = ("carry_save", "naive")


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
    signals=(
        Signal(name="weight less zero point", bits=5, worst_case="0 - 15 = -15"),
        Signal(name="scaled weight", bits=13, worst_case="-15 times an 8-bit scale, before it is rounded to int8"),
        Signal(name="multiplier weight", bits=8, worst_case="-128..127"),
        Signal(name="product", bits=16, worst_case="-128 x -128 = 16,384, one above 15 bits"),
    ),
)


def circuit(
    variant: str = CIRCUITS[0],
    *,
    weight_signed: int = 0,
    fraction_bits: int = 0,
    accumulator_bits: int = COMMON_BITS,
) -> Circuit:
    """Return the circuit: the dequantizer of a column and the int8 PE behind it.

    Args:
        variant: ``carry_save``, or ``naive`` with ``*`` and ``+`` as in behavioural code.
        weight_signed: 1 for int4 weights and zero points, 0 for uint4.
        fraction_bits: bits of the 8-bit scale behind the point. Two-level scales are integers: nothing is rounded.
        accumulator_bits: width of the accumulator.

    Raises:
        InputError: a width that the circuit cannot have.
    """
    return dequantize_first(
        name="w4a8_dequantize_first" if variant == CIRCUITS[0] else f"w4a8_dequantize_first_{variant}",
        variant=variant,
        source=PE.source,
        behavioural=variant == "naive",
        weight=Integer(bits=4, signed=read_flag("weight_signed", weight_signed)),
        fraction_bits=fraction_bits,
        accumulator_bits=accumulator_bits,
    )
