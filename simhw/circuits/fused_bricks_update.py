"""Amaranth side of ``simhw.circuits.fused_bricks``."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.mac import kept
from simhw.circuits.partial_products import add_and_products

_PLACES = ("activation_u", "weight_u", "activation_v", "weight_v")
"""The four bits of a brick's number, the highest first: the tree adds along the last one first."""


def fuse(module: Module, operands: Mapping[str, Value], first: Value, total: Value) -> Value:
    """Add the products of the mode to the total."""
    fused = {}
    for operand in ("activation", "weight"):
        mode = operands[f"{operand}_mode"]
        fused[f"{operand}_v"] = _named(module, mode.any(), f"{operand}_fuses_v")
        fused[f"{operand}_u"] = mode[1]
    sums = [_brick(module, brick, operands, fused) for brick in range(16)]
    for place in reversed(_PLACES):
        shift = 2 if place.endswith("v") else 4
        sums = [
            _shift_and_add(module, sums[pair], sums[pair + 1], shift, fused[place], f"{place}_{pair // 2}")
            for pair in range(0, len(sums), 2)
        ]
    result = Signal(len(total), name="sum_total")
    module.d.comb += result.eq(kept(total, first) + sums[0])
    return result


def _brick(module: Module, brick: int, operands: Mapping[str, Value], fused: Mapping[str, Value]) -> Value:
    place = {name: brick >> (3 - index) & 1 for index, name in enumerate(_PLACES)}
    slices = {
        operand: _slice(module, operand, other, brick, place, operands, fused)
        for operand, other in (("activation", "weight"), ("weight", "activation"))
    }
    heap = BitHeap(module, 5, name=f"brick_{brick}")
    add_and_products(heap, slices["activation"], slices["weight"], multiplicand_signed=True, multiplier_signed=True)
    product = Signal(5, name=f"brick_{brick}")
    module.d.comb += product.eq(heap.sum())
    return product.as_signed()


def _slice(
    module: Module,
    operand: str,
    other: str,
    brick: int,
    place: Mapping[str, int],
    operands: Mapping[str, Value],
    fused: Mapping[str, Value],
) -> Value:
    """Return a brick's 2 bits of an operand and, above them, its sign: 0 in a slice that is not the top one."""
    u, v = place[f"{operand}_u"], place[f"{operand}_v"]
    other_u, other_v = place[f"{other}_u"], place[f"{other}_v"]
    word, other_fused_u, other_fused_v = operands[operand], fused[f"{other}_u"], fused[f"{other}_v"]
    own_u, own_v = fused[f"{operand}_u"], fused[f"{operand}_v"]

    def chosen(u_is_slice: bool, v_is_slice: bool, other_u_is_slice: bool, other_v_is_slice: bool) -> Value:
        # The number of the product, of the place bits that number no slice, in the order of the bits of a brick.
        product, size = 0, 1 + u_is_slice + v_is_slice + (u_is_slice and v_is_slice)
        bits = [(u, u_is_slice, operand), (other_u, other_u_is_slice, other)]
        bits += [(v, v_is_slice, operand), (other_v, other_v_is_slice, other)]
        if operand == "weight":
            bits = [bits[1], bits[0], bits[3], bits[2]]
        for bit, is_slice, _ in bits:
            if not is_slice:
                product = 2 * product + bit
        own = v if v_is_slice else 0
        own += 2 * u if u_is_slice else 0
        return word.word_select(product * size + own, 2)

    def by_other(u_is_slice: bool, v_is_slice: bool) -> Value:
        return Mux(
            other_fused_u,
            chosen(u_is_slice, v_is_slice, True, True),
            Mux(
                other_fused_v,
                chosen(u_is_slice, v_is_slice, False, True),
                chosen(u_is_slice, v_is_slice, False, False),
            ),
        )

    bits = _named(
        module,
        Mux(own_u, by_other(True, True), Mux(own_v, by_other(False, True), by_other(False, False))),
        f"{operand}_slice_{brick}",
    )
    top = (~own_v if v == 0 else 1) & (~own_u if u == 0 else 1)
    sign = _named(module, (bits[1] & operands[f"{operand}_signed"] & top)[0], f"{operand}_sign_{brick}")
    return _named(module, Cat(bits, sign), f"{operand}_brick_{brick}")


def _shift_and_add(module: Module, low: Value, high: Value, shift: int, fused: Value, name: str) -> Value:
    shifted = Mux(fused, high << shift, high)
    added = Signal.like(low + shifted, name=f"sum_{name}")
    module.d.comb += added.eq(low + shifted)
    return added


def _named(module: Module, value: Value, name: str) -> Value:
    signal = Signal(len(value), name=name)
    module.d.comb += signal.eq(value)
    return signal
