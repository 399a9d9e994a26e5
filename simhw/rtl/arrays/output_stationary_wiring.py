"""Amaranth: the wires and registers of an output-stationary array; ``simhw.rtl.arrays.output_stationary`` explains."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Value

from simhw.circuits import Circuit
from simhw.rtl.arrays.base import widths
from simhw.rtl.arrays.edge import edge_wires, settings
from simhw.rtl.arrays.element import Element
from simhw.rtl.arrays.placing import Placer, either, gated
from simhw.rtl.arrays.stage import Stage

_FLAGS = ("first", "enable", "last")


def fill(
    element: Element,
    rows: int,
    columns: int,
    stage: Stage | None,
    foot: Circuit | None,
    placer: Placer,
    ports: Any,
) -> None:
    """Put the array into a module, between ``ports``."""
    flags = _travelling_flags(placer, ports, rows, columns)
    pe = element.pe
    activations, weights = edge_wires(placer, ports, element, rows, columns)
    totals: dict[tuple[int, int], Any] = {}
    entering = list(activations)
    for c in range(columns):
        weight = weights[c]
        for r in range(rows):
            made = placer.place(
                pe, f"pe_{r}_{c}", {**entering[r], **weight, **settings(ports, element), **_pe_flags(flags, r, c)}
            )
            entering[r] = {name: made[f"{name}_out"] for name in element.activation}
            weight = {name: made[f"{name}_out"] for name in element.weight}
            totals[r, c] = made["total"]
    buses, valid = [], []
    for c in range(columns):
        leaving = [flags["last", r, c + 2] for r in range(rows)]
        buses.append(placer.wire(f"bus_{c}", either([gated(totals[r, c], leaving[r]) for r in range(rows)])))
        valid.append(placer.wire(f"bus_{c}_valid", either(leaving)))
    if stage is None or foot is None:
        for c in range(columns):
            placer.module.d.comb += [
                getattr(ports, f"sum_{c}").eq(buses[c]),
                getattr(ports, f"valid_{c}").eq(valid[c]),
            ]
        return
    sums = _sums_of_activations(placer, pe, stage, activations, flags, columns)
    marks = (ports.opens, ports.closes)
    for c in range(columns):
        arriving = {"bus": buses[c], "valid": valid[c], "sum": sums[c]}
        marks = _place_foot(placer, ports, stage, foot, flags["last", 0, c + 1], arriving, marks, c)


def _travelling_flags(placer: Placer, ports: Any, rows: int, columns: int) -> dict[Any, Any]:
    """Return the wire of each flag that enters PE (r, c).

    ``last`` that enters two columns further on is one clock later than the product that it marks: it opens the bus.
    """
    wires: dict[Any, Any] = {(flag, 0, 0): getattr(ports, flag) for flag in _FLAGS}
    for flag in _FLAGS:
        for r in range(rows):
            for c in range(columns + 1):
                if flag == "last" or c + 1 < columns or (c == 0 and r + 1 < rows):
                    beside = placer.register(f"{flag}_{r}_{c}", wires[flag, r, c])
                    wires[flag, r, c + 1] = beside
                    if c == 0:
                        wires[flag, r + 1, 0] = beside
    return wires


def _pe_flags(flags: dict[Any, Any], r: int, c: int) -> dict[str, Any]:
    return {flag: flags[flag, r, c] for flag in ("first", "enable")}


def _sums_of_activations(
    placer: Placer, pe: Circuit, stage: Stage, activations: list[dict[str, Value]], flags: dict[Any, Any], columns: int
) -> list[Any]:
    """Return what the column of ones hands to each dequantizer."""
    totals = []
    for r, activation in enumerate(activations):
        given = {**activation, "weight": Const(stage.one, widths(pe)["weight"]), **_pe_flags(flags, r, 0)}
        made = placer.place(pe, f"ones_{r}", given)
        totals.append(gated(made["total"][: stage.activation_bits], flags["last", r, 2]))
    sums = [placer.wire("ones", either(totals))]
    for c in range(1, columns):
        sums.append(placer.register(f"activation_sum_{c}", sums[-1]))
    return sums


def _place_foot(
    placer: Placer,
    ports: Any,
    stage: Stage,
    foot: Circuit,
    holds: Value,
    arriving: dict[str, Any],
    marks: tuple[Value, Value],
    c: int,
) -> tuple[Value, Value]:
    """Place what stands at the foot of column ``c``, and return what marks first and last groups for the next."""
    held = {}
    for port in stage.scales:
        waiting = placer.delay(f"{port.name}_{c}", getattr(ports, f"{port.name}_{c}"), c + 1)
        held[port.name] = placer.register(f"{port.name}_{c}_held", waiting, enable=holds)
    opens, closes = (
        placer.register(f"{flag}_{c}", mark) for flag, mark in zip(("opens", "closes"), marks, strict=True)
    )
    opens_held = placer.register(f"opens_{c}_held", opens, enable=holds)
    closes_held = placer.register(f"closes_{c}_held", closes, enable=holds)
    sign = arriving["bus"][stage.sum_bits - 1]
    group_sum = Cat(arriving["bus"][: stage.sum_bits], sign.replicate(stage.group_bits - stage.sum_bits))
    given = {
        "group_sum": group_sum,
        "activation_sum": arriving["sum"],
        "first": opens_held,
        "enable": arriving["valid"],
        **held,
    }
    made = placer.place(foot, f"dequantizer_{c}", given)
    ending = placer.register(f"ending_{c}", arriving["valid"] & closes_held)
    placer.module.d.comb += getattr(ports, f"sum_{c}").eq(made["total"])
    placer.module.d.sync += getattr(ports, f"valid_{c}").eq(ending)
    return opens, closes
