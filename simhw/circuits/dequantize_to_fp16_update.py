"""Amaranth side of ``simhw.circuits.dequantize_to_fp16``: the dequantizer in front of the fp16 PE."""

from __future__ import annotations

from amaranth.hdl import Module, Value

from simhw.circuits.dequantizing_mac import Dequantize
from simhw.circuits.float_product import multiply_significands, weight_magnitude
from simhw.circuits.float_round import assemble, normalise_and_round
from simhw.circuits.floating import unpack
from simhw.circuits.shifting import named
from simhw.formats.catalog import FP16


def dequantize_to_fp16(*, weight_signed: bool) -> Dequantize:
    """Return the maker of (weight - zero) * scale in fp16; ``weight_signed``: they are two's complement."""

    def dequantize(module: Module, weight: Value, scale_code: Value, zero: Value) -> Value:
        weight, zero = (word.as_signed() if weight_signed else word for word in (weight, zero))
        difference = named(module, "difference", (weight - zero).as_unsigned())
        negative, size = weight_magnitude(module, difference, weight_signed=True)
        scale = unpack(module, scale_code, FP16, "scale")
        # At most 15 in magnitude: the fifth bit of the difference is its sign alone.
        magnitude = multiply_significands(module, scale.significand, size[:-1], "dequantized")
        # The top bit of the magnitude stands four places above the scale's leading bit.
        below = named(module, "dequantized_below", scale.exponent + (len(size) - 1) - 1)
        finite, _ = normalise_and_round(module, magnitude, below, FP16, "dequantized")
        return assemble(
            module,
            finite,
            scale.sign ^ negative,
            FP16,
            "dequantized",
            infinite=scale.infinite,
            nan=scale.nan | (scale.infinite & ~size.any()),
            saturate=True,
        )

    return dequantize
