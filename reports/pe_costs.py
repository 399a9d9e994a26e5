"""Each PE in each technology at one clock: area, energy, rate, alone and with its share of the dequantizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simhw.accumulators import Aligned
from simhw.arrays import Gemm, Grouping, array_area, dequantization_energy_pj, dequantization_work, schedule
from simhw.costs import CombinedTable, CostTable, load_table, table_names
from simhw.formats import get_element_format
from simhw.gemm.datapath import Datapath
from simhw.layer_cost import ALIGNED_CARRY_BITS
from simhw.pes import Dequantization, ProcessingElement
from simhw.pes.price import price, whole_pe

CLOCK_MHZ = 500
"""The clock of MixPE's published simulator."""
ROWS, COLUMNS = 32, 32
"""Of the output-stationary array whose dequantizers the PEs share: the smallest that MixPE's simulator compares."""
GROUP = 128
"""Weights along k that share a scale: MixPE's, AWQ's and QServe's."""


@dataclass(frozen=True, kw_only=True)
class PECost:
    """One PE in one technology.

    Attributes:
        pe, technology: names.
        source: which table or synthesis the figures of the PE itself come from.
        synthesised: whether they come from synthesis.
        operands: formats of activation and weight.
        accumulator_bits: width of the sum.
        cycles_per_mac: of one multiply-accumulate at the PE's own formats, the worst case.
        area_um2: of the PE alone; of one lane of a block unit.
        energy_pj: of one multiply-accumulate, alone.
        delay_ps: shortest clock period of the netlist mapped for area, None where it was not synthesised.
        shared_area_um2: what one PE of the array bears of dequantizers and running sums.
        shared_energy_pj: what one multiply-accumulate of the GEMM bears of dequantization.
    """

    pe: str
    technology: str
    source: str
    synthesised: bool
    operands: str
    accumulator_bits: int
    cycles_per_mac: float
    area_um2: float
    energy_pj: float
    delay_ps: float | None
    shared_area_um2: float
    shared_energy_pj: float

    @property
    def meets_clock(self) -> bool | None:
        """Whether one cycle suffices at ``CLOCK_MHZ``; None where no delay is known."""
        return None if self.delay_ps is None else self.delay_ps <= 1e6 / CLOCK_MHZ

    @property
    def array_area_um2(self) -> float:
        """Area of the PE with its share."""
        return self.area_um2 + self.shared_area_um2

    @property
    def array_energy_pj(self) -> float:
        """Energy of a multiply-accumulate with its share."""
        return self.energy_pj + self.shared_energy_pj

    @property
    def tops_per_mm2(self) -> float:
        """Operations (two per multiply-accumulate) per second and area, with its share, at ``CLOCK_MHZ``."""
        return 2 * CLOCK_MHZ / self.cycles_per_mac / self.array_area_um2

    @property
    def tops_per_watt(self) -> float:
        """Operations per energy, with its share; dynamic energy alone."""
        return 2 / self.array_energy_pj

    @property
    def pes_per_mm2(self) -> float:
        """PEs with their shares that fit one square millimetre, memories and wires aside."""
        return 1e6 / self.array_area_um2

    @property
    def macs_per_cycle_mm2(self) -> float:
        """Multiply-accumulates per cycle of those PEs."""
        return self.pes_per_mm2 / self.cycles_per_mac


def technologies() -> list[CostTable]:
    """Return the technologies of the comparison: gates, then every one with synthesised PEs."""
    combined = [table for table in map(load_table, table_names()) if isinstance(table, CombinedTable)]
    return [load_table("gates_28nm"), *combined]


def accumulator_width(pe: ProcessingElement, datapath: Datapath | None, k: int) -> int:
    """Return the width of a PE's sum in this comparison: fixed, aligned, or what its groups (or all of k) need."""
    if pe.fixed_accumulator_bits is not None:
        return pe.fixed_accumulator_bits
    if datapath is not None and isinstance(datapath.accumulator, Aligned):
        return datapath.accumulator.fraction_bits + ALIGNED_CARRY_BITS
    return pe.group_accumulator_bits(group_of(pe, k))


def group_of(pe: ProcessingElement, k: int) -> int:
    """Return how many products one accumulator sums up."""
    return pe.block_size or (min(GROUP, k) if pe.dequantization is Dequantization.AFTER_GROUP else k)


def pe_cost(pe: ProcessingElement, table: CostTable, datapath: Datapath | None, gemm: Gemm) -> PECost:
    """Return the cost of one PE, its shares being those of an array that computes ``gemm``."""
    bits = accumulator_width(pe, datapath, gemm.k)
    own = price(pe, table, bits)
    cycles = pe.cycles_per_product(get_element_format(pe.weight_format).bits)
    whole = whole_pe(pe, table, bits)
    grouping = Grouping(dequantization=pe.dequantization, dequantizers=pe.dequantizers, group_size=group_of(pe, gemm.k))
    area = array_area(
        pe,
        table,
        dataflow="output_stationary",
        rows=ROWS,
        columns=COLUMNS,
        accumulator_bits=bits,
        group_size=grouping.group_size or gemm.k,
    )
    return PECost(
        pe=pe.name,
        technology=table.name,
        source=own.source,
        synthesised=whole is not None,
        operands=f"{pe.activation_format} x {pe.stored_weight_format or pe.weight_format}",
        accumulator_bits=bits,
        cycles_per_mac=float(cycles),
        area_um2=own.area_um2,
        energy_pj=float(cycles) * own.energy_pj,
        delay_ps=None if whole is None else whole.entry.delay_ps,
        shared_area_um2=(area.total_um2 - area.pes_um2) / (ROWS * COLUMNS),
        shared_energy_pj=_shared_energy_pj(pe, table, gemm, grouping),
    )


def _shared_energy_pj(pe: ProcessingElement, table: CostTable, gemm: Gemm, grouping: Grouping) -> float:
    plan = schedule(gemm, dataflow="output_stationary", rows=ROWS, columns=COLUMNS)
    work = dequantization_work(
        gemm,
        grouping=grouping,
        weight_streams=plan.weight_streams,
        activation_streams=plan.activation_streams,
        columns=COLUMNS,
        zero_points=bool(pe.dequantize_parts(grouping.group_size or gemm.k).zero_point),
    )
    return dequantization_energy_pj(work, pe, grouping.group_size or gemm.k, table) / gemm.macs


def find(costs: Sequence[PECost], pe: str, technology: str) -> PECost:
    """Return one of the costs; the caller has asked for it to be computed."""
    return next(cost for cost in costs if (cost.pe, cost.technology) == (pe, technology))
