"""Weights whose products take cycles of their own: the exact time of a GEMM from the weights themselves.

A PE that takes its weights term by term needs as many cycles for a product as its weight has terms. The columns of an
array stay in lockstep, because an activation passes through all of them: one element of k takes the cycles of the
slowest weight among the columns of its fold. So a fold of columns takes S = sum over k of that largest count, where
a PE of one cycle takes k, and everything that holds for a GEMM of depth k holds for one of depth S:

* output-stationary, S is the length of the fold's stream;
* weight-stationary, S rows hold its terms, one each (as passes of a weight occupy rows);
* input-stationary, weights stream, so the largest count of all outputs decides for each element of k.

An activation enters once and stays in the PE while the terms of its products pass.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.arrays.base import Gemm, Overlap, Schedule
from simhw.arrays.dataflow import schedule
from simhw.errors import InputError
from simhw.pes import Dequantization


def fold_steps(weight_cycles: NDArray[Any], columns: int) -> NDArray[np.int64]:
    """Return the cycles of one stream of k for each fold of columns; ``(batch, n, k)`` counts -> ``(batch, folds)``.

    >>> fold_steps(np.array([[[1, 4], [2, 1], [3, 3]]]), 2)
    array([[6, 6]])
    """
    starts = np.arange(0, weight_cycles.shape[1], columns)
    slowest = np.maximum.reduceat(weight_cycles, starts, axis=1)
    return np.asarray(slowest.sum(axis=2, dtype=np.int64))


def schedule_serial(
    gemm: Gemm,
    weight_cycles: NDArray[Any],
    *,
    dataflow: str,
    rows: int,
    columns: int,
    overlap: Overlap = Overlap.PER_FOLD,
    dequantization: Dequantization = Dequantization.NONE,
) -> Schedule:
    """Return what ``gemm`` takes where each product takes the cycles of its weight.

    Args:
        gemm: sizes, one GEMM.
        weight_cycles: ``(batch, n, k)`` cycles of one product with each weight, at least 1.
        dataflow: entry name.
        rows: of the array.
        columns: of the array.
        overlap: convention for fill, drain and loads.
        dequantization: where scales meet the numbers; not after groups.

    Raises:
        InputError: counts of another shape, groups, or what ``schedule`` refuses.
    """
    if weight_cycles.shape != (gemm.batch, gemm.n, gemm.k):
        raise InputError(
            f"weight_cycles have shape {weight_cycles.shape}, must be {(gemm.batch, gemm.n, gemm.k)} as the weights"
        )
    if dequantization is Dequantization.AFTER_GROUP:
        raise InputError("serial weights were given groups of k, they have none; dequantize after accumulation")
    settings: dict[str, Any] = {"dataflow": dataflow, "rows": rows, "columns": columns, "overlap": overlap}
    base = schedule(gemm, dequantization=dequantization, **settings)
    held = dataflow == "input_stationary"
    across = gemm.n if held else columns
    steps = fold_steps(weight_cycles, across).reshape(-1)
    widths = np.tile(np.minimum(across, gemm.n - np.arange(0, gemm.n, across)), gemm.batch)
    one, two = (schedule(Gemm.many(m=gemm.m, n=widths, k=steps, batch=batch), **settings) for batch in (1, 2))
    following: Any = np.asarray(two.compute_cycles) - one.compute_cycles  # of a fold behind another one
    first: Any = np.asarray(one.compute_cycles)[0]
    cycles = int(first + following[1:].sum())
    deepest = schedule(replace(gemm, k=int(steps.max())), **settings)
    work = gemm.m * int(weight_cycles.sum(dtype=np.int64))
    return replace(
        base,
        folds=int(np.sum(one.folds)),
        cycles_per_fold=int(np.asarray(one.cycles_per_fold)[0]),
        compute_cycles=cycles,
        utilization=work / (cycles * rows * columns),
        sram_output_writes=int(np.sum(one.sram_output_writes)),
        sram_output_reads=int(np.sum(one.sram_output_reads)),
        summation_chunk=deepest.summation_chunk,
        summation_order=deepest.summation_order,
    )
