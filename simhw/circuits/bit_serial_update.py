"""Amaranth side of ``simhw.circuits.bit_serial``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from simhw.circuits.bit_heap import BitHeap
from simhw.circuits.mac import FrameUpdate, kept


def add_bit_plane(lanes: int) -> FrameUpdate:
    """Return the sum of gated weights, shifted, negated for a sign bit, and the total."""

    def update(module: Module, operands: Mapping[str, Value], first: Value, total: Value) -> Value:
        weights = [operands[f"weight_{lane}"] for lane in range(lanes)]
        plane = BitHeap(module, len(weights[0]) + (lanes - 1).bit_length(), name="plane")
        for lane, weight in enumerate(weights):
            plane.add_signed(weight & operands["activation"][lane].replicate(len(weight)))
        negative = operands["negative"]
        inverted = _named(module, plane.sum() ^ negative.replicate(plane.width), "plane_inverted")
        heap = BitHeap(module, len(total))
        heap.add_unsigned(kept(total, first))
        heap.add_signed(_shifted(module, inverted, operands["place"], 1, negative))
        heap.add_carry_in(negative)
        return heap.sum()

    return update


def add_term(module: Module, operands: Mapping[str, Value], first: Value, total: Value) -> Value:
    """Return the activation times the term, and the total."""
    activation, term = operands["activation"], operands["term"]
    valid, negative, doubled = term[0], term[1] & term[0], term[2]
    once, twice = Cat(activation, activation[-1]), Cat(Const(0, 1), activation)
    chosen = Mux(doubled, twice, once) & valid.replicate(len(once))
    inverted = _named(module, chosen ^ negative.replicate(len(once)), "chosen")
    heap = BitHeap(module, len(total))
    heap.add_unsigned(kept(total, first))
    heap.add_signed(_shifted(module, inverted, term[3:], 2, negative))
    heap.add_carry_in(negative)
    return heap.sum()


class TermEncoder(Component):  # type: ignore[misc]
    """Finds the nonzero Booth digits of weights and sends them one by one."""

    def __init__(self) -> None:
        super().__init__({"weight": In(8), "term": Out(5), "ready": Out(1)})

    def elaborate(self, platform: Any) -> Module:  # noqa: ARG002
        """Return the module."""
        module = Module()
        held, waiting = Signal(8, name="weight_q"), Signal(4, name="waiting")
        selected = Signal(4, name="selected")
        module.d.comb += selected.eq(Cat(waiting[at] & ~waiting[:at].any() for at in range(4)))
        module.d.comb += self.ready.eq(waiting == selected)
        digits = _digits(held)
        for field, bit in enumerate(
            (
                waiting.any(),
                _select(selected, [high & ~(middle & low) for low, middle, high in digits]),
                _select(selected, [(low == middle) & (high != middle) for low, middle, high in digits]),
                selected[1] | selected[3],
                selected[2] | selected[3],
            )
        ):
            module.d.comb += self.term[field].eq(bit)
        nonzero = Cat((low != middle) | (middle != high) for low, middle, high in _digits(self.weight))
        with module.If(self.ready):
            module.d.sync += [held.eq(self.weight), waiting.eq(nonzero)]
        with module.Else():
            module.d.sync += waiting.eq(waiting & ~selected)
        return module


def _digits(weight: Value) -> list[tuple[Value, Value, Value]]:
    extended = Cat(Const(0, 1), weight)
    return [(extended[at], extended[at + 1], extended[at + 2]) for at in range(0, len(weight), 2)]


def _select(selected: Value, bits: list[Value]) -> Value:
    return Cat(selected[at] & bit for at, bit in enumerate(bits)).any()


def _shifted(module: Module, word: Value, places: Value, unit: int, fill: Value) -> Value:
    """Shift a word left by ``places`` x ``unit``, small distances first; ``fill`` comes in from below."""
    for stage in range(len(places)):
        distance = unit << stage
        moved, extended = Cat(fill.replicate(distance), word), Cat(word, word[-1].replicate(distance))
        word = _named(module, Mux(places[stage], moved, extended), f"shifted_by_{distance}")
    return word


def _named(module: Module, value: Value, name: str) -> Value:
    signal = Signal(len(value), name=name)
    module.d.comb += signal.eq(value)
    return signal
