"""Weight-stationary dataflow: each PE keeps one weight; activations enter from the left, sums flow down.

A fold holds ``rows`` consecutive k of ``columns`` outputs. Its weights are shifted down into place in
``rows`` cycles, last row first, then m rows of activations stream through; row i leaves column c at the foot
i + rows - 1 + c cycles after the stream began. So a fold takes rows + (rows - 1) + m + (columns - 1) cycles,
and none of it overlaps within the fold. With a second weight register in each PE the next weights are shifted
down behind the front of the running stream; the next fold streams at once, but not before they are in place.

Partial sums of different folds meet in the output buffer: every fold writes them, every fold but the first
reads them back. Where dequantization follows the group, a fold never crosses the end of a group, because
its partial sum must belong to one scale: a group of g elements takes ceil(g / rows) folds, and g < rows
leaves rows idle.

An operand that takes several passes occupies several rows (one for each slice of the weight), and its
activation is streamed to each of them.
"""

from __future__ import annotations

from simhw.arrays.base import Schedule, ceil_div
from simhw.arrays.dataflow import Dataflow, Run
from simhw.arrays.stalls import chained_cycles


def _schedule(run: Run) -> Schedule:
    gemm = run.gemm
    k_folds = run.k_folds()
    column_folds = ceil_div(gemm.n, run.columns)
    folds = k_folds * column_folds * gemm.batch
    compute, stalls = chained_cycles(run, stream=gemm.m, across=gemm.n, folds=folds)
    outputs = gemm.batch * gemm.m * gemm.n
    return run.finish(
        folds=folds,
        cycles_per_fold=gemm.m + 2 * run.rows + run.columns - 2,
        compute_cycles=compute,
        dequantize_stall_cycles=stalls,
        sram_activation_reads=gemm.batch * gemm.m * gemm.k * run.passes * column_folds,
        sram_weight_reads=gemm.batch * gemm.k * gemm.n,
        sram_output_writes=outputs * k_folds,
        sram_output_reads=outputs * (k_folds - 1),
        activation_streams=column_folds,
        weight_streams=1,
        **run.chains(k_folds),
    )


DATAFLOW = Dataflow(
    name="weight_stationary",
    description="each PE keeps one weight, activations stream past it and partial sums flow down",
    source="N. P. Jouppi et al., the TPU, ISCA 2017; cycles as in SCALE-Sim, ISPASS 2020",
    sums_along_rows=True,
    schedule=_schedule,
)
