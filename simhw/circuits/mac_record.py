"""The record of a multiply-accumulate PE: ports and step of the frame in ``simhw.circuits.mac``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simhw.circuits.base import Circuit, Codes, Port, require_rtl

if TYPE_CHECKING:
    from simhw.circuits.mac import FrameUpdate, Update

Integers = NDArray[np.int64]
NextTotal = Callable[[Integers, Integers, Integers, Integers], Integers]
"""``(activation, weight, first, total)``, all codes -> code of the next total."""

FIRST = Port(name="first", bits=1, meaning="the product of these operands starts a new sum")
ENABLE = Port(name="enable", bits=1, meaning="the product of these operands counts")


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
    """Return the circuit of a PE with two operands that fits the frame.

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

    def frame_update() -> FrameUpdate:
        two = update()
        return lambda module, operands, first, old: two(module, operands["activation"], operands["weight"], first, old)

    return frame_circuit(
        name=name,
        variant=variant,
        description=description,
        source=source,
        parameters=parameters,
        operands=(activation, weight),
        forwarded=("activation", "weight"),
        total=total,
        next_total=lambda codes, first, old: next_total(codes["activation"], codes["weight"], first, old),
        update=frame_update,
        cycles=cycles,
    )


def frame_circuit(
    *,
    name: str,
    variant: str,
    description: str,
    source: str,
    parameters: Mapping[str, int | str],
    operands: tuple[Port, ...],
    forwarded: tuple[str, ...],
    total: Port,
    next_total: Callable[[Codes, Integers, Integers], Integers],
    update: Callable[[], FrameUpdate],
    cycles: int = 1,
) -> Circuit:
    """Return the circuit of a PE with any operands that fits the frame.

    Args:
        name: as for ``mac_circuit``; likewise what is not listed here.
        variant: which structure.
        description: one sentence on the structure.
        source: where it comes from.
        parameters: sizes that it was built with.
        operands: inputs besides the flags.
        forwarded: operands that go on to the neighbour.
        total: accumulator ``total``.
        next_total: the definition: ``(codes by operand, first, total)`` -> code of the next total.
        update: returns the maker of the arithmetic.
        cycles: clock cycles of one multiply-accumulate.
    """

    def build() -> Any:
        require_rtl()
        from simhw.circuits.mac import Frame

        return Frame({port.name: port.bits for port in operands}, forwarded, total.bits, update())

    inputs = (*operands, FIRST, ENABLE)

    def step(codes: Codes) -> dict[str, Integers]:
        held = {port.name: codes[f"{port.name}_q"] for port in inputs}
        after = next_total(held, held["first"], codes["total"])
        return {
            **{f"{port.name}_q": codes[port.name] for port in inputs},
            "total": np.where(held["enable"] == 1, after, codes["total"]),
            **{f"{port}_out": held[port] for port in forwarded},
        }

    return Circuit(
        name=name,
        variant=variant,
        description=description,
        source=source,
        parameters=parameters,
        inputs=inputs,
        state=(*(registered(port) for port in inputs), total),
        outputs=(
            *(
                Port(name=f"{port.name}_out", bits=port.bits, meaning=f"{port.name} for the next PE")
                for port in operands
                if port.name in forwarded
            ),
            total,
        ),
        build=build,
        step=step,
        cycles=cycles,
    )


def registered(port: Port) -> Port:
    """Return the register behind an input."""
    return Port(name=f"{port.name}_q", bits=port.bits, meaning=f"{port.meaning}, one clock later")
