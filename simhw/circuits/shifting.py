"""Counting leading zeros and shifting: what normalisation and alignment of significands are made of.

A count is a tree of two-to-one choices, so it takes as many levels as it has bits. Shifters are logarithmic: one row of
multiplexers per bit of the distance, the largest first, because that bit of a count is ready first.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value


def named(module: Module, name: str, value: Value) -> Any:
    """Return a signal of that name that carries ``value``."""
    signal = Signal(len(value), name=name)
    module.d.comb += signal.eq(value)
    return signal


def leading_zeros(module: Module, value: Value, name: str) -> tuple[Value, Value]:
    """Return ``(count, none)``: zeros above the highest one, and whether there is no one (the count is free then)."""
    width = 1 << (len(value) - 1).bit_length()
    word = named(
        module, f"{name}_zero_bits", ~(Cat(Const(0, width - len(value)), value) if width > len(value) else value)
    )
    nodes: list[tuple[list[Value], Value]] = [([], word[place]) for place in reversed(range(width))]
    while len(nodes) > 1:
        pairs = zip(nodes[::2], nodes[1::2], strict=True)
        nodes = [
            _merge(module, high, low, f"{name}_of_{2 * width // len(nodes)}_{index}")
            for index, (high, low) in enumerate(pairs)
        ]
    count, none = nodes[0]
    return named(module, f"{name}_zeros", Cat(*count)), none


def _merge(
    module: Module, high: tuple[list[Value], Value], low: tuple[list[Value], Value], name: str
) -> tuple[list[Value], Value]:
    """Join the counts of two halves; a half without a one hands over to the other."""
    (high_count, high_none), (low_count, low_none) = high, low
    count = [Mux(high_none, lower, upper) for upper, lower in zip(high_count, low_count, strict=True)]
    held = named(module, f"{name}_count", Cat(*count)) if count else Const(0, 0)
    return [*held, high_none], named(module, f"{name}_none", high_none & low_none)


def shift_left(module: Module, value: Value, distance: Value, name: str, fill: Value | None = None) -> Value:
    """Return ``value`` shifted up within its width, ``fill`` (0 unless given) coming in below."""
    width = len(value)
    below = Const(0, 1) if fill is None else fill
    for place in reversed(range(len(distance))):
        step = min(1 << place, width)
        shifted = Cat(below.replicate(step), value[: width - step])
        value = named(module, f"{name}_by_{1 << place}", Mux(distance[place], shifted, value))
    return value


def shift_left_growing(
    module: Module, value: Value, distance: Value, largest: int, name: str, sign: Value | None = None
) -> Value:
    """Return ``value`` shifted up by at most ``largest`` without losing a bit, ``sign`` (0 unless given) above it.

    The smallest distance comes first, so that the rows grow as late as they can.
    """
    width = len(value) + largest
    above = Const(0, 1) if sign is None else sign
    for place in range(len(distance)):
        step = 1 << place
        grown = min(len(value) + step, width)
        held = Cat(value, above.replicate(grown - len(value)))
        value = named(module, f"{name}_by_{step}", Mux(distance[place], Cat(Const(0, step), value)[:grown], held))
    return value


def shift_right_sticky(module: Module, value: Value, distance: Value, name: str) -> tuple[Value, Value]:
    """Return ``value`` shifted down within its width, and whether a one fell off below."""
    width = len(value)
    lost: Value = Const(0, 1)
    for place in reversed(range(len(distance))):
        step = min(1 << place, width)
        lost = named(module, f"{name}_lost_{1 << place}", lost | (distance[place] & value[:step].any()))
        shifted = value[step:] if step < width else Const(0, 1)
        value = named(module, f"{name}_by_{1 << place}", Mux(distance[place], shifted, value))
    return value, lost
