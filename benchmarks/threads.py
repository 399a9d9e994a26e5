"""What a second thread brings: wall time of one against that of two.

Run with ``python -m benchmarks.threads``, on a machine with nothing else to do.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.measure import ROUNDS, Row, machine, markdown  # isort: skip  (before NumPy)

from benchmarks.gemm import KERNELS, operands
from simhw.gemm.engine import multiply

SIZE = 1024
NAMES = ("int8 x int8 exact", "MXFP4 block dots", "FP8 with sequential fp32", "Hopper FP8")
GOAL = 1.8


def rows(rounds: int = ROUNDS, size: int = SIZE) -> Iterator[Row]:
    """Yield one row per kernel; the ratio is that of wall times."""
    for name, datapath, group, _ in KERNELS:
        if name in NAMES:
            a, b = operands(datapath, size, size, size, group)
            run = partial(multiply, a, b, datapath)
            seconds: dict[str, list[float]] = {threads: [] for threads in "12"}
            for turn in range(rounds + 1):
                for threads, taken in seconds.items():
                    os.environ["SIMHW_THREADS"] = threads
                    spent = _wall_seconds(run)
                    if turn:
                        taken.append(spent)
            os.environ["SIMHW_THREADS"] = "1"
            one, two = (statistics.median(taken) for taken in seconds.values())
            yield Row(
                kernel=name, size=" x ".join([str(size)] * 3), speed=size**3 / two / 1e9, ratio=one / two, goal=GOAL
            )


def _wall_seconds(work: Callable[[], object]) -> float:
    start, calls = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < 0.05:
        work()
        calls += 1
    return spent / calls


def main() -> None:
    """Print the table."""
    print(markdown(f"Two threads ({machine()})", "one thread", list(rows())))


if __name__ == "__main__":
    main()
