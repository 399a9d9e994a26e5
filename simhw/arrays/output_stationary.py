"""Output-stationary dataflow: each PE keeps one output; activations enter from the left, weights from above.

PE (r, c) multiplies element k of row r and column c in cycle k + r + c (the skew), so a fold of ``rows`` x
``columns`` outputs is complete after k + rows + columns - 2 cycles. Its outputs leave over one bus per
column, in the cycle in which they are complete: that is SCALE-Sim's convention and hides the drain. Where
nothing overlaps, they leave afterwards, in ``rows`` cycles more. With a second accumulator in each PE the
next fold streams at once; a column's bus then takes ``rows`` outputs per fold, so a fold takes at least
``rows`` cycles. (The circuit in ``simhw.rtl.arrays`` does so without a second accumulator: a sum leaves in the
cycle in which it is complete, which is the one before the next sum replaces it.)
"""

from __future__ import annotations

from simhw.arrays.base import Overlap, Schedule, ceil_div, larger
from simhw.arrays.dataflow import ONE_CHAIN, Dataflow, Run
from simhw.arrays.stalls import output_stationary_stalls


def _schedule(run: Run) -> Schedule:
    gemm = run.gemm
    stream = gemm.k * run.passes
    row_folds, column_folds = ceil_div(gemm.m, run.rows), ceil_div(gemm.n, run.columns)
    folds = row_folds * column_folds * gemm.batch
    fill = run.rows + run.columns - 2
    match run.overlap:
        case Overlap.NONE:
            per_fold = stream + fill + run.rows
            compute = folds * per_fold
        case Overlap.PER_FOLD:
            per_fold = stream + fill
            compute = folds * per_fold
        case Overlap.DOUBLE_BUFFERED:
            per_fold = stream + fill
            compute = (folds - 1) * larger(stream, run.rows) + per_fold
        case Overlap.ONCE:
            per_fold = stream + fill
            compute = folds * stream + fill
    stalls = output_stationary_stalls(run, folds)
    outputs = gemm.batch * gemm.m * gemm.n
    return run.finish(
        folds=folds,
        cycles_per_fold=per_fold,
        compute_cycles=compute,
        dequantize_stall_cycles=stalls,
        sram_activation_reads=gemm.batch * gemm.m * stream * column_folds,
        sram_weight_reads=gemm.batch * gemm.k * gemm.n * row_folds,
        sram_output_writes=outputs,
        sram_output_reads=0,
        activation_streams=column_folds,
        weight_streams=row_folds,
        **ONE_CHAIN,
    )


DATAFLOW = Dataflow(
    name="output_stationary",
    description="each PE keeps one output, activations and weights stream past it",
    source="H. T. Kung, Why systolic architectures?, 1982; cycles as in SCALE-Sim, ISPASS 2020",
    sums_along_rows=False,
    schedule=_schedule,
)
