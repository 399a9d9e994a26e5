"""Closed forms over arrays of sizes: the same formulas, with int64 overflow excluded beforehand.

A closed form is written once, for Python's integers, which never overflow. On int64 arrays it would wrap
silently; so an upper bound of every intermediate product is computed first, from the largest and smallest
sizes as Python integers. Where the bound fits, the formulas run in int64. Where it does not, they run on
arrays of Python integers: exact and slow, and the counts then either fit or are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from simhw.arrays.base import MOST_CYCLES, Gemm, Schedule
from simhw.errors import InputError

if TYPE_CHECKING:
    from simhw.arrays.dataflow import Run

_COUNTS = (*(field.name for field in fields(Schedule) if field.type == "int"), "summation_chunk")


def schedule_many(run: Run, closed_form: Callable[[Run], Schedule], shape: tuple[int, ...]) -> Schedule:
    """Return the schedule of many GEMMs or arrays at once; every count has the common ``shape``.

    Raises:
        InputError: a count exceeds int64.
    """
    found = closed_form(run if _bound(run) <= MOST_CYCLES else _exact(run))
    counts = {name: _spread(getattr(found, name), shape, np.int64) for name in _COUNTS}
    return replace(found, **counts, utilization=_spread(found.utilization, shape, np.float64))


def refuse_overflow(gemm: Gemm, rows: int, columns: int, cycles: int, *counts: Any) -> None:
    """Refuse counts beyond int64.

    Raises:
        InputError: one of ``counts`` exceeds ``MOST_CYCLES``.
    """
    if type(cycles) is not int:
        if not any(isinstance(count, np.ndarray) and count.dtype == object for count in counts):
            return  # the bound has excluded it
        largest = np.maximum.reduce([np.broadcast_to(count, np.shape(cycles)) for count in counts])
        if largest.max() <= MOST_CYCLES:
            return
        where = np.unravel_index(int(largest.argmax()), largest.shape)
        sizes = (gemm.m, gemm.n, gemm.k, gemm.batch, rows, columns, cycles)
        m, n, k, batch, rows, columns, cycles = (int(np.broadcast_to(s, largest.shape)[where]) for s in sizes)
        gemm = Gemm(m=m, n=n, k=k, batch=batch)
    elif max(counts) <= MOST_CYCLES:
        return
    raise InputError(
        f"{gemm} on {rows} x {columns} PEs takes {cycles} cycles, "
        "counts of words and PE cycles end at 2**63 - 1; split the GEMM"
    )


def _bound(run: Run) -> int:
    """Return a number that no intermediate product of a closed form exceeds."""
    gemm, group = run.gemm, run.grouping.group_size

    def most(size: Any) -> int:
        return int(np.max(size))

    def ceiling(size: Any, step: Any) -> int:
        return -(-most(size) // int(np.min(step)))

    m, n, k, batch, passes = (most(size) for size in (gemm.m, gemm.n, gemm.k, gemm.batch, run.passes))
    rows, columns = most(run.rows), most(run.columns)
    groups = 1 if group is None else ceiling(k, group)
    along_k = groups + ceiling(k * passes, run.rows)
    across_m = max(ceiling(m, run.rows), ceiling(m, run.columns))
    across_n = ceiling(n, run.columns)
    folds = batch * max(across_m * across_n, along_k * max(across_m, across_n))
    share = columns if isinstance(run.grouping.dequantizers, int) else 1
    per_fold = max(m, n, k * passes) * max(share, rows if share > 1 else 1) + (groups + 3) * rows * share + columns
    words = batch * passes * max(m * k * across_n, k * n * across_m, m * n * along_k, m * n * k)
    return max(folds * per_fold * rows * columns, words)


def _exact(run: Run) -> Run:
    """Return the same run with every size as an array of Python integers."""

    def python(size: Any) -> Any:
        return np.asarray(size).astype(object)

    gemm = Gemm.__new__(Gemm)
    for name in ("m", "n", "k", "batch"):
        object.__setattr__(gemm, name, python(getattr(run.gemm, name)))
    return replace(run, gemm=gemm, rows=python(run.rows), columns=python(run.columns), passes=python(run.passes))


def _spread(value: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    if value is None:
        return None
    found = np.broadcast_to(np.asarray(value, dtype=dtype), shape)
    found.flags.writeable = False
    return found
