"""Row ranges of a batch of matrices on a pool of threads: kernels release the GIL, results do not depend on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def thread_count() -> int:
    """Return the number of threads: ``SIMHW_THREADS``, else the processors this process may use."""
    given = os.environ.get("SIMHW_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="simhw")


def over_rows(work: Callable[[int, int, int], None], batch: int, rows: int, step: int = 4) -> None:
    """Call ``work(batch_index, first_row, last_row)`` so that every row of every matrix is covered once.

    Ranges are multiples of ``step`` rows, so that every thread runs the kernel's full-width path.
    """
    threads = thread_count()
    pieces = max(1, min(-(-threads // batch), rows // step))
    size = -(-rows // (pieces * step)) * step
    tasks = [(i, r, min(r + size, rows)) for i in range(batch) for r in range(0, rows, size)]
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            work(*task)
        return
    for done in [_pool(threads).submit(work, *task) for task in tasks]:
        done.result()
