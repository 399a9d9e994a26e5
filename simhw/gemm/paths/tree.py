"""Adder trees of a fixed width, chained into one register."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Split, Tree
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.paths.pairwise import joins_of, plan_tree
from simhw.gemm.plan import Plan, Sums
from simhw.gemm.register_sums import RegisterKernels, tree_sums
from simhw.gemm.registers import product_terms, with_addend


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Choose the arithmetic that is proven for the register and the operands' ranges."""
    assert isinstance(accumulator, Tree)
    return plan_tree(accumulator.precision, product_terms(k, a, b))


def run(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the rounded sums, the last tree filled with zeros."""
    assert isinstance(accumulator, Tree)
    if c is not None and np.any(c):
        plan = plan_tree(accumulator.precision, with_addend(product_terms(a.shape[2], *extents), c))
    count = -(-a.shape[2] // accumulator.width)
    missing = count * accumulator.width - a.shape[2]
    x, y = (np.pad(v, ((0, 0), (0, 0), (0, missing))) for v in (a, b))
    trees = [joins_of(accumulator.width, Split.HALVES)] * count
    return tree_sums(RegisterKernels.named(accumulator.precision, plan.kernel), x, y, trees, c)
