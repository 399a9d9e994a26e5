"""How fast each accumulator's sums are, beside sgemm.

Run with ``python -m benchmarks.accumulators``. Measured is what follows the planning: decoded operands in, sums out,
copies into the kernels' layouts included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.measure import ROUNDS, Row, compare, machine, markdown, sgemm  # isort: skip  (before NumPy)

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import accumulator_peers
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

SIZES = ((256, 256, 256), (1024, 1024, 1024), (1000, 777, 1111))

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


def case(form: str, accumulator: Accumulator, size: tuple[int, int, int]) -> Case:
    """Return normally distributed operands; integers fill their format's range."""
    m, n, k = size
    rng = np.random.default_rng(k)

    def values(name: str, rows: int) -> NDArray[np.float32]:
        target = get_element_format(name)
        drawn = rng.standard_normal((1, rows, k)).astype(np.float32)
        if name.endswith("int8"):
            low = float(target.min_value)
            drawn = rng.integers(int(low), int(low) + 256, (1, rows, k)).astype(np.float32)
        return round_to(drawn, target).astype(np.float32)

    names = (form, "int8" if form == "uint8" else form)
    a, b = (values(name, rows) for name, rows in zip(names, (m, n), strict=True))
    units = [int(get_element_format(name).lsb_exponent) for name in names]
    extents = (extent_of(a, units[0]), extent_of(b, units[1]))
    return Case(accumulator=accumulator, a=a, b=b, extents=extents, plan=plan_sum(accumulator, k, *extents))


def rows(rounds: int = ROUNDS, sizes: tuple[tuple[int, int, int], ...] = SIZES) -> Iterator[Row]:
    """Yield one row per accumulator and size; peers are measured at the first size."""
    for size in sizes:
        limit = sgemm(*size)
        for name, form, accumulator, goal in KERNELS:
            ours = case(form, accumulator, size)
            seconds, ratio = compare(limit, {name: ours.run}, rounds)[name]
            speed = np.prod(size) / seconds / 1e9
            yield Row(
                kernel=name,
                size=" x ".join(map(str, size)),
                speed=float(speed),
                ratio=ratio,
                goal=goal,
                path=ours.plan.kernel,
                peers={}
                if size != sizes[0]
                else {key: speed / other for key, other in accumulator_peers(name).items()},
            )


def main() -> None:
    """Print the table."""
    print(markdown(f"Accumulators: operands in, sums out ({machine()})", "sgemm", list(rows())))


if __name__ == "__main__":
    main()
