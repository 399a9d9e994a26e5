"""The cell of a weight-stationary array: a PE's arithmetic, with a weight that stays and a sum that passes.

A register ``NAME_waiting`` takes a weight from above while ``load`` is 1, and hands it down; ``swap``, which comes with
the first activation of a fold, makes it the weight. The sum from above plus the product goes on to the cell below.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simhw.circuits import Circuit, Codes, Port, require_rtl
from simhw.rtl.arrays.base import Integers, total_port
from simhw.rtl.arrays.element import Element


def stationary_cell(element: Element) -> Circuit:
    """Return the circuit of a PE that keeps its weight."""
    pe, total = element.pe, total_port(element.pe)
    activations, weights = element.activation_ports, element.weight_ports

    def step(codes: Codes) -> dict[str, Integers]:
        nothing = np.zeros_like(codes["load"])
        held = [f"{port.name}_q" for port in (*activations, *weights)]
        before = {
            **{port.name: nothing for port in pe.inputs},
            **{name: codes[name] for name in held},
            **{f"{name}_q": codes[name] for name in element.settings},
            "first_q": nothing,
            "enable_q": nothing + 1,
            "total": codes["above"],
        }
        after = {f"{port.name}_q": codes[port.name] for port in activations}
        for name in element.weight:
            after[waiting(name)] = np.where(codes["load"] == 1, codes[name], codes[waiting(name)])
            after[f"{name}_q"] = np.where(codes["swap"] == 1, codes[waiting(name)], codes[f"{name}_q"])
        after |= {f"{name}_out": codes[f"{name}_q"] for name in element.activation}
        after |= {f"{name}_out": codes[waiting(name)] for name in element.weight}
        return {**after, "total": pe.step(before)["total"]}

    def build() -> Any:
        require_rtl()
        from simhw.rtl.arrays.cells import StationaryCell

        return StationaryCell(pe.build(), element.activation, element.weight, tuple(element.settings), total.bits)

    return Circuit(
        name=f"{pe.name}_stationary",
        variant=pe.variant,
        description=f"{pe.description}; the weight stays, a second one waits, the sum comes from above",
        source=pe.source,
        parameters=pe.parameters,
        inputs=(
            *activations,
            *weights,
            *element.setting_ports,
            Port(name="load", bits=1, meaning="the waiting weight is taken from above"),
            Port(name="swap", bits=1, meaning="this activation is the first that meets the waiting weight"),
            Port(name="above", bits=total.bits, meaning=f"from above: {total.meaning}"),
        ),
        state=(
            *(_register(f"{port.name}_q", port, "one clock later") for port in activations),
            *(_register(waiting(port.name), port, "of the next fold") for port in weights),
            *(_register(f"{port.name}_q", port, "of this fold") for port in weights),
            total,
        ),
        outputs=(
            *(_register(f"{port.name}_out", port, "for the next cell") for port in activations),
            *(_register(f"{port.name}_out", port, "for the cell below") for port in weights),
            total,
        ),
        build=build,
        step=step,
    )


def waiting(name: str) -> str:
    """Return the name of the register in which the next fold's code of a port waits."""
    return f"{name}_waiting"


def _register(name: str, port: Port, when: str) -> Port:
    return Port(name=name, bits=port.bits, meaning=f"{port.meaning}, {when}")
