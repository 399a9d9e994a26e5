"""How fast each accumulator's sums are, beside sgemm.

Run with ``python -m benchmarks.accumulators``. Every kernel runs once per round, in turn with sgemm, on one thread; a
figure is the median over the rounds, of CPU time and of the ratio to the sgemm of the same round. Measured is what
follows the planning: decoded operands in, sums out, copies into the kernels' layouts included.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)  # they would slow the yardstick down
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["SIMHW_THREADS"] = "1"

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import (
    Accumulator,
    Chunked,
    Exact,
    Ieee,
    LsbTruncated,
    Pairwise,
    PartialSums,
    Saturate,
    Tree,
    Vpmaddubsw,
    float_precision,
)
from simhw.accumulators.rounding import BFLOAT16, FLOAT16, Rounding
from simhw.accumulators.tensor_cores import tensor_core
from simhw.formats import get_element_format, round_to
from simhw.gemm.extent import Extent, extent_of
from simhw.gemm.plan import Plan, group_sums, plan_sum

ROUNDS = 7
SIZES = (256, 1024)

KERNELS: tuple[tuple[str, str, Accumulator, float], ...] = (
    ("E4M3, exact", "e4m3", Exact(), 0.40),
    ("E4M3, fp32 chain", "e4m3", Ieee(), 0.75),
    ("E4M3, fp16 register", "e4m3", Ieee(precision=FLOAT16), 0.20),
    ("E4M3, bf16 register", "e4m3", Ieee(precision=BFLOAT16), 0.10),
    ("E4M3, E6M9 register", "e4m3", Ieee(precision=float_precision(6, 9)), 0.10),
    ("E4M3, E5M2 register", "e4m3", Ieee(precision=float_precision(5, 2)), 0.0),
    ("E4M3, fp32 toward zero", "e4m3", Ieee(precision=float_precision(8, 23, Rounding.TOWARD_ZERO)), 0.0),
    ("E4M3, fp16 toward zero", "e4m3", Ieee(precision=float_precision(5, 10, Rounding.TOWARD_ZERO)), 0.0),
    ("fp16, bf16 register", "fp16", Ieee(precision=BFLOAT16), 0.0),
    ("E4M3, fp32 trees of 16", "e4m3", Tree(width=16), 0.0),
    ("E4M3, fp32 pairwise", "e4m3", Pairwise(), 0.0),
    ("Hopper FP8", "e4m3", tensor_core("hopper", "e4m3", "fp32"), 0.18),
    ("Hopper FP8, fp16 result", "e4m3", tensor_core("hopper", "e4m3", "fp16"), 0.18),
    ("Hopper FP8, promoted every 128", "e4m3", Chunked(inner=tensor_core("hopper", "e4m3", "fp32"), every=128), 0.18),
    ("Hopper fp16", "fp16", tensor_core("hopper", "fp16", "fp32"), 0.18),
    ("Hopper bf16", "bf16", tensor_core("hopper", "bf16", "fp32"), 0.18),
    ("Blackwell FP8", "e4m3", tensor_core("blackwell", "e4m3", "fp32"), 0.18),
    ("int8, 16 bit saturating", "int8", Saturate(bits=16), 0.35),
    ("int8, 20 bit saturating", "int8", Saturate(bits=20), 0.35),
    ("int8, 24 bit saturating", "int8", Saturate(bits=24), 0.35),
    ("int8, 32 bit saturating (proven)", "int8", Saturate(bits=32), 0.90),
    ("int8, 16 bit partial sums of 16", "int8", PartialSums(every=16), 0.0),
    ("int8, low 8 bits cut every 64", "int8", LsbTruncated(bits=8, every=64), 0.0),
    ("uint8 x int8, pairs saturated to 16 bit", "uint8", Vpmaddubsw(), 0.0),
)
"""Name, operand format, accumulator, ratio to reach (0 where none is set)."""


@dataclass(frozen=True, kw_only=True)
class AccumulatorRow:
    """One accumulator at one size.

    Attributes:
        kernel: what was run.
        size: m = n = k.
        ratio: speed over that of sgemm.
        gmac_per_s: 1e9 multiply-accumulates per second of CPU time.
        goal: what ``ratio`` should reach; 0 where there is none.
        path: the planner's choice.
    """

    kernel: str
    size: int
    ratio: float
    gmac_per_s: float
    goal: float
    path: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One accumulator with its operands, planned."""

    accumulator: Accumulator
    a: NDArray[np.float32]
    b: NDArray[np.float32]
    extents: tuple[Extent, Extent]
    plan: Plan

    def run(self) -> None:
        """Compute the sums."""
        group_sums(self.plan, self.accumulator, self.a, self.b, self.extents)


