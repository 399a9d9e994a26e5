"""Bit-serial activations (Stripes): as many cycles as the activation has bits, 16 products side by side.

A unit takes one bit of each of 16 activations per cycle, the lowest first, and gates the 16 weights with them: the
tree of these adds up to 16 x -128 = -2048 .. 2032, 12 bits. That sum is shifted by the place of the bit and added
to the accumulator; the top bit of signed activations weighs -2^(b-1), so its sum is subtracted. So 16 products of
b-bit activations take b cycles, 16 / b per cycle: the time follows the precision of the activations, whatever that
of the weights (up to 8 bits).

Weights stay in the unit while the bits of their activations pass, so an operand register holds one activation bit
and one weight per lane. Its sibling with serial weights is ``bit_serial_booth``, a PE of its own, because it has
other registers, and cycles that depend on the data.
"""

from __future__ import annotations

from fractions import Fraction

from simhw.circuits.base import Circuit
from simhw.circuits.bit_serial import bit_plane_lanes
from simhw.costs import BitwiseAnd, IntegerAdd, Part
from simhw.errors import InputError
from simhw.pes.base import Dequantization, ProcessingElement, Product, Signal, signed_bits
from simhw.pes.operands import check_code, signed_integer
from simhw.pes.structure import integer_accumulation, left_shift, scale_int32_output

CIRCUITS = ("bit_plane",)

LANES = 16
"""Products side by side, as in a serial inner-product unit of the source."""
WEIGHT_BITS = 8
ACTIVATION_BITS = range(2, 9)
SUM_BITS = signed_bits(LANES * -128, LANES * 127)
"""Of one bit of 16 activations."""


def serial_product(activation_code: int, bits: int, weight: int) -> int:
    """Return activation times weight for a ``bits`` wide signed code: one gated addend per bit and cycle."""
    total = 0
    for place in range(bits):
        addend = weight << place if activation_code >> place & 1 else 0
        total += -addend if place == bits - 1 else addend
    return total


def _pairing(bits: int) -> Product:
    def product(activation_code: int, weight_code: int) -> Fraction:
        check_code(activation_code, bits, f"int{bits}")
        return Fraction(serial_product(activation_code, bits, signed_integer(weight_code, WEIGHT_BITS)))

    return product


def worst_case_bits(group_size: int, weight_format: str) -> int:  # noqa: ARG001
    """Return the width that holds any sum of ``group_size`` products of int8 with int8."""
    return signed_bits(-128 * 127 * group_size, 128 * 128 * group_size)


def _accumulation(bits: int) -> tuple[Part, ...]:
    return (left_shift(SUM_BITS, max(ACTIVATION_BITS)), *integer_accumulation(bits))


PE = ProcessingElement(
    name="bit_serial",
    description="activations bit by bit, 16 lanes of gated weights, sum shifted by the place of the bit (Stripes)",
    source="P. Judd et al., Stripes: bit-serial deep neural network computing, MICRO 2016",
    activation_format="int8",
    weight_format="int8",
    products={(f"int{bits}", "int8"): _pairing(bits) for bits in reversed(ACTIVATION_BITS)},
    products_per_cycle={(bits, WEIGHT_BITS): Fraction(LANES, bits) for bits in reversed(ACTIVATION_BITS)},
    lanes=LANES,
    activation_stays=True,
    product_bits=16,
    least_accumulator_bits=16,
    worst_case_bits=worst_case_bits,
    register_bits=LANES * (1 + WEIGHT_BITS),
    multiplier=(
        BitwiseAnd(bits=LANES * WEIGHT_BITS),
        *(IntegerAdd(bits=9),) * 8,
        *(IntegerAdd(bits=10),) * 4,
        *(IntegerAdd(bits=11),) * 2,
        IntegerAdd(bits=12),
    ),
    accumulation=_accumulation,
    dequantization=Dequantization.AFTER_ACCUMULATION,
    dequantize_parts=scale_int32_output,
    signals=(
        Signal(name="activation bit", bits=1, worst_case="one bit of each of 16 activations per cycle"),
        Signal(name="gated weight", bits=8, worst_case="-128..127, or 0"),
        Signal(name="sum of 16 lanes", bits=SUM_BITS, worst_case="16 x -128 = -2048"),
        Signal(
            name="shifted sum",
            bits=SUM_BITS + 8,
            worst_case="16 x -128 at place 7, subtracted: 262,144, one above 19 bits",
        ),
    ),
)


def circuit(variant: str = CIRCUITS[0], *, activation_bits: int = 8, accumulator_bits: int = 32) -> Circuit:
    """Return the circuit of a unit: one bit plane of 16 activations per clock, ``activation_bits`` clocks in all.

    Raises:
        InputError: activations of a width that the PE does not execute.
    """
    if activation_bits not in ACTIVATION_BITS:
        raise InputError(f"activation_bits is {activation_bits}, must be 2..8; choose the precision of the activations")
    return bit_plane_lanes(
        name="bit_serial",
        variant=variant,
        source=PE.source,
        lanes=LANES,
        activation_bits=activation_bits,
        accumulator_bits=accumulator_bits,
    )
