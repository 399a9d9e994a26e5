"""The event-accurate model of an array: every word on its lane in its cycle, no formula.

It answers what ``schedule`` answers for one GEMM, in time proportional to the words that move. The two agree,
for every dataflow, convention and grouping (tested); it is what a closed form is judged by.
"""

from __future__ import annotations

from dataclasses import dataclass

from simhw.arrays.base import Gemm, Overlap, check_choice, check_positive, check_registers
from simhw.arrays.dataflow import get_dataflow
from simhw.arrays.dequantize import Grouping
from simhw.errors import InputError
from simhw.pes import Dequantization, Dequantizers

MOST_EVENTS = 2**36
"""Words of a run; more would take minutes."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What was counted; the names are those of ``Schedule``."""

    cycles: int
    folds: int
    utilization: float
    sram_activation_reads: int
    sram_weight_reads: int
    sram_output_writes: int
    sram_output_reads: int


def walk(
    gemm: Gemm,
    *,
    dataflow: str,
    rows: int,
    columns: int,
    overlap: Overlap = Overlap.PER_FOLD,
    passes: int = 1,
    dequantization: Dequantization = Dequantization.NONE,
    dequantizers: Dequantizers | int = Dequantizers.PER_COLUMN,
    group_size: int | None = None,
    output_registers: int = 0,
) -> Walk:
    """Return what an array does with ``gemm``, event by event; arguments as ``schedule``, one GEMM only.

    Raises:
        InputError: as ``schedule``, or sizes that are arrays, or more than ``MOST_EVENTS`` words.
    """
    get_dataflow(dataflow)
    for what, value in (
        ("gemm m", gemm.m),
        ("gemm n", gemm.n),
        ("gemm k", gemm.k),
        ("gemm batch", gemm.batch),
        ("rows", rows),
        ("columns", columns),
        ("passes", passes),
    ):
        check_positive(what, value)
    check_choice("overlap", overlap, Overlap)
    check_registers(output_registers)
    grouping = Grouping(dequantization=dequantization, dequantizers=dequantizers, group_size=group_size)
    grouping.check_columns(columns)
    length, whole, last = grouping.lengths(gemm.k)
    if gemm.macs * passes // min(rows, columns) > MOST_EVENTS:
        raise InputError(
            f"{gemm} on {rows} x {columns} PEs moves more than {MOST_EVENTS} words, the event model takes them "
            "one by one; use schedule()"
        )
    convention = list(Overlap).index(overlap)
    from simhw.arrays import event_kernels

    before = grouping.dequantization is Dequantization.BEFORE_MULTIPLY
    if dataflow == "output_stationary":
        queued = grouping.after_group and dequantizers is not Dequantizers.PER_BLOCK
        group = length if grouping.after_group else gemm.k
        spacing = max(passes, grouping.share(columns)) if before else passes
        counts = event_kernels.output_stationary(
            gemm.m,
            gemm.n,
            gemm.k,
            gemm.batch,
            rows,
            columns,
            passes,
            convention,
            group,
            grouping.share(columns) if queued else 0,
            spacing,
            output_registers,
        )
        activation_reads, weight_reads = counts[2], counts[3]
    else:
        import numpy as np

        pieces = [length] * whole + [last] if grouping.after_group else [gemm.k]
        held_weights = dataflow == "weight_stationary"
        stream, across = (gemm.m, gemm.n) if held_weights else (gemm.n, gemm.m)
        spacing = grouping.share(rows) if before and not held_weights else 1
        counts = event_kernels.chained(
            stream,
            across,
            np.array(pieces, np.int64),
            gemm.batch,
            rows,
            columns,
            passes,
            convention,
            grouping.share(columns) if before and held_weights else 1,
            spacing,
            grouping.share(columns) if grouping.after_group else spacing,
            output_registers,
        )
        # each slice of a weight goes to a row of its own: together they are one word
        activation_reads = counts[2] if held_weights else counts[3]
        weight_reads = (counts[3] if held_weights else counts[2]) // passes
    assert counts[0] > 0, "two words met on one lane"
    return Walk(
        cycles=int(counts[0]),
        folds=int(counts[1]),
        utilization=int(counts[6]) / (int(counts[0]) * rows * columns),
        sram_activation_reads=int(activation_reads),
        sram_weight_reads=int(weight_reads),
        sram_output_writes=int(counts[4]),
        sram_output_reads=int(counts[5]),
    )
