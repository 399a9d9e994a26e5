"""Input-stationary dataflow: each PE keeps one activation; weights enter from the left, sums flow down.

It is the weight-stationary array with the operands exchanged. A fold holds ``rows`` consecutive k of
``columns`` rows of activations. They are shifted down into place in ``rows`` cycles, then n columns of weights
stream through, so a fold takes rows + (rows - 1) + n + (columns - 1) cycles. With a second activation
register in each PE the next activations are shifted down behind the front of the running stream.

Partial sums of different folds along k meet in the output buffer, as in the weight-stationary array, and a
fold never crosses the end of a group where dequantization follows the group.

An operand that takes several passes occupies several rows: the activation is loaded into each of them, and
each row sees its own slice of the weights.
"""

from __future__ import annotations

from simhw.arrays.base import Schedule, ceil_div
from simhw.arrays.dataflow import Dataflow, Run
from simhw.arrays.stalls import chained_cycles


def _schedule(run: Run) -> Schedule:
    gemm = run.gemm
    k_folds = run.k_folds()
    column_folds = ceil_div(gemm.m, run.columns)
    folds = k_folds * column_folds * gemm.batch
    compute, stalls = chained_cycles(run, stream=gemm.n, across=gemm.m, folds=folds)
    outputs = gemm.batch * gemm.m * gemm.n
    return run.finish(
        folds=folds,
        cycles_per_fold=gemm.n + 2 * run.rows + run.columns - 2,
        compute_cycles=compute,
        dequantize_stall_cycles=stalls,
        sram_activation_reads=gemm.batch * gemm.m * gemm.k * run.passes,
        sram_weight_reads=gemm.batch * gemm.k * gemm.n * column_folds,
        sram_output_writes=outputs * k_folds,
        sram_output_reads=outputs * (k_folds - 1),
        activation_streams=1,
        weight_streams=column_folds,
        **run.chains(k_folds),
    )


DATAFLOW = Dataflow(
    name="input_stationary",
    description="each PE keeps one activation, weights stream past it and partial sums flow down",
    source="A. Samajdar et al., SCALE-Sim, ISPASS 2020",
    sums_along_rows=True,
    schedule=_schedule,
)
