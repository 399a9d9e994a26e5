"""What an array of processing elements is as a circuit, and which PEs fit into one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simhw.arrays import Dataflow, get_dataflow
from simhw.arrays.base import check_positive
from simhw.circuits import Circuit, Port
from simhw.errors import InputError

if TYPE_CHECKING:
    from simhw.rtl.arrays.stage import Stage

Integers = NDArray[np.int64]
OPERANDS = ("activation", "weight", "first", "enable")
FORWARDED = ("activation_out", "weight_out")


@dataclass(frozen=True, kw_only=True)
class SystolicArray:
    """An array as a circuit, with what a test bench must know to feed it.

    Attributes:
        circuit: ports, registers, definition; instantiates its parts.
        dataflow: entry name of the dataflow that it is built for.
        rows: of PEs.
        columns: of PEs.
        pe: what stands in every place.
        stage: dequantizer at the foot of each column; None without groups.
        output_registers: registers that a finished sum passes behind the PEs.
        inline: returns the Amaranth component with every PE elaborated in its place, for Amaranth's own simulator.
    """

    circuit: Circuit
    dataflow: str
    rows: int
    columns: int
    pe: Circuit
    stage: Stage | None
    output_registers: int
    inline: Callable[[], Any] = field(hash=False, repr=False)

    @property
    def record(self) -> Dataflow:
        """The dataflow's record."""
        return get_dataflow(self.dataflow)


def check_pe(pe: Circuit) -> None:
    """Raise InputError unless a PE multiplies two operands per clock and hands both on."""
    inputs, outputs = tuple(port.name for port in pe.inputs), {port.name for port in pe.outputs}
    if inputs != OPERANDS or not outputs >= {*FORWARDED, "total"} or pe.cycles != 1:
        raise InputError(
            f"{pe.name} takes {', '.join(inputs)} in {pe.cycles} clocks, PEs of an array take {', '.join(OPERANDS)} "
            "in one and hand on both operands; choose such a PE, as int8_mac or mixpe_w4a8"
        )


def check_sizes(rows: int, columns: int) -> None:
    """Raise InputError unless both sizes are at least 1."""
    check_positive("rows", rows)
    check_positive("columns", columns)


def total_port(circuit: Circuit) -> Port:
    """Return the accumulator of a PE or dequantizer."""
    return next(port for port in circuit.state if port.name == "total")


def widths(circuit: Circuit) -> dict[str, int]:
    """Return the bits of each input by name."""
    return {port.name: port.bits for port in circuit.inputs}
