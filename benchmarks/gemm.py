"""How fast whole layers are, beside sgemm: codes in, scaled and rounded results out, planning included.

Run with ``python -m benchmarks.gemm``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from benchmarks.measure import ROUNDS, Row, compare, machine, markdown, sgemm  # isort: skip  (before NumPy)

import numpy as np

from benchmarks.peers import layer_peers
from simhw.formats import encode, get_element_format
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.engine import multiply
from simhw.gemm.operand import Operand
from simhw.gemm.table_products import plan_table_products, product_table, table_products

SIZES = ((256, 256, 256), (1024, 1024, 1024), (1000, 777, 1111))


def exact(activation: str, weight: str) -> Datapath:
    """Return an exact datapath of any two formats."""
    base = get_datapath("w8a8_int8")
    return replace(base, name=f"{activation} x {weight}", activation=activation, weight=weight, attention=weight)


KERNELS: tuple[tuple[str, Datapath, int | None, float], ...] = (
    ("int8 x int8 exact", get_datapath("w8a8_int8"), None, 3.0),
    ("uint4 x int8 exact", exact("int8", "uint4"), None, 3.0),
    ("E2M1 x E2M1 exact", exact("e2m1", "e2m1"), None, 3.0),
    ("E2M3 x E2M3 exact", exact("e2m3", "e2m3"), None, 3.0),
    ("uint4 x int8 MixPE, groups of 128", get_datapath("w4a8_mixpe"), 128, 1.0),
    ("MXFP4 block dots", get_datapath("mxfp4"), 32, 0.5),
    ("NVFP4 block dots", get_datapath("nvfp4"), 16, 0.5),
    ("MXFP8 block dots", get_datapath("mxfp8"), 32, 0.0),
    ("FP8 with sequential fp32", get_datapath("fp8_e4m3_fp32"), None, 0.75),
    ("fp16 with sequential fp32", get_datapath("fp16"), None, 0.0),
    ("Hopper FP8", get_datapath("hopper_e4m3_fp32"), None, 0.18),
    ("Hopper fp16", get_datapath("hopper_fp16_fp32"), None, 0.18),
    ("Blackwell FP8", get_datapath("blackwell_e4m3_fp32"), None, 0.18),
    ("fp16 x uint4 MixPE, groups of 128", get_datapath("w4a16_mixpe"), 128, 0.0),
)
"""Name, datapath, group size, ratio to reach (0 where none is set)."""
TABLE = "Mitchell's multiplier by product table"
TABLE_GOAL = 0.019


def operand(name: str, rows: int, k: int, group: int | None = None, zero: bool = False) -> Operand:
    """Return random codes of a format with unit scales; floats keep clear of infinities and NaN."""
    rng = np.random.default_rng(rows + k)
    form = get_element_format(name)
    if form.has_nan or form.has_infinity:
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


def operands(datapath: Datapath, m: int, n: int, k: int, group: int | None) -> tuple[Operand, Operand]:
    """Return random operands of a layer."""
    both = group if group is not None and group < 128 else None
    zero = datapath.weight == "uint4"
    return operand(datapath.activation, m, k, both), operand(datapath.weight, n, k, group, zero)


def rows(rounds: int = ROUNDS, sizes: tuple[tuple[int, int, int], ...] = SIZES) -> Iterator[Row]:
    """Yield one row per datapath and size, and for the product table; peers are measured at the first size."""
    table = product_table("mitchell")
    for size in sizes:
        m, n, k = size
        limit = sgemm(*size)
        runs = {}
        for name, datapath, group, goal in KERNELS:
            a, b = operands(datapath, m, n, k, group)
            runs[name] = (partial(multiply, a, b, datapath), goal, multiply(a, b, datapath).plan.kernel)
        codes = [operand("int8", *shape).codes[0] for shape in ((m, k), (k, n))]
        runs[TABLE] = (partial(table_products, *codes, table), TABLE_GOAL, plan_table_products(k, table).kernel)
        for name, (run, goal, path) in runs.items():
            seconds, ratio = compare(limit, {name: run}, rounds)[name]
            speed = float(np.prod(size)) / seconds / 1e9
            peers = layer_peers(name) if size == sizes[0] else {}
            yield Row(
                kernel=name,
                size=" x ".join(map(str, size)),
                speed=speed,
                ratio=ratio,
                goal=goal,
                path=path,
                peers={key: speed / other for key, other in peers.items()},
            )


def main() -> None:
    """Print the table."""
    print(markdown(f"Layers: codes in, rounded results out ({machine()})", "sgemm", list(rows())))


if __name__ == "__main__":
    main()
