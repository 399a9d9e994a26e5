"""int8 x int8 multiply-accumulate with an integer accumulator, 32 bits wide unless chosen otherwise.

Three circuits of one function. ``carry_save`` compresses the 64 ANDs of a Baugh-Wooley multiplier together with the
accumulator and has one carry-propagate adder: the structure that a comparison of PEs owes to int8. ``booth`` recodes
the weight to radix 4, so four rows remain. ``naive`` is ``a * w + total``, as behavioural code has it: whatever the
synthesis tool makes of it.
"""

from __future__ import annotations

from fractions import Fraction

from simhw.circuits.base import Circuit
from simhw.circuits.integer_mac import SIGNED_STRUCTURES, Integer, integer_mac
from simhw.costs import IntegerMultiply
from simhw.pes.base import Dequantization, ProcessingElement, Signal, signed_bits
from simhw.pes.operands import signed_integer
from simhw.pes.structure import integer_accumulation, scale_int32_output

CIRCUITS = tuple(SIGNED_STRUCTURES)

COMMON_BITS = 32
"""Every int8 GEMM in use accumulates in int32."""


def product(activation_code: int, weight_code: int) -> Fraction:
    """Return the exact product of two int8 codes."""
    return Fraction(signed_integer(activation_code, 8) * signed_integer(weight_code, 8))


def worst_case_bits(group_size: int, weight_format: str) -> int:  # noqa: ARG001
    """Return 32, and more only beyond 2^17 products, whose sum (-128 x -128 each) int32 does not hold."""
    return max(COMMON_BITS, signed_bits(-128 * 127 * group_size, 128 * 128 * group_size))


PE = ProcessingElement(
    name="int8_mac",
    description="int8 x int8 multiplier, integer accumulator",
    source="B. Jacob et al., Quantization and training of neural networks, arXiv 1712.05877",
    activation_format="int8",
    weight_format="int8",
    products={("int8", "int8"): product},
    products_per_cycle={(8, 8): 1},
    product_bits=16,
    least_accumulator_bits=16,
    worst_case_bits=worst_case_bits,
    register_bits=16,
    multiplier=(IntegerMultiply(a_bits=8, b_bits=8),),
    accumulation=integer_accumulation,
    dequantization=Dequantization.AFTER_ACCUMULATION,
    dequantize_parts=scale_int32_output,
    signals=(
        Signal(name="activation", bits=8, worst_case="-128..127"),
        Signal(name="weight", bits=8, worst_case="-128..127"),
        Signal(name="product", bits=16, worst_case="-128 x -128 = 16,384, one above 15 bits"),
    ),
)


def circuit(variant: str = CIRCUITS[0], *, accumulator_bits: int = COMMON_BITS) -> Circuit:
    """Return the circuit in one of its variants.

    Raises:
        InputError: the accumulator cannot hold one product, or is wider than a port may be.
    """
    return integer_mac(
        name="int8_mac" if variant == CIRCUITS[0] else f"int8_mac_{variant}",
        variant=variant,
        source=PE.source,
        structure=SIGNED_STRUCTURES[variant],
        activation=Integer(bits=8, signed=True),
        weight=Integer(bits=8, signed=True),
        accumulator_bits=accumulator_bits,
    )
