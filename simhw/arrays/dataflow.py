"""What a dataflow is, and ``schedule``: the one door to all of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypedDict

import numpy as np

import simhw.arrays
from simhw.arrays.base import (
    Gemm,
    Overlap,
    Schedule,
    as_size,
    ceil_div,
    check_choice,
    check_registers,
    choose,
    common_shape,
)
from simhw.arrays.dequantize import Grouping
from simhw.arrays.lanes import pack, unpack
from simhw.arrays.many import refuse_overflow, schedule_many
from simhw.errors import unknown_name
from simhw.pes import Dequantization, Dequantizers


class Chains(TypedDict):
    """In which order the products of one output are summed, as ``Schedule`` says it."""

    summation_chunk: int | None
    summation_order: str


ONE_CHAIN: Chains = {"summation_chunk": None, "summation_order": "k ascending, one chain per output"}


@dataclass(frozen=True, kw_only=True)
class Run:
    """A GEMM on an array under a convention: what a dataflow schedules.

    Attributes:
        gemm: sizes.
        dataflow: entry name of the dataflow.
        rows: of the array.
        columns: of the array.
        overlap: the convention.
        passes: cycles of one multiply-accumulate; the stream along k is that much longer.
        grouping: where scales meet the numbers.
        output_registers: registers that a finished sum passes behind the PEs.
    """

    gemm: Gemm
    dataflow: str
    rows: int
    columns: int
    overlap: Overlap
    passes: int
    grouping: Grouping
    output_registers: int = 0

    def k_folds(self) -> int:
        """Return in how many pieces of at most ``rows`` products k is cut where sums flow down the rows."""
        if not self.grouping.after_group:
            return ceil_div(self.gemm.k * self.passes, self.rows)
        length, whole, last = self.grouping.lengths(self.gemm.k)
        return whole * ceil_div(length * self.passes, self.rows) + ceil_div(last * self.passes, self.rows)

    def chains(self, k_folds: int) -> Chains:
        """Return the summation order of an array whose sums flow down its rows, in ``k_folds`` folds."""

        def order(length: object) -> str:
            return f"k ascending in chains of {length} rows, chain sums added in ascending order"

        if type(k_folds) is int:
            if k_folds == 1:
                return ONE_CHAIN
            return {"summation_chunk": self.rows, "summation_order": order(self.rows)}
        chunk = choose(np.equal(k_folds, 1), self.gemm.k, self.rows)
        return {"summation_chunk": chunk, "summation_order": order("summation_chunk")}

    def finish(
        self,
        *,
        folds: int,
        cycles_per_fold: int,
        compute_cycles: int,
        dequantize_stall_cycles: int,
        sram_activation_reads: int,
        sram_weight_reads: int,
        sram_output_writes: int,
        sram_output_reads: int,
        activation_streams: int,
        weight_streams: int,
        summation_chunk: int | None,
        summation_order: str,
    ) -> Schedule:
        """Return the schedule with what is the same for every dataflow filled in.

        Raises:
            InputError: a count exceeds int64.
        """
        gemm = self.gemm
        # Where nothing overlaps, the next fold waits until results stand behind the last register.
        compute_cycles += self.output_registers * (folds if self.overlap is Overlap.NONE else 1)
        cycles_per_fold += self.output_registers
        cycles = compute_cycles + dequantize_stall_cycles
        pe_cycles = cycles * self.rows * self.columns
        refuse_overflow(gemm, self.rows, self.columns, cycles, pe_cycles, sram_activation_reads, sram_weight_reads)
        return Schedule(
            dataflow=self.dataflow,
            overlap=self.overlap,
            rows=self.rows,
            columns=self.columns,
            folds=folds,
            cycles_per_fold=cycles_per_fold,
            compute_cycles=compute_cycles,
            dequantize_stall_cycles=dequantize_stall_cycles,
            utilization=gemm.macs * self.passes / pe_cycles,
            sram_activation_reads=sram_activation_reads,
            sram_weight_reads=sram_weight_reads,
            sram_output_writes=sram_output_writes,
            sram_output_reads=sram_output_reads,
            dram_activation_words=gemm.batch * gemm.m * gemm.k,
            dram_weight_words=gemm.batch * gemm.k * gemm.n,
            dram_output_words=gemm.batch * gemm.m * gemm.n,
            activation_streams=activation_streams,
            weight_streams=weight_streams,
            summation_chunk=summation_chunk,
            summation_order=summation_order,
        )


@dataclass(frozen=True, kw_only=True)
class Dataflow:
    """One dataflow: every file ``simhw/arrays/NAME_stationary.py`` binds exactly one, as ``DATAFLOW``.

    Attributes:
        name: entry name, equal to the file name.
        description: one sentence.
        source: where the cycle counts come from.
        sums_along_rows: whether a sum flows down the rows of the array, so that products are summed in chains
            of that length and the chain sums meet in the output buffer.
        schedule: closed form.
    """

    name: str
    description: str
    source: str
    sums_along_rows: bool
    schedule: Callable[[Run], Schedule] = field(repr=False)


def dataflow_names() -> list[str]:
    """Return the names of all dataflows, sorted."""
    modules = pkgutil.iter_modules(simhw.arrays.__path__)
    return sorted(module.name for module in modules if module.name.endswith("_stationary"))


@cache
def get_dataflow(name: str) -> Dataflow:
    """Return the dataflow called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    if name not in dataflow_names():
        raise unknown_name("dataflow", name, dataflow_names())
    found = importlib.import_module(f"simhw.arrays.{name}").DATAFLOW
    assert isinstance(found, Dataflow)
    return found


