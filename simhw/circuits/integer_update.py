"""Multipliers and adders of integer PEs: each function makes the next total of a frame.

All of them add into one bit heap the partial products and the old total, so that one carry-propagate adder per clock
remains, except ``multiply_then_add``, which leaves the structure to synthesis.
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Mux, Signal, Value

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.mac import FrameUpdate, Update, kept
from simhw.circuits.partial_products import add_and_products, add_booth_products


def carry_save(*, activation_signed: bool, weight_signed: bool) -> Update:
    """Return one AND per pair of bits (Baugh-Wooley for signed operands), compressed together with the total."""

    def update(module: Module, activation: Value, weight: Value, first: Value, total: Value) -> Value:
        heap = BitHeap(module, len(total))
        heap.add_unsigned(kept(total, first))
        add_and_products(
            heap, activation, weight, multiplicand_signed=activation_signed, multiplier_signed=weight_signed
        )
        return heap.sum()

    return update


def booth(*, activation_signed: bool, weight_signed: bool) -> Update:
    """Return rows of a weight recoded to radix 4, compressed together with the total."""

    def update(module: Module, activation: Value, weight: Value, first: Value, total: Value) -> Value:
        heap = BitHeap(module, len(total))
        heap.add_unsigned(kept(total, first))
        add_booth_products(
            module, heap, activation, weight, multiplicand_signed=activation_signed, multiplier_signed=weight_signed
        )
        return heap.sum()

    return update


def multiply_then_add(*, activation_signed: bool, weight_signed: bool) -> Update:
    """Return ``activation * weight`` and ``+``, as they stand in a behavioural description."""

    def update(module: Module, activation: Value, weight: Value, first: Value, total: Value) -> Value:
        left = activation.as_signed() if activation_signed else activation
        right = weight.as_signed() if weight_signed else weight
        product = Signal.like(left * right, name="product")
        module.d.comb += product.eq(left * right)
        result = Signal(len(total), name="sum_total")
        module.d.comb += result.eq(Mux(first, 0, total) + product)
        return result

    return update


def adders(*, activation_signed: bool, weight_signed: bool) -> Update:
    """Return one gated, shifted activation per weight bit, a tree of adders over them, and one for the total."""

    def update(module: Module, activation: Value, weight: Value, first: Value, total: Value) -> Value:
        multiplicand = activation.as_signed() if activation_signed else activation
        places = len(weight)
        terms = []
        for place in range(places):
            gated = Signal.like(multiplicand, name=f"addend_{place}")
            module.d.comb += gated.eq(activation & weight[place].replicate(len(activation)))
            terms.append((place, -gated if weight_signed and place == places - 1 else gated))
        while len(terms) > 1:
            pairs = [terms[index : index + 2] for index in range(0, len(terms), 2)]
            terms = [_add_shifted(module, pair) if len(pair) == 2 else pair[0] for pair in pairs]
        result = Signal(len(total), name="sum_total")
        module.d.comb += result.eq(Mux(first, 0, total) + (terms[0][1] << terms[0][0]))
        return result

    return update


def _add_shifted(module: Module, pair: list[tuple[int, Value]]) -> tuple[int, Value]:
    """Add two terms at different places; the low bits that only the first has pass by the adder."""
    (low_place, low), (high_place, high) = pair
    added = low + (high << (high_place - low_place))
    partial = Signal.like(added, name=f"partial_{low_place}_{high_place}")
    module.d.comb += partial.eq(added)
    return low_place, partial


def two_products(*, fused: bool) -> FrameUpdate:
    """Return scale x group_sum + scaled_zero x activation_sum + total, all signed: Booth rows in one heap, or ``*``."""

    def update(module: Module, operands: Mapping[str, Value], first: Value, total: Value) -> Value:
        pairs = (("group_sum", "scale"), ("activation_sum", "scaled_zero"))
        if not fused:
            terms = [operands[left].as_signed() * operands[right].as_signed() for left, right in pairs]
            result = Signal(len(total), name="sum_total")
            module.d.comb += result.eq(Mux(first, 0, total) + sum(terms))
            return result
        heap = BitHeap(module, len(total))
        heap.add_unsigned(kept(total, first))
        for left, right in pairs:
            add_booth_products(
                module,
                heap,
                operands[left],
                operands[right],
                multiplicand_signed=True,
                multiplier_signed=True,
                name=right,
            )
        return heap.sum()

    return update
