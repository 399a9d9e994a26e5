"""How fast bit-accurate GEMMs are, beside sgemm and beside other emulators.

Run with ``python -m benchmarks.gemm``. Every kernel runs once per round, in turn with sgemm, on one thread; a figure is
the median over the rounds of the ratio of CPU times. "sums" are codes in, accumulator results out (decoding and
planning included); "layer" is the whole GEMM of a network's layer with scales and output rounding.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)  # they would slow the yardstick down
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["SIMHW_THREADS"] = "1"

import numpy as np
import torch

from simhw.formats import get_element_format
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.engine import multiply
from simhw.gemm.operand import Operand

ROUNDS = 7
SIZES = ((256, 256, 256), (1024, 1024, 1024), (1000, 777, 1111))


@dataclass(frozen=True, kw_only=True)
class GemmRow:
    """One kernel at one size.

    Attributes:
        kernel: what was run.
        m, n, k: size.
        ratio: speed over that of sgemm.
        goal: what ``ratio`` should reach; 0 where there is none.
        path: the planner's choice.
    """

    kernel: str
    m: int
    n: int
    k: int
    ratio: float
    goal: float
    path: str


def operand(name: str, rows: int, k: int, group: int | None = None, zero: bool = False) -> Operand:
    """Return random codes of a format with unit scales; floats keep clear of infinities and NaN."""
    rng = np.random.default_rng(rows + k)
    form = get_element_format(name)
    if form.has_nan or form.has_infinity:
        from simhw.formats import encode

        codes = encode(rng.standard_normal((1, rows, k)).astype(np.float32), form)
    else:
        codes = rng.integers(0, form.code_count, (1, rows, k)).astype(form.code_dtype)
    groups = -(-k // group) if group else 1
    return Operand(
        codes=codes,
        format=name,
        group_size=group,
        group_scale=np.ones((1, rows, groups), np.float32) if group else None,
        zero_point=rng.integers(0, 16, (1, rows, groups)).astype(np.int32) if zero else None,
    )


KERNELS = (
    ("int8 x int8 exact", "w8a8_int8", None, 3.0),
    ("uint4 x int8 MixPE, groups of 128", "w4a8_mixpe", 128, 1.0),
    ("MXFP4 block dots", "mxfp4", 32, 0.5),
    ("NVFP4 block dots", "nvfp4", 16, 0.5),
    ("MXFP8 block dots", "mxfp8", 32, 0.0),
    ("FP8 with sequential fp32", "fp8_e4m3_fp32", None, 0.75),
    ("fp16 with sequential fp32", "fp16", None, 0.75),
    ("Hopper FP8", "hopper_e4m3_fp32", None, 0.18),
    ("Hopper fp16", "hopper_fp16_fp32", None, 0.18),
    ("Blackwell FP8", "blackwell_e4m3_fp32", None, 0.18),
    ("fp16 x uint4 MixPE, groups of 128", "w4a16_mixpe", 128, 0.0),
)


def rows(rounds: int = ROUNDS, sizes: tuple[tuple[int, int, int], ...] = SIZES) -> Iterator[GemmRow]:
    """Yield one row per kernel and size."""
    torch.set_num_threads(1)
    for m, n, k in sizes:
        x = np.random.default_rng(0).standard_normal((m, k)).astype(np.float32)
        y = np.random.default_rng(1).standard_normal((k, n)).astype(np.float32)
        for label, name, group, goal in KERNELS:
            datapath = get_datapath(name)
            a, b = _operands(datapath, m, n, k, group)
            path = multiply(a, b, datapath).plan.kernel
            ratio = _ratio(partial(np.matmul, x, y), partial(multiply, a, b, datapath), rounds)
            yield GemmRow(kernel=label, m=m, n=n, k=k, ratio=ratio, goal=goal, path=path)


def _operands(datapath: Datapath, m: int, n: int, k: int, group: int | None) -> tuple[Operand, Operand]:
    both = group if group is not None and group < 128 else None
    zero = datapath.weight == "uint4"
    return operand(datapath.activation, m, k, both), operand(datapath.weight, n, k, group, zero)


def _ratio(yardstick: Callable[[], object], contender: Callable[[], object], rounds: int) -> float:
    """Return the median of CPU-time ratios of runs that follow each other."""
    yardstick(), contender()
    ratios = []
    for _ in range(rounds):
        first = time.process_time()
        yardstick()
        second = time.process_time()
        contender()
        ratios.append((second - first) / (time.process_time() - second))
    return statistics.median(ratios)


def blas() -> str:
    """Return the name of the BLAS kernel that NumPy runs."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown (pip install threadpoolctl)"
    found = [entry for entry in threadpool_info() if entry.get("internal_api") == "openblas"]
    return ", ".join(f"OpenBLAS {entry['version']} {entry['architecture']}" for entry in found) or "not OpenBLAS"


def main() -> None:
    """Print a table."""
    print(f"BLAS: {blas()}; one thread; whole layers: codes in, scaled and rounded results out")
    print(f"{'kernel':<36} {'m x n x k':>18} {'of sgemm':>9} {'goal':>6}  path")
    for row in rows():
        goal = f"{row.goal:.2f}" if row.goal else "-"
        print(f"{row.kernel:<36} {f'{row.m} x {row.n} x {row.k}':>18} {row.ratio:>9.3f} {goal:>6}  {row.path}")


if __name__ == "__main__":
    main()
