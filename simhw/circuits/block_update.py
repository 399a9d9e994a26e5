"""What stands between the lanes of a block dot product and its fp32 total."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Value

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.float_add import add_to_fp32
from simhw.circuits.float_product import multiply_significands, top_exponent
from simhw.circuits.floating import Term, normalised_term, unpack
from simhw.circuits.fp4_product import add_product, multiply_e2m1
from simhw.circuits.mac import FrameUpdate
from simhw.circuits.shifting import named
from simhw.formats.catalog import E8M0, FP32
from simhw.formats.floating import FloatFormat

_LARGEST_PRODUCT = 144
_QUARTER = 2
"""Sums are in units of 2^-2."""


def scaled_by_powers(lanes: int) -> FrameUpdate:
    """Return the maker of an MXFP4 block: the scales' exponents are added to that of the sum."""

    def update(module: Module, operands: Mapping[str, Value], first: Value, total: Value) -> Value:
        sign, magnitude = _block_sum(module, operands, lanes)
        term = _times_powers(module, sign, magnitude, (operands["activation_scale"], operands["weight_scale"]))
        return add_to_fp32(module, replaced(total, first), term)

    return update


def scaled_by_floats(lanes: int, fmt: FloatFormat) -> FrameUpdate:
    """Return the maker of an NVFP4 block: the scales' significands are multiplied with the sum.

    The products of scales are normal fp32 numbers and so are those of sums and scales, none of which is rounded.
    """

    def update(module: Module, operands: Mapping[str, Value], first: Value, total: Value) -> Value:
        sign, magnitude = _block_sum(module, operands, lanes)
        left, right = (unpack(module, operands[f"{side}_scale"], fmt, side) for side in ("activation", "weight"))
        scale = multiply_significands(module, left.significand, right.significand, "scale")
        scaled = multiply_significands(module, magnitude, scale, "scaled")
        term = normalised_term(
            module,
            sign=sign,
            magnitude=scaled,
            exponents=(left.exponent, right.exponent),
            offset=top_exponent(len(scaled), fmt, fmt) - _QUARTER,
            infinite=Const(0, 1),
            nan=named(module, "scale_nan", left.nan | right.nan),
            name="term",
        )
        return add_to_fp32(module, replaced(total, first), term)

    return update


def replaced(total: Value, first: Value) -> Value:
    """Return the old total as an addend: -0, which no sum notices, where a new sum starts."""
    return Cat(total[:-1] & (~first).replicate(len(total) - 1), total[-1] | first)


def _block_sum(module: Module, operands: Mapping[str, Value], lanes: int) -> tuple[Value, Value]:
    """Return sign and magnitude of the sum of all products, in units of 1/4."""
    bits = (lanes * _LARGEST_PRODUCT).bit_length()
    heap = BitHeap(module, bits + 1, "block")
    for lane in range(lanes):
        product = multiply_e2m1(module, operands[f"activation_{lane}"], operands[f"weight_{lane}"], f"product_{lane}")
        add_product(module, heap, product, f"product_{lane}")
    total = heap.sum()
    sign = total[-1]
    magnitude = (total[:-1] ^ sign.replicate(bits)) + sign
    return sign, named(module, "block_magnitude", magnitude[:bits])


def _times_powers(module: Module, sign: Value, magnitude: Value, scales: tuple[Value, Value]) -> Term:
    """Return fp32(sum) x fp32(scale x scale), each rounded.

    With k the sum of both exponents, the product of the scales is 0 below 2^-149 (the tie 2^-150 goes to even), and
    infinity from 2^128 on. The sum times 2^k is a multiple of 2^(k-2): it is rounded only where that lies below the
    least subnormal number, for k = -149 (two places) and k = -148 (one).
    """
    exponents = named(module, "scale_exponents", scales[0] + scales[1])
    no_power = 2 * E8M0.bias
    least = 1 - FP32.bias - FP32.mantissa_bits
    gone = named(module, "scale_gone", exponents < no_power + least)
    two_places, one_place = (exponents == no_power + least + offset for offset in range(2))
    beyond = named(module, "scale_beyond", exponents > no_power + FP32.bias)
    up = Mux(two_places, magnitude[1] & (magnitude[0] | magnitude[2]), one_place & magnitude[0] & magnitude[1])
    cut = Cat(magnitude[0] & ~(two_places | one_place), magnitude[1] & ~two_places, magnitude[2:])
    rounded = (cut + (Mux(two_places, Cat(Const(0, 2), up), Cat(Const(0, 1), up))))[: len(magnitude)]
    kept = named(module, "block_rounded", rounded & (~gone).replicate(len(magnitude)))
    nothing = named(module, "block_nothing", ~magnitude.any())
    term = normalised_term(
        module,
        sign=sign,
        magnitude=kept,
        exponents=(exponents,),
        offset=FP32.bias - no_power - _QUARTER + len(magnitude) - 1,
        infinite=Const(0, 1),
        nan=scales[0].all() | scales[1].all() | (beyond & nothing),
        name="term",
    )
    field = FP32.exponent_bits
    exponent = term.exponent.as_unsigned()
    overflow = ~exponent[-1] & (exponent[field:-1].any() | exponent[:field].all())
    return Term(
        sign=term.sign,
        exponent=term.exponent,
        significand=term.significand,
        infinite=named(module, "term_infinite", beyond | overflow),
        nan=named(module, "term_nan", term.nan),
    )
