"""The record of a special function unit's circuit: a register behind its input, one for its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simhw.circuits.base import Circuit, Codes, Port, require_rtl
from simhw.circuits.mac_record import Integers, registered

if TYPE_CHECKING:
    from simhw.circuits.unit import Arithmetic


def unit_circuit(
    *,
    name: str,
    variant: str,
    description: str,
    source: str,
    value: Port,
    result: Port,
    function: Callable[[Integers], Integers],
    arithmetic: Callable[[], Arithmetic],
) -> Circuit:
    """Return the circuit of a unit that makes one result of one value per clock, two clocks later.

    Args:
        name: of the unit.
        variant: which structure.
        description: one sentence on the structure.
        source: where it comes from.
        value: input ``value``.
        result: register and output ``result``.
        function: the definition, in NumPy: codes of values -> codes of results.
        arithmetic: returns the maker of what stands between the registers; called (and Amaranth imported) only to
            build.
    """

    def build() -> Any:
        require_rtl()
        from simhw.circuits.unit import Unit

        return Unit(value.bits, result.bits, arithmetic())

    def step(codes: Codes) -> dict[str, Integers]:
        return {"value_q": codes["value"], "result": function(codes["value_q"])}

    return Circuit(
        name=name,
        variant=variant,
        description=description,
        source=source,
        parameters={"value_bits": value.bits, "result_bits": result.bits},
        inputs=(value,),
        state=(registered(value), result),
        outputs=(result,),
        build=build,
        step=step,
    )
