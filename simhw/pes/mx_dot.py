"""A lane of a block dot product: products summed exactly within a block, scaled once per block.

What all block formats share. A lane multiplies two elements exactly, shifts the product to its place in a fixed
point (where the elements have exponents) and has one adder of the tree; the lanes of a block share the accumulator's
register and the scale unit. At the end of a block the two scales are combined, the sum is normalised, scaled and
added to an fp32 sum. ``mxfp8_dot``, ``mxfp6_dot``, ``mxfp4_dot``, ``mxint8_dot`` and ``nvfp4_dot`` are such lanes for
one family of formats each. ``mx_dot`` itself is the lane that executes all pairings of the OCP formats: a signed
8 x 8-bit multiplier for the significands (MXINT8 needs all of it), and a register for the widest block sum.

Width of a block sum: elements are integers in units of their format's least place, so a product lies between the
extreme products of these integers, and a sum of g between g times these. E5M2 x E5M2 is left out: its products span
2^-32 .. 2^31.6, a block of 32 of them needs 70 bits, and 64 are the most that an accumulator here has.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from importlib import import_module

from simhw.circuits.base import Circuit
from simhw.costs import IntegerAdd, IntegerMultiply, Part, Register, Shared
from simhw.formats.catalog import E2M1, E2M3, E3M2, E4M3, E5M2, MXINT8_ELEMENT
from simhw.formats.floating import FloatFormat
from simhw.formats.integer import IntegerFormat
from simhw.pes.base import (
    Dequantization,
    DequantizationParts,
    Dequantizers,
    ProcessingElement,
    Product,
    Signal,
    signed_bits,
)
from simhw.pes.operands import multiply_floats, read_float, signed_integer
from simhw.pes.structure import FP32_ADD, FP32_BITS, integer_to_fp32, left_shift

Element = FloatFormat | IntegerFormat
Pairs = tuple[tuple[Element, Element], ...]

MX_BLOCK = 32
"""Elements that share a scale in OCP MX v1.0."""
MX_SOURCE = "OCP Microscaling Formats (MX) v1.0, section 6.2; exact accumulation within the block is a choice"

CIRCUITS = ("mxfp4", "nvfp4")
"""Circuits of the family: those of the single-format lanes ``mxfp4_dot`` and ``nvfp4_dot``."""

FP8 = ((E4M3, E4M3), (E4M3, E5M2), (E5M2, E4M3))
FP6 = ((E3M2, E3M2), (E3M2, E2M3), (E2M3, E3M2), (E2M3, E2M3))
FP4 = ((E2M1, E2M1),)
INT8 = ((MXINT8_ELEMENT, MXINT8_ELEMENT),)


def pairing(activation: Element, weight: Element) -> Product:
    """Return the exact product of two codes of these formats."""

    def floats(activation_code: int, weight_code: int) -> Fraction:
        assert isinstance(activation, FloatFormat)
        assert isinstance(weight, FloatFormat)
        return multiply_floats(read_float(activation_code, activation), read_float(weight_code, weight))

    def integers(activation_code: int, weight_code: int) -> Fraction:
        raw = signed_integer(activation_code, activation.bits) * signed_integer(weight_code, weight.bits)
        return raw * Fraction(2) ** (activation.lsb_exponent + weight.lsb_exponent)

    return integers if isinstance(activation, IntegerFormat) else floats


def extreme_products(activation: Element, weight: Element) -> tuple[int, int]:
    """Return the least and the largest product in units of both formats' least places."""
    ends = [_ends(activation), _ends(weight)]
    corners = [a * w for a in ends[0] for w in ends[1]]
    return min(corners), max(corners)


def _ends(element: Element) -> tuple[int, int]:
    if isinstance(element, IntegerFormat):  # the code of -2^(b-1) may be left unused, but a circuit takes it
        return -(1 << (element.bits - 1)), (1 << (element.bits - 1)) - 1
    largest = int(element.max_value / Fraction(2) ** element.lsb_exponent)
    return -largest, largest


