"""What stands between a group's sums and the running fp32 sum."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Value

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.block_update import replaced
from simhw.circuits.float_add import add_to_fp32
from simhw.circuits.float_multiply import fixed_to_factor, fp32_factor, multiply_fp32
from simhw.circuits.floating import fp32_term
from simhw.circuits.mac import FrameUpdate
from simhw.circuits.partial_products import add_and_products
from simhw.circuits.shifting import named


def scale_and_add(unit: int) -> FrameUpdate:
    """Return the maker of zero point, conversion to fp32, multiplier and adder, for sums in units of 2^``unit``."""

    def update(module: Module, operands: Mapping[str, Value], first: Value, total: Value) -> Value:
        group_sum = operands["group_sum"]
        heap = BitHeap(module, len(group_sum), "difference")
        heap.add_unsigned(group_sum)
        # -z s = z ~s + z: the inverted sum of activations, and the zero point once more.
        zero = operands["zero"]
        inverted = named(module, "inverted_sum", ~operands["activation_sum"])
        add_and_products(heap, inverted, zero, multiplicand_signed=True, multiplier_signed=False)
        heap.add_unsigned(zero)
        factor = fixed_to_factor(module, heap.sum(), unit, "group")
        code = multiply_fp32(module, factor, fp32_factor(module, operands["scale"], "scale"), "scaled")
        return add_to_fp32(module, replaced(total, first), fp32_term(module, named(module, "term", code), "term"))

    return update
