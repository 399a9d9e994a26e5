"""The record of a multiply-accumulate PE: ports and step of the frame in ``simhw.circuits.mac``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simhw.circuits.base import Circuit, Codes, Port, require_rtl

if TYPE_CHECKING:
    from simhw.circuits.mac import Update

Integers = NDArray[np.int64]
NextTotal = Callable[[Integers, Integers, Integers, Integers], Integers]
"""``(activation, weight, first, total)``, all codes -> code of the next total."""


def mac_circuit(
    *,
    name: str,
    variant: str,
    description: str,
    source: str,
    parameters: Mapping[str, int | str],
    activation: Port,
    weight: Port,
    total: Port,
    next_total: NextTotal,
    update: Callable[[], Update],
    cycles: int = 1,
) -> Circuit:
    """Return the circuit of a PE that fits the frame.

    Args:
        name: of the PE, with the variant where it is not the default.
        variant: which structure.
        description: one sentence on the structure.
        source: where it comes from.
        parameters: sizes that it was built with.
        activation: input ``activation``.
        weight: input ``weight``.
        total: accumulator ``total``.
        next_total: the definition, in NumPy.
        update: returns the maker of multiplier and adder; called (and Amaranth imported) only to build.
        cycles: clock cycles of one multiply-accumulate.
    """

    def build() -> Any:
        require_rtl()
        from simhw.circuits.mac import Mac  # noqa: PLC0415

        return Mac(activation.bits, weight.bits, total.bits, update())

    def step(codes: Codes) -> dict[str, Integers]:
        after = next_total(codes["activation_q"], codes["weight_q"], codes["first_q"], codes["total"])
        return {
            **{f"{port}_q": codes[port] for port in ("activation", "weight", "first", "enable")},
            "total": np.where(codes["enable_q"] == 1, after, codes["total"]),
            "activation_out": codes["activation_q"],
            "weight_out": codes["weight_q"],
        }

    first = Port(name="first", bits=1, meaning="the product of these operands starts a new sum")
    enable = Port(name="enable", bits=1, meaning="the product of these operands counts")
    inputs = (activation, weight, first, enable)
    return Circuit(
        name=name,
        variant=variant,
        description=description,
        source=source,
        parameters=parameters,
        inputs=inputs,
        state=(
            *(
                Port(name=f"{port.name}_q", bits=port.bits, meaning=f"{port.meaning}, one clock later")
                for port in inputs
            ),
            total,
        ),
        outputs=(
            Port(name="activation_out", bits=activation.bits, meaning="activation for the next PE"),
            Port(name="weight_out", bits=weight.bits, meaning="weight for the next PE"),
            total,
        ),
        build=build,
        step=step,
        cycles=cycles,
    )
