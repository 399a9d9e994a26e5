"""Area, delay and energy of a circuit in a standard-cell library.

Two netlists: one mapped for area, one for speed. Both are timed by their delay tables and simulated on the same
operands. No wires, clock tree or layout: figures are lower bounds, comparable inside one library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from simhw.circuits import Circuit
from simhw.costs.synthesised import SynthesisedPE
from simhw.errors import InputError
from simhw.rtl.activity import WARM_UP, Activity, measure_activity
from simhw.rtl.liberty import DONT_USE, Library
from simhw.rtl.mapped import MappedNetlist
from simhw.rtl.mapping import Goal, map_circuit
from simhw.rtl.operands import OperandStream, lanes
from simhw.rtl.serial_operands import random_stream
from simhw.rtl.timing import Timing, time_netlist

VECTORS = 4096
"""Operations that the energy is counted on: enough for a standard error well below one percent."""
_FJ_PER_PJ = 1000.0


@dataclass(frozen=True, kw_only=True)
class SynthesisedNetlist:
    """A circuit mapped for one goal.

    Attributes:
        netlist: of standard cells.
        area_um2: sum of the cells' areas.
        gate_delay_ps: longest path through gates, as ABC sees it.
        timing: by the library's tables, registers included; ``timing.period_ps`` is the shortest clock period.
        activity: on the operands.
        leakage_nw: sum over the cells.
    """

    netlist: MappedNetlist
    area_um2: float
    gate_delay_ps: float
    timing: Timing = field(repr=False)
    activity: Activity
    leakage_nw: float


@dataclass(frozen=True, kw_only=True)
class SynthesisResult:
    """A circuit, synthesised with one library.

    Attributes:
        pe: entry name of the processing element.
        circuit: what was synthesised.
        library: name of the library.
        nand2_um2: area of its smallest two-input NAND.
        small: mapped for area.
        fast: mapped for speed.
        operands: what the energy was measured on.
    """

    pe: str
    circuit: Circuit
    library: str
    nand2_um2: float
    small: SynthesisedNetlist
    fast: SynthesisedNetlist
    operands: OperandStream

    def energy_pj_per_mac(self, energy_fj: float) -> float:
        """Return what one multiply-accumulate takes where a clock cycle takes ``energy_fj``."""
        return energy_fj / self.operands.macs_per_cycle / _FJ_PER_PJ

    def entry(self) -> SynthesisedPE:
        """Return the figures as an entry of a synthesis table."""
        small, fast = self.small, self.fast
        return SynthesisedPE(
            pe=self.pe,
            variant=self.circuit.variant,
            parameters=dict(self.circuit.parameters),
            accumulator_bits=accumulator_bits(self.circuit),
            lanes=lanes(self.circuit),
            cycles=self.circuit.cycles,
            cells=sum(small.netlist.cells.values()),
            flip_flops=len(small.netlist.flip_flops),
            area_um2=small.area_um2,
            nand2_equivalents=small.area_um2 / self.nand2_um2,
            delay_ps=small.timing.period_ps,
            fast_area_um2=fast.area_um2,
            fast_delay_ps=fast.timing.period_ps,
            energy_pj_per_mac=self.energy_pj_per_mac(small.activity.energy.total_fj),
            energy_zero_delay_pj_per_mac=self.energy_pj_per_mac(small.activity.zero_delay_energy.total_fj),
            clock_energy_pj_per_mac=self.energy_pj_per_mac(small.activity.energy.clock_fj),
            fast_energy_pj_per_mac=self.energy_pj_per_mac(fast.activity.energy.total_fj),
            leakage_nw=small.leakage_nw,
            operands=self.operands.description,
        )


def accumulator_bits(circuit: Circuit) -> int:
    """Return the width of the accumulator: the register ``total``, 0 where there is none."""
    return sum(port.bits for port in circuit.state if port.name == "total")


def synthesise(
    pe: str,
    circuit: Circuit,
    library: Library,
    *,
    period_ps: float | None = None,
    vectors: int = VECTORS,
    seed: int = 0,
    operands: OperandStream | None = None,
    dont_use: Sequence[str] = DONT_USE,
) -> SynthesisResult:
    """Synthesise ``circuit`` and measure it.

    Args:
        pe: entry name of the processing element.
        circuit: its circuit.
        library: the cells.
        period_ps: clock period that the fast netlist is sized for; None: the shortest.
        vectors: random operations to measure the energy on.
        seed: of the random operands.
        operands: instead of random ones: of a model, with its group ends (see ``given_stream``).
        dont_use: glob patterns of cells to leave out.

    Raises:
        InputError: a package is not installed, the library lacks a cell, the clock period is no positive number, or
            the operands do not fit.
    """
    if period_ps is not None and not 0 < period_ps < math.inf:
        raise InputError(f"period_ps is {period_ps:g}, must be a positive number; give the clock period in ps")
    stream = random_stream(circuit, vectors + WARM_UP, seed=seed) if operands is None else operands

    def mapped(goal: Goal, period: float | None) -> SynthesisedNetlist:
        mapping = map_circuit(circuit, library, goal, period_ps=period, dont_use=dont_use)
        timing = time_netlist(mapping.netlist, library)
        return SynthesisedNetlist(
            netlist=mapping.netlist,
            area_um2=mapping.netlist.area_um2(library),
            gate_delay_ps=mapping.gate_delay_ps,
            timing=timing,
            activity=measure_activity(mapping.netlist, library, stream.codes, timing),
            leakage_nw=mapping.netlist.leakage_nw(library),
        )

    return SynthesisResult(
        pe=pe,
        circuit=circuit,
        library=library.name,
        nand2_um2=library.nand2.area_um2,
        small=mapped(Goal.AREA, None),
        fast=mapped(Goal.SPEED, period_ps),
        operands=stream,
    )
