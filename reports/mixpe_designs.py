"""The designs of MixPE's comparison on one footing: 4-bit weights in groups, activations of 8 or 16 bits, one rule.

Every design computes the same layer: activations of 8 bits (16 in those that multiply floating point), 4-bit weights
in groups of 128 with a scale and a zero point. Beside 8-bit activations these are integers (progressive quantization,
as in QServe), so that every dequantizer is one, too; beside fp16 activations the scale is fp16. What differs is the PE:

* one that multiplies the 4-bit codes scales the sum of each group behind its column;
* one that multiplies wider numbers dequantizes each weight at the edge of the array, as often as it enters.

Keys and values are kept in 8 bits with one scale per token, which the outputs bear.

A multiplier that is too narrow takes the operand in parts, one cycle each, and adds them shifted; the shifter is not
priced, nor are OLAccel's units for outliers: both in favour of the design.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from simhw.pes import Dequantization, ProcessingElement, get_pe

GROUP = 128
"""Weights along k that share a scale and a zero point: MixPE's, AWQ's and QServe's."""
CACHE_BITS = 8
"""Of a key or value."""
INTEGER_RULE = "mixpe_w4a8_progressive"
"""The PE whose dequantizer every design has that scales integer sums of groups."""


@dataclass(frozen=True, kw_only=True)
class ComparedDesign:
    """A design of the comparison.

    Attributes:
        name: entry name in the cost preset.
        label: name in the publication.
        pe: entry name of the PE.
        activation_bits: of activations.
        cycles: of one product of an activation and a 4-bit weight; below 1: several at once.
        attention_cycles: of one product of an activation and a key or value.
        note: what the PE is and what that figure rests on.
    """

    name: str
    label: str
    pe: str
    activation_bits: int
    cycles: Fraction
    attention_cycles: Fraction
    note: str

    @property
    def element(self) -> ProcessingElement:
        """The PE with the rule of the module: codes multiplied as they are stored are scaled after their group."""
        pe = get_pe(self.pe)
        if pe.dequantization is not Dequantization.AFTER_ACCUMULATION:
            return pe  # it has its place for group scales already
        rule = get_pe(INTEGER_RULE)
        return replace(pe, dequantization=rule.dequantization, dequantize_parts=rule.dequantize_parts)

    @property
    def multiplies_codes(self) -> bool:
        """Whether the PE multiplies 4-bit codes as they are stored."""
        return get_pe(self.pe).dequantization is not Dequantization.BEFORE_MULTIPLY

    @property
    def accumulator_bits(self) -> int:
        """What a PE sums up: a group of its products where sums leave it after the group, else all of k in 32 bits.

        A multiplier that takes an 8-bit activation in parts sums the same products as one that takes it at once.
        """
        pe = self.element
        if pe.fixed_accumulator_bits is not None:
            return pe.fixed_accumulator_bits
        if pe.dequantization is Dequantization.AFTER_GROUP:
            return (get_pe(INTEGER_RULE) if self.activation_bits == 8 else pe).group_accumulator_bits(GROUP)
        return 32

    @property
    def scale_bits(self) -> int:
        """Of the scale of a group of weights."""
        return 8 if self.activation_bits == 8 else 16

    @property
    def zero_point_bits(self) -> int:
        """Of the zero point of a group of weights: its product with the scale, or as wide as a weight."""
        return 8 if self.activation_bits == 8 else 4


DESIGNS = (
    ComparedDesign(
        name="mixpe_w4a8",
        label="MixPE-W4A8",
        pe="mixpe_w4a8_progressive",
        activation_bits=8,
        cycles=Fraction(1),
        attention_cycles=Fraction(2),
        note="8 x 4 bits by shift and add; an 8-bit key or value in two halves",
    ),
    ComparedDesign(
        name="ant",
        label="ANT",
        pe="ant_flint4",
        activation_bits=8,
        cycles=Fraction(2),
        attention_cycles=Fraction(4),
        note="4 x 4-bit multipliers with flint decoders: two cycles for 8 x 4 bits, four for 8 x 8",
    ),
    ComparedDesign(
        name="olaccel",
        label="OLAccel",
        pe="int4_mac",
        activation_bits=8,
        cycles=Fraction(2),
        attention_cycles=Fraction(4),
        note="4 x 4-bit multipliers: two cycles for 8 x 4 bits, four for 8 x 8; no units for outliers",
    ),
    ComparedDesign(
        name="bitfusion",
        label="BitFusion",
        pe="bitfusion",
        activation_bits=8,
        cycles=Fraction(1, 2),
        attention_cycles=Fraction(1),
        note="16 bricks: two products of 8 x 4 bits at once, one of 8 x 8",
    ),
    ComparedDesign(
        name="int8",
        label="INT8",
        pe="w4a8_dequantize_first",
        activation_bits=8,
        cycles=Fraction(1),
        attention_cycles=Fraction(1),
        note="8 x 8-bit multipliers; 4-bit weights are dequantized to int8 at the edge of the array",
    ),
    ComparedDesign(
        name="mixpe_w4a16",
        label="MixPE-W4A16",
        pe="mixpe_w4a16",
        activation_bits=16,
        cycles=Fraction(1),
        attention_cycles=Fraction(2),
        note="fp16 x 4 bits by shift and add; an 8-bit key or value in two halves",
    ),
    ComparedDesign(
        name="fp16",
        label="FP16",
        pe="w4a16_dequantize_first",
        activation_bits=16,
        cycles=Fraction(1),
        attention_cycles=Fraction(1),
        note="fp16 multipliers; 4-bit weights, keys and values become fp16 at the edge of the array",
    ),
)
