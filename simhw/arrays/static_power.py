"""Power that a machine takes whether it computes or waits: what its circuits leak, and its DRAM in standby.

The array leaks as the synthesised circuits that stand for its PEs and for the dequantizers behind their groups, buffers
as the macros that they are made of, where a table of them was chosen. What neither stands for counts as 0: the vector
unit, dequantizers in front of the multipliers, adders for sums of activations and running sums. DRAM is one channel
(:mod:`simhw.costs.dram`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from simhw.costs import CostTable
from simhw.errors import InputError
from simhw.pes import Dequantizers, ProcessingElement
from simhw.pes.price import group_dequantizer, leakage_nw

CLOCK_MHZ = 500.0
"""Where no clock is given."""


@dataclass(frozen=True, kw_only=True)
class StaticPower:
    """Power by part.

    Attributes:
        pes_nw: of all PEs, in nanowatts.
        dequantizers_nw: of all dequantizers of group sums, in nanowatts.
        buffers_nw: of all buffers, in nanowatts.
        dram_mw: of DRAM, in milliwatts.
        dram_source: where ``dram_mw`` is from, or why it is 0.
    """

    pes_nw: float
    dequantizers_nw: float
    buffers_nw: float
    dram_mw: float
    dram_source: str

    def leakage_pj(self, cycles: int, clock_mhz: float) -> float:
        """Return what the circuits leak meanwhile, in picojoules. (Nanowatts times microseconds are femtojoules.)"""
        return (self.pes_nw + self.dequantizers_nw + self.buffers_nw) * cycles / clock_mhz * 1e-3

    def dram_pj(self, cycles: int, clock_mhz: float) -> float:
        """Return what DRAM takes meanwhile, in picojoules. (Milliwatts times microseconds are nanojoules.)"""
        return self.dram_mw * cycles / clock_mhz * 1e3


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a machine costs whether it computes or waits.

    Attributes:
        power: of its circuits and its DRAM.
        buffers_um2: area of all buffers in square micrometres; None: not stated.
    """

    power: StaticPower
    buffers_um2: float | None


def static_power(
    pe: ProcessingElement,
    table: CostTable,
    *,
    rows: int,
    columns: int,
    accumulator_bits: int,
    dequantizers: Dequantizers | int | None = None,
    dram: str | None = None,
    buffers_nw: float = 0.0,
) -> StaticPower:
    """Return the power of an array of ``pe`` and of its DRAM.

    Args:
        pe: what stands in every place.
        table: technology.
        rows, columns: of the array.
        accumulator_bits: of each PE.
        dequantizers: how many the array has; None: as many as the PE's own rule says.
        dram: kind; None: the technology's default.
        buffers_nw: what the buffers leak, in nanowatts.

    Raises:
        InputError: nobody prices that kind of DRAM.
    """
    static = table.dram_static(dram)
    behind = group_dequantizer(pe, table)
    count = _count(pe.dequantizers if dequantizers is None else dequantizers, rows, columns)
    return StaticPower(
        pes_nw=rows * columns * leakage_nw(pe, table, accumulator_bits),
        dequantizers_nw=0.0 if behind is None else count * behind.leakage_nw,
        buffers_nw=buffers_nw,
        dram_mw=static.milliwatts,
        dram_source=static.source,
    )


def _count(dequantizers: Dequantizers | int, rows: int, columns: int) -> int:
    match dequantizers:
        case Dequantizers.PER_COLUMN:
            return columns
        case Dequantizers.PER_BLOCK:
            return rows * columns
        case _:
            return dequantizers


SLOWEST_MHZ = 1e-6
"""One cycle per second."""


def check_clock(clock_mhz: float) -> None:
    """Refuse a frequency that is not positive.

    Raises:
        InputError: it is so.
    """
    if isinstance(clock_mhz, bool) or not SLOWEST_MHZ <= clock_mhz < math.inf:
        raise InputError(
            f"clock is {clock_mhz!r} MHz, must be greater than 0 (at least {SLOWEST_MHZ:g}); give one, as 500"
        )
