"""Sums by recursive halving."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Pairwise, Precision, Split
from simhw.accumulators.pairwise import left_count
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.plan import Plan, Sums
from simhw.gemm.register_sums import RegisterKernels, tree_sums
from simhw.gemm.registers import Terms, choose_arithmetic, product_terms, with_addend


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Choose the arithmetic that is proven for the register and the operands' ranges."""
    assert isinstance(accumulator, Pairwise)
    return plan_tree(accumulator.precision, product_terms(k, a, b))


def plan_tree(precision: Precision, terms: Terms) -> Plan:
    """Return the plan for rounded products whose sums are all rounded: two register values at every adder."""
    sums = Terms(bits=precision.significand_bits, unit=terms.unit, peak=terms.peak, count=terms.count)
    chosen = choose_arithmetic(precision, sums, also_exact=terms.bits)
    return Plan(
        kernel=RegisterKernels.of(precision, chosen).name,
        why=f"products and sums are rounded one after the other in the order of the tree; {chosen.why}",
    )


def run(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the rounded sums."""
    assert isinstance(accumulator, Pairwise)
    if c is not None and np.any(c):
        plan = plan_tree(accumulator.precision, with_addend(product_terms(a.shape[2], *extents), c))
    kernels = RegisterKernels.named(accumulator.precision, plan.kernel)
    return tree_sums(kernels, a, b, [joins_of(a.shape[2], accumulator.split)], c)


@cache
def joins_of(count: int, split: Split) -> tuple[int, ...]:
    """Return how many pairs of neighbouring partial sums are joined after each of ``count`` terms.

    >>> joins_of(8, Split.HALVES)
    (0, 1, 0, 2, 0, 1, 0, 3)
    >>> joins_of(5, Split.HALVES), joins_of(5, Split.POWER_OF_TWO)
    ((0, 1, 0, 0, 3), (0, 1, 0, 2, 1))
    """
    if count == 1:
        return (0,)
    left = left_count(count, split)
    tail = joins_of(count - left, split)
    return (*joins_of(left, split), *tail[:-1], tail[-1] + 1)