def schedule(
    gemm: Gemm,
    *,
    dataflow: str,
    rows: int,
    columns: int,
    overlap: Overlap = Overlap.PER_FOLD,
    passes: int = 1,
    lanes: int = 1,
    activation_stays: bool = False,
    dequantization: Dequantization = Dequantization.NONE,
    dequantizers: Dequantizers | int = Dequantizers.PER_COLUMN,
    group_size: int | None = None,
    output_registers: int = 0,
) -> Schedule:
    """Return what ``gemm`` takes on an array of ``rows`` x ``columns`` PEs.

    Sizes may be arrays (see ``simhw.arrays.base``): one call then schedules many layers on many arrays.

    >>> found = schedule(Gemm(m=[128, 1], n=768, k=768), dataflow="output_stationary", rows=32, columns=32)
    >>> found.compute_cycles.tolist()
    [79680, 19920]

    Args:
        gemm: sizes.
        dataflow: entry name (see ``simhw list dataflows``).
        rows: of the array.
        columns: of the array.
        overlap: convention for fill, drain and loads.
        passes: cycles of one multiply-accumulate, or of ``lanes`` of them (the numerator of
            ``ProcessingElement.cycles_per_product``).
        lanes: multiply-accumulates that a PE takes at once and sums (its denominator).
        activation_stays: whether an activation is read once for all passes (``ProcessingElement.activation_stays``).
        dequantization: where scales meet the numbers (``ProcessingElement.dequantization``).
        dequantizers: how many there are (``ProcessingElement.dequantizers``), or a number of them, which columns
            share (see ``simhw.arrays.stalls``).
        group_size: length of a group along k; None: all of k.
        output_registers: registers that a finished sum passes between its PE and the output, as in the dequantizer
            of its column. A sum takes a cycle for each. The PEs go on meanwhile, so that the cycles are exposed once
            per GEMM, and in every fold where nothing overlaps.

    Raises:
        InputError: an unknown dataflow, a size below 1 (registers: below 0), a group longer than k, more
            dequantizers than columns, arrays of sizes that do not broadcast, or counts beyond int64.
    """
    found = get_dataflow(dataflow)
    rows, columns, passes = as_size("rows", rows), as_size("columns", columns), as_size("passes", passes)
    lanes = as_size("lanes", lanes)
    check_choice("overlap", overlap, Overlap)
    check_choice("dequantization", dequantization, Dequantization)
    check_registers(output_registers)
    grouping = Grouping(dequantization=dequantization, dequantizers=dequantizers, group_size=group_size)
    grouping.check_columns(columns)
    packed, packed_grouping = pack(gemm, grouping, lanes)
    run = Run(
        gemm=packed,
        dataflow=dataflow,
        rows=rows,
        columns=columns,
        overlap=overlap,
        passes=passes,
        grouping=packed_grouping,
        output_registers=output_registers,
    )
    sizes = {"m": gemm.m, "n": gemm.n, "k": packed.k, "batch": gemm.batch, "rows": rows, "columns": columns}
    sizes |= {"passes": passes, "group_size": 1 if grouping.group_size is None else grouping.group_size}
    alone = all(isinstance(size, int) for size in sizes.values())
    result = found.schedule(run) if alone else schedule_many(run, found.schedule, common_shape(**sizes))
    if activation_stays:
        result = replace(result, sram_activation_reads=result.sram_activation_reads // passes)
    return result if type(lanes) is int and lanes == 1 else unpack(result, gemm, packed.k, lanes, passes)
