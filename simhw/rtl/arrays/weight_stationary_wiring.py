"""Amaranth: the wires and registers of a weight-stationary array; ``simhw.rtl.arrays.weight_stationary`` explains."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Value

from simhw.circuits import Circuit
from simhw.rtl.arrays.base import total_port, widths
from simhw.rtl.arrays.edge import edge_wires, settings
from simhw.rtl.arrays.element import Element
from simhw.rtl.arrays.placing import Placer, either
from simhw.rtl.arrays.stage import Stage


def fill(
    element: Element,
    parts: tuple[Circuit, Circuit],
    rows: int,
    columns: int,
    stage: Stage | None,
    placer: Placer,
    ports: Any,
) -> None:
    """Put the array of ``parts`` (cell, foot) into a module, between ``ports``."""
    cell, foot = parts
    activations, weights = edge_wires(placer, ports, element, rows, columns)
    loads = _loading(placer, ports, rows, columns)
    swaps = _swapping(placer, ports, rows, columns, leaves=stage is not None)
    nothing = Const(0, total_port(cell).bits)
    chains = []
    entering = list(activations)
    for c in range(columns):
        weight, above = weights[c], nothing
        for r in range(rows):
            given = {**entering[r], **weight, **settings(ports, element), "above": above}
            made = placer.place(cell, f"cell_{r}_{c}", {**given, "load": loads[r, c], "swap": swaps[r, c]})
            entering[r] = {name: made[f"{name}_out"] for name in element.activation}
            weight, above = {name: made[f"{name}_out"] for name in element.weight}, made["total"]
        chains.append(above)
    valid = placer.delay("enable", ports.enable, rows + 1)
    given_feet: list[dict[str, Any]] = [{"chain": chain} for chain in chains]
    if stage is not None:
        given_feet = _scaled(placer, ports, cell, stage, activations, chains, swaps)
        valid = placer.register("enabled", valid)
    for c in range(columns):
        made = placer.place(foot, f"foot_{c}", {**given_feet[c], "carried": getattr(ports, f"carried_{c}")})
        placer.module.d.comb += getattr(ports, f"sum_{c}").eq(made["total"])
        placer.module.d.sync += getattr(ports, f"valid_{c}").eq(valid)
        valid = getattr(ports, f"valid_{c}")


def _loading(placer: Placer, ports: Any, rows: int, columns: int) -> dict[tuple[int, int], Any]:
    """Return the flag of each cell that makes its waiting weight move: row r shifts from clock r to the last one."""
    pulses = [ports.load]
    for clock in range(1, rows):
        pulses.append(placer.register(f"load_delay_{clock}", pulses[-1]))
    wires = {}
    for r in range(rows):
        wires[r, 0] = placer.wire(f"loading_{r}", either(pulses[r:]))
        for c in range(columns - 1):
            wires[r, c + 1] = placer.register(f"load_{r}_{c}", wires[r, c])
    return wires


def _swapping(placer: Placer, ports: Any, rows: int, columns: int, *, leaves: bool) -> dict[tuple[int, int], Any]:
    """Return the flag that enters each cell beside its activation, and below the first column where it ``leaves``."""
    wires = {(0, 0): ports.swap}
    for r in range(rows):
        for c in range(columns):
            below = c == 0 and (r + 1 < rows or leaves)
            if below or c + 1 < columns:
                beside = placer.register(f"swap_{r}_{c}", wires[r, c])
                wires[r, c + 1] = beside
                if c == 0:
                    wires[r + 1, 0] = beside
    return wires


def _scaled(
    placer: Placer,
    ports: Any,
    cell: Circuit,
    stage: Stage,
    activations: list[dict[str, Value]],
    chains: list[Value],
    swaps: dict[tuple[int, int], Any],
) -> list[dict[str, Any]]:
    """Return what enters the dequantizer of each column."""
    rows = len(activations)
    always, one = Const(1, 1), Const(stage.one, widths(cell)["weight"])
    sums: Value = Const(0, total_port(cell).bits)
    for r, activation in enumerate(activations):
        given = {**activation, "weight": one, "load": always, "swap": always, "above": sums}
        sums = placer.place(cell, f"ones_{r}", given)["total"]
    sums = sums[: stage.activation_bits]
    opens, fold = placer.delay("opens", ports.opens, rows + 1), swaps[rows, 0]
    feet = []
    for c, chain in enumerate(chains):
        if c:
            opens, fold = placer.register(f"opens_{c}", opens), placer.register(f"fold_{c}", fold)
            sums = placer.register(f"activation_sum_{c}", sums)
        sign = chain[stage.sum_bits - 1]
        group_sum = Cat(chain[: stage.sum_bits], sign.replicate(stage.group_bits - stage.sum_bits))
        held = {}
        for port in stage.scales:
            name = f"{port.name}_{c}"
            waiting = placer.register(
                f"{name}_waiting", placer.delay(name, getattr(ports, name), c), enable=swaps[0, c]
            )
            held[port.name] = placer.register(f"{name}_held", waiting, enable=fold)
        feet.append({"group_sum": group_sum, "activation_sum": sums, "first": opens, **held})
    return feet