def block_sum_bits(pairs: Pairs) -> Callable[[int, str], int]:
    """Return the width of a sum of so many products with a weight format, over all activations of the pairs."""

    def worst_case_bits(group_size: int, weight_format: str) -> int:
        found = [extreme_products(a, w) for a, w in pairs if w.name == weight_format]
        return max(signed_bits(low * group_size, high * group_size) for low, high in found)

    return worst_case_bits


def exponent_scale(sum_bits: int) -> tuple[Part, ...]:
    """Return the scale unit of E8M0 scales: exponents are added, the sum is normalised and added in fp32."""
    return (IntegerAdd(bits=9), integer_to_fp32(sum_bits), FP32_ADD, Register(bits=FP32_BITS))


def block_dot(
    *,
    name: str,
    description: str,
    pairs: Pairs,
    product_bits: int,
    multiplier: tuple[Part, ...],
    positions: int,
    source: str = MX_SOURCE,
    block: int = MX_BLOCK,
    scale: Callable[[int], tuple[Part, ...]] = exponent_scale,
    output: tuple[Part, ...] = (),
    signals: tuple[Signal, ...] = (),
    signals_behind: tuple[Signal, ...] = (),
) -> ProcessingElement:
    """Return the lane of a block dot product.

    Args:
        name: of the PE.
        description: one sentence.
        pairs: element formats that it multiplies, the main pair first.
        product_bits: see ``ProcessingElement``.
        multiplier: parts of the multiplier.
        positions: places that a product may be shifted to; 1 where it needs no shifter.
        source: where it comes from.
        block: elements that share a scale.
        scale: block sum's bits -> parts of the scale unit.
        output: parts that scale a finished output.
        signals: of the multiplier.
        signals_behind: of the scale unit.
    """
    activation, weight = pairs[0]
    width = block_sum_bits(pairs)
    widest = max((width(block, w.name), f"{a.name} x {w.name}") for a, w in pairs)

    def accumulation(bits: int) -> tuple[Part, ...]:
        place = (left_shift(product_bits, positions),) if positions > 1 else ()
        return (*place, IntegerAdd(bits=bits), Shared(part=Register(bits=bits), lanes=block))

    return ProcessingElement(
        name=name,
        description=description,
        source=source,
        activation_format=activation.name,
        weight_format=weight.name,
        products={(a.name, w.name): pairing(a, w) for a, w in pairs},
        products_per_cycle={(a.bits, w.bits): 1 for a, w in pairs},
        product_bits=product_bits,
        least_accumulator_bits=max(width(1, w.name) for _, w in pairs),
        worst_case_bits=width,
        register_bits=max(a.bits + w.bits for a, w in pairs),
        multiplier=multiplier,
        accumulation=accumulation,
        dequantization=Dequantization.AFTER_GROUP,
        dequantizers=Dequantizers.PER_BLOCK,
        dequantize_parts=lambda group_size: DequantizationParts(
            scale=scale(max(width(group_size, w.name) for _, w in pairs)), output=output
        ),
        block_size=block,
        signals=(
            *signals,
            Signal(name="block sum", bits=widest[0], worst_case=f"{block} extreme {widest[1]} products"),
            *signals_behind,
        ),
    )


PE = block_dot(
    name="mx_dot",
    description="block dot product of any OCP MX format, exact within 32 elements, one scale per block",
    pairs=(*FP8, *FP6, *FP4, *INT8),
    product_bits=16,
    multiplier=(IntegerMultiply(a_bits=8, b_bits=8), IntegerAdd(bits=6)),
    positions=44,
    signals=(
        Signal(name="significand", bits=8, worst_case="MXINT8: -128..127"),
        Signal(name="exponent sum", bits=6, worst_case="E5M2 with E4M3: 2..45"),
        Signal(name="product", bits=16, worst_case="MXINT8: -128 x -128 = 16,384, one above 15 bits"),
    ),
)


def circuit(variant: str = CIRCUITS[0], *, lanes: int | None = None) -> Circuit:
    """Return the circuit of a single-format member of the family, all lanes of a block side by side."""
    member = import_module(f"simhw.pes.{variant}_dot")
    made: Circuit = member.circuit() if lanes is None else member.circuit(lanes=lanes)
    return made