def case(form: str, accumulator: Accumulator, size: int) -> Case:
    """Return normally distributed operands; integers fill their format's range."""
    rng = np.random.default_rng(size)

    def values(name: str) -> NDArray[np.float32]:
        target = get_element_format(name)
        drawn = rng.standard_normal((1, size, size)).astype(np.float32)
        if name.endswith("int8"):
            low = float(target.min_value)
            drawn = rng.integers(int(low), int(low) + 256, (1, size, size)).astype(np.float32)
        return round_to(drawn, target).astype(np.float32)

    names = (form, "int8" if form == "uint8" else form)
    a, b = (values(name) for name in names)
    units = [int(get_element_format(name).lsb_exponent) for name in names]
    extents = (extent_of(a, units[0]), extent_of(b, units[1]))
    return Case(accumulator=accumulator, a=a, b=b, extents=extents, plan=plan_sum(accumulator, size, *extents))


def cpu_seconds(work: Callable[[], object], least: float = 0.02) -> float:
    """Return the CPU time of one call, from as many as last ``least`` seconds together."""
    calls = 0
    start = time.process_time()
    while (spent := time.process_time() - start) < least:
        work()
        calls += 1
    return spent / calls


def measure(size: int) -> Iterator[AccumulatorRow]:
    """Run all accumulators of one size in turn."""
    cases = {name: case(form, accumulator, size) for name, form, accumulator, _ in KERNELS}
    goals = {name: goal for name, *_, goal in KERNELS}
    left, right = (np.random.default_rng(i).standard_normal((size, size)).astype(np.float32) for i in range(2))
    for each in cases.values():
        each.run()
    times: dict[str, list[float]] = {name: [] for name in cases}
    ratios: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, each in cases.items():
            yardstick = cpu_seconds(lambda: left @ right)
            times[name].append(cpu_seconds(each.run))
            ratios[name].append(yardstick / times[name][-1])
    for name, each in cases.items():
        yield AccumulatorRow(
            kernel=name,
            size=size,
            ratio=statistics.median(ratios[name]),
            gmac_per_s=size**3 / statistics.median(times[name]) / 1e9,
            goal=goals[name],
            path=each.plan.kernel,
        )


def rows(sizes: tuple[int, ...] = SIZES) -> list[AccumulatorRow]:
    """Return all rows."""
    return [row for size in sizes for row in measure(size)]


def blas_kernel() -> str:
    """Return how NumPy's BLAS describes itself and the kernel that it chose."""
    import ctypes
    from pathlib import Path

    for library in Path(np.__file__).parent.parent.glob("numpy.libs/*openblas*"):
        loaded = ctypes.CDLL(str(library))
        for symbol in ("scipy_openblas_get_config64_", "scipy_openblas_get_config", "openblas_get_config"):
            if hasattr(loaded, symbol):
                describe = getattr(loaded, symbol)
                describe.restype = ctypes.c_char_p
                return str(describe().decode())
    return "unknown BLAS"


def main() -> None:
    """Print the table."""
    print(f"{platform.machine()}, sgemm: {blas_kernel()}")
    print("| accumulator | size | GMAC/s | of sgemm | goal | kernel |")
    print("|---|---|---|---|---|---|")
    for row in rows():
        goal = f">= {row.goal:.2f}" if row.goal else ""
        print(f"| {row.kernel} | {row.size} | {row.gmac_per_s:.1f} | {row.ratio:.3f} | {goal} | {row.path} |")


if __name__ == "__main__":
    main()
