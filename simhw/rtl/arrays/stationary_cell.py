"""The cell of a weight-stationary array: a PE's arithmetic, with a weight that stays and a sum that passes.

``waiting`` takes a weight from above while ``load`` is 1, and hands it down; ``swap``, which comes with the first
activation of a fold, makes it the weight. The sum from above plus the product goes on to the cell below.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simhw.circuits import Circuit, Codes, Port, require_rtl
from simhw.rtl.arrays.base import Integers, total_port


def stationary_cell(pe: Circuit) -> Circuit:
    """Return the circuit of a PE that keeps its weight."""
    activation, weight = (next(port for port in pe.inputs if port.name == name) for name in ("activation", "weight"))
    total = total_port(pe)

    def step(codes: Codes) -> dict[str, Integers]:
        nothing = np.zeros_like(codes["load"])
        before = {
            **{port.name: nothing for port in pe.inputs},
            **{name: codes[name] for name in ("activation_q", "weight_q")},
            "first_q": nothing,
            "enable_q": nothing + 1,
            "total": codes["above"],
        }
        return {
            "activation_q": codes["activation"],
            "waiting": np.where(codes["load"] == 1, codes["weight"], codes["waiting"]),
            "weight_q": np.where(codes["swap"] == 1, codes["waiting"], codes["weight_q"]),
            "total": pe.step(before)["total"],
            "activation_out": codes["activation_q"],
            "weight_out": codes["waiting"],
        }

    def build() -> Any:
        require_rtl()
        from simhw.rtl.arrays.cells import StationaryCell

        return StationaryCell(pe.build(), total.bits)

    return Circuit(
        name=f"{pe.name}_stationary",
        variant=pe.variant,
        description=f"{pe.description}; the weight stays, a second one waits, the sum comes from above",
        source=pe.source,
        parameters=pe.parameters,
        inputs=(
            activation,
            weight,
            Port(name="load", bits=1, meaning="the waiting weight is taken from above"),
            Port(name="swap", bits=1, meaning="this activation is the first that meets the waiting weight"),
            Port(name="above", bits=total.bits, meaning=f"from above: {total.meaning}"),
        ),
        state=(
            Port(name="activation_q", bits=activation.bits, meaning=f"{activation.meaning}, one clock later"),
            Port(name="waiting", bits=weight.bits, meaning=f"{weight.meaning} of the next fold"),
            Port(name="weight_q", bits=weight.bits, meaning=f"{weight.meaning} of this fold"),
            total,
        ),
        outputs=(
            Port(name="activation_out", bits=activation.bits, meaning="activation for the next cell"),
            Port(name="weight_out", bits=weight.bits, meaning="weight for the cell below"),
            total,
        ),
        build=build,
        step=step,
    )
