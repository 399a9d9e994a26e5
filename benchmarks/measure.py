"""Side by side in one process, in turn, on one thread: what all benchmarks share.

Import it before NumPy: it takes settings away that slow BLAS, the yardstick, down.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "SIMHW_THREADS"):
    os.environ[_name] = "1"

import numpy as np

ROUNDS = 7
LEAST_SECONDS = 0.01
"""Calls of one turn last at least this long together."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One kernel at one size.

    Attributes:
        kernel: what was run.
        size: of the operands.
        speed: 1e9 multiply-accumulates (or elements) per second of CPU time.
        ratio: speed over that of the limit measured beside it.
        goal: what ``ratio`` should reach; 0 where there is none.
        path: the planner's choice.
        peers: speed over that of other libraries.
    """

    kernel: str
    size: str
    speed: float
    ratio: float
    goal: float = 0.0
    path: str = ""
    peers: dict[str, float] = field(default_factory=dict)


def cpu_seconds(work: Callable[[], object], least: float = LEAST_SECONDS) -> float:
    """Return the CPU time of one call, from as many as last ``least`` seconds together."""
    calls = 0
    start = time.process_time()
    while (spent := time.process_time() - start) < least or not calls:
        work()
        calls += 1
    return spent / calls


def compare(
    limit: Callable[[], object], contenders: dict[str, Callable[[], object]], rounds: int = ROUNDS
) -> dict[str, tuple[float, float]]:
    """Return each contender's median CPU time, and the median ratio of the limit's time, taken just before, to it."""
    for run in (limit, *contenders.values()):
        run()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            yardstick = cpu_seconds(limit)
            spent = cpu_seconds(run)
            taken[name].append((spent, yardstick / spent))
    return {
        name: (statistics.median(spent for spent, _ in runs), statistics.median(ratio for _, ratio in runs))
        for name, runs in taken.items()
    }


def sgemm(m: int, n: int, k: int) -> Callable[[], Any]:
    """Return the yardstick: NumPy's product of float32 matrices."""
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n)))
    return lambda: left @ right


def machine() -> str:
    """Return the processor and the BLAS kernel that NumPy runs."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return f"{platform.machine()}, BLAS unknown (pip install threadpoolctl)"
    found = [entry for entry in threadpool_info() if entry.get("internal_api") == "openblas"]
    blas = ", ".join(sorted({f"OpenBLAS {entry['version']} {entry['architecture']}" for entry in found}))
    return f"{platform.machine()}, {blas or 'not OpenBLAS'}, vectors of {_vector_bits()} bits"


def _vector_bits() -> int:
    from simhw.kernel import vector_bytes

    return 8 * vector_bytes()


def markdown(title: str, limit: str, rows: list[Row]) -> str:
    """Return a table."""
    lines = [f"### {title}", "", f"| kernel | size | G/s | of {limit} | goal | kernel that ran | times as fast as |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        goal = f">= {row.goal:.2f}" if row.goal else ""
        peers = ", ".join(f"{name} {ratio:,.3g}" for name, ratio in row.peers.items())
        path = f"`{row.path}`" if row.path else ""
        lines.append(f"| {row.kernel} | {row.size} | {row.speed:.3g} | {row.ratio:.3f} | {goal} | {path} | {peers} |")
    return "\n".join([*lines, ""])
