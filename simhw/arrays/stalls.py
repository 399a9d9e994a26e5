"""How long an array waits for its dequantizers: one rule for every place of dequantization and every dataflow.

A dequantizer takes one value per cycle. The values meet it on lanes: before the multiplier on the lanes on which
weights enter (columns; input-stationary: rows), after the group on the columns on which sums leave. With one on each
lane (``Dequantizers.PER_COLUMN``) the share s is 1; D dequantizers for L lanes serve s = ceil(L / D) neighbouring
lanes each, and s lanes take s cycles for what one would take in one:

=================== ================================================================================================
before multiply     output-stationary: an element of k enters every max(passes, s) cycles
                    weight-stationary: a row of weights is loaded every s cycles, a fold's load takes rows s
                    input-stationary: a weight streams every s cycles
in the PE           never: every PE has its own
after group         output-stationary: a group's sums of a column appear in R consecutive cycles and take R s; a group
                    of l cycles that follows another one waits max(0, R s - l). The last sums of a fold are finished
                    as long after it as the shared queue takes
                    weight- and input-stationary: in the folds that end a group, a row of sums leaves every s cycles
after accumulation  never: finished outputs are scaled by the vector unit
=================== ================================================================================================

Sums that wait stand in a queue before their dequantizer. Output-stationary, row 0 finishes the next group its length
of cycles after the last; where that is sooner than the queue is empty, the streams pause before it (a bubble that
travels with the skew). The first group after an idle array follows none; a ragged last group counts with its own,
shorter length. Dequantizers of their own for each block never stall. ``Overlap.ONCE`` charges loads that are slower
than the stream where dequantizers are shared, and not otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simhw.arrays.base import Overlap, ceil_div, choose, larger
from simhw.pes import Dequantization, Dequantizers

if TYPE_CHECKING:
    from simhw.arrays.dataflow import Run


def output_stationary_stalls(run: Run, folds: int) -> int:
    """Return the stall cycles of an output-stationary array over all ``folds`` (derivation in the module)."""
    grouping, rows = run.grouping, run.rows
    share = grouping.share(run.columns)
    if grouping.dequantization is Dequantization.BEFORE_MULTIPLY:
        return _slow_entry(run, folds, larger(run.passes, share))
    if not grouping.after_group or grouping.dequantizers is Dequantizers.PER_BLOCK:
        return 0
    busy = rows * share
    length, whole, last = grouping.lengths(run.gemm.k)
    waits_whole = larger(0, busy - length * run.passes)
    waits_last = larger(0, busy - last * run.passes)
    first = choose(whole > 0, waits_whole, waits_last)
    inside = whole * waits_whole + waits_last - first
    behind = queue_behind(rows, run.columns, share)
    if run.overlap in (Overlap.NONE, Overlap.PER_FOLD):
        return folds * (inside + behind)
    # A short double-buffered fold waits for its outputs anyway: that part is compute, not a stall.
    already = larger(0, rows - run.gemm.k * run.passes) if run.overlap is Overlap.DOUBLE_BUFFERED else 0
    return folds * inside + (folds - 1) * (first - already) + behind


def queue_behind(rows: int, columns: int, share: int) -> int:
    """Return the cycles from the last sum of a fold to the last that leaves a shared dequantizer.

    Dequantizer u serves columns u s to u s + w - 1; the first sum comes in cycle u s, and then one leaves per cycle.
    """
    whole, rest = columns // share, columns % share
    last_whole = (whole - 1) * share + rows * share
    last_rest = choose(np.greater(rest, 0) if np.ndim(rest) else bool(rest > 0), whole * share + rows * rest, 0)
    return larger(last_whole, last_rest) - (rows + columns - 1)


def _slow_entry(run: Run, folds: int, passes: int) -> int:
    """Return what elements that enter every ``passes`` cycles cost beyond those of ``run.passes``."""
    more = run.gemm.k * (passes - run.passes)
    if run.overlap is not Overlap.DOUBLE_BUFFERED:
        return folds * more
    stream = run.gemm.k * run.passes
    return (folds - 1) * (larger(stream + more, run.rows) - larger(stream, run.rows)) + more


def chained_cycles(run: Run, *, stream: int, across: int, folds: int) -> tuple[int, int]:
    """Return (compute cycles, stall cycles) of an array whose sums flow down its rows.

    Args:
        run: the GEMM on the array.
        stream: rows (columns) of the operand that streams past the one that is held.
        across: rows (columns) of the operand that is held, side by side in the columns.
        folds: over the whole batch.
    """
    plain = _sequence(run, stream, stream, run.rows, 0, folds)
    share = run.grouping.share(run.columns)
    held_weights = run.dataflow == "weight_stationary"
    match run.grouping.dequantization:
        case Dequantization.BEFORE_MULTIPLY if held_weights:
            slow = _sequence(run, stream, stream, run.rows * share, 0, folds)
        case Dequantization.BEFORE_MULTIPLY:
            slow = _sequence(run, stream, stream * run.grouping.share(run.rows), run.rows, folds, folds)
        case Dequantization.AFTER_GROUP if run.grouping.dequantizers is not Dequantizers.PER_BLOCK:
            groups = run.grouping.lengths(run.gemm.k)[1] + 1
            ends = run.gemm.batch * ceil_div(across, run.columns) * groups
            slow = _sequence(run, stream, stream * share, run.rows, ends, folds)
        case _:
            return plain, 0
    return plain, slow - plain


def _sequence(run: Run, stream: int, slow_stream: int, load: int, slow_folds: int, folds: int) -> int:
    """Return the cycles of ``folds``, of which ``slow_folds`` (the last among them) stream longer."""
    streams = (folds - slow_folds) * stream + slow_folds * slow_stream
    fill = load + run.rows + run.columns - 2
    last = choose(np.greater(slow_folds, 0) if np.ndim(slow_folds) else bool(slow_folds > 0), slow_stream, stream)
    match run.overlap:
        case Overlap.NONE | Overlap.PER_FOLD:
            return streams + folds * fill
        case Overlap.DOUBLE_BUFFERED:
            floor: Any = load
        case Overlap.ONCE:
            shared = load != run.rows if type(load) is int and type(run.rows) is int else np.not_equal(load, run.rows)
            floor = choose(shared, load, 0)
    slow_before = larger(slow_folds - 1, 0)
    before = (folds - 1 - slow_before) * larger(stream, floor) + slow_before * larger(slow_stream, floor)
    return before + last + fill
