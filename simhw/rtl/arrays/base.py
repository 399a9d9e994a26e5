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
from simhw.circuits.fixed_point_mac import FLAGS as STICKY
from simhw.circuits.float_mac import TOTAL
from simhw.circuits.float_sums import NEGATIVE_ZERO

if TYPE_CHECKING:
    from simhw.rtl.arrays.element import Element
    from simhw.rtl.arrays.stage import Stage

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class SystolicArray:
    """An array as a circuit, with what a test bench must know to feed it.

    Attributes:
        circuit: ports, registers, definition; instantiates its parts.
        dataflow: entry name of the dataflow that it is built for.
        rows: of PEs.
        columns: of PEs.
        element: what stands in every place, and how operands enter.
        stage: dequantizer at the foot of each column; None without groups.
        output_registers: registers that a finished sum passes behind the PEs.
        inline: returns the Amaranth component with every PE elaborated in its place, for Amaranth's own simulator.
    """

    circuit: Circuit
    dataflow: str
    rows: int
    columns: int
    element: Element
    stage: Stage | None
    output_registers: int
    inline: Callable[[], Any] = field(hash=False, repr=False)

    @property
    def pe(self) -> Circuit:
        """The PE in every place."""
        return self.element.pe

    @property
    def record(self) -> Dataflow:
        """The dataflow's record."""
        return get_dataflow(self.dataflow)


def check_sizes(rows: int, columns: int) -> None:
    """Raise InputError unless both sizes are at least 1."""
    check_positive("rows", rows)
    check_positive("columns", columns)


def total_port(circuit: Circuit) -> Port:
    """Return the accumulator of a PE or dequantizer."""
    return next(port for port in circuit.state if port.name == "total")


def sum_bits(pe: Circuit) -> int:
    """Return the low bits of a PE's total that are its sum; those of a fixed-point sum have flags above."""
    return total_port(pe).bits - (STICKY if pe.name == "mixpe_w4a16" else 0)


def rounds(pe: Circuit) -> bool:
    """Return whether a PE's sum is fp32, rounded after every product."""
    return total_port(pe) == TOTAL


def neutral_activation(pe: Circuit) -> int:
    """Return the activation that, with a weight of 0, leaves every sum as it is: -0 where products become fp32.

    There is none for blocks: a block of zeros is +0 whatever the signs of its elements are.
    """
    ports = widths(pe)
    return 1 << (ports["activation"] - 1) if rounds(pe) and "activation" in ports else 0


def nothing_carried(array: SystolicArray) -> int:
    """Return the carried sum of the first fold: -0 in fp32, because 0 + -0 is 0."""
    return NEGATIVE_ZERO if array.stage is None and rounds(array.pe) else 0


def widths(circuit: Circuit) -> dict[str, int]:
    """Return the bits of each input by name."""
    return {port.name: port.bits for port in circuit.inputs}
