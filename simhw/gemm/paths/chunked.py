"""Chunks of products in an inner accumulator, promoted to an outer register."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Chunked, Exact, IntegerAccumulator
from simhw.errors import InputError
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.plan import Plan, Sums, group_sums, plan_sum
from simhw.gemm.register_sums import RegisterKernels, start_sums
from simhw.gemm.registers import Terms, choose_arithmetic

FLOAT64_INTEGERS = 53
THEN = " then "
"""Between the inner kernel and the outer register's arithmetic in a plan's kernel."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Plan the inner sums of a chunk and the additions to the outer register."""
    assert isinstance(accumulator, Chunked)
    if isinstance(accumulator.inner, IntegerAccumulator) and (a.unit or b.unit):
        raise InputError(
            f"operands have units of 2^{a.unit} and 2^{b.unit}, an inner integer register takes integers;"
            " choose integer formats or a floating-point inner accumulator"
        )
    every = min(accumulator.every, k)
    inner = plan_sum(accumulator.inner, every, a, b)
    bits = _result_bits(accumulator.inner, every, a, b)
    terms = Terms(bits=bits, unit=max(-300, a.unit + b.unit - 64), peak=200, count=k)
    outer = choose_arithmetic(accumulator.outer, terms, native=bits <= accumulator.outer.significand_bits)
    name = RegisterKernels.of(accumulator.outer, outer).name
    return Plan(
        kernel=f"{inner.kernel}{THEN}{name}",
        why=f"chunks of {every}: {inner.why}; their sums of up to {bits} bits enter the register by {outer.why}",
    )


def _result_bits(inner: Accumulator, every: int, a: Extent, b: Extent) -> int:
    """Return a bound on the significant bits of an inner sum. Raises InputError where fp64 does not hold it."""
    if not isinstance(inner, Exact | IntegerAccumulator):
        register = next((getattr(inner, name) for name in ("precision", "outer") if hasattr(inner, name)), None)
        return 24 if register is None else max(24, register.significand_bits)
    bits = (every * a.largest * b.largest).bit_length()
    if bits > FLOAT64_INTEGERS:
        raise InputError(
            f"a chunk of {every} products can need {bits} bits, {FLOAT64_INTEGERS} are carried to the outer register;"
            " choose shorter chunks or a rounding inner accumulator"
        )
    return max(bits, 1)


def run(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the outer register's values."""
    assert isinstance(accumulator, Chunked)
    kernels = RegisterKernels.named(accumulator.outer, plan.kernel.rpartition(THEN)[2])
    total = start_sums(kernels, (a.shape[0], a.shape[1], b.shape[1]), c)
    for first in range(0, a.shape[2], accumulator.every):
        ks = slice(first, first + accumulator.every)
        x, y = a[:, :, ks].copy(), b[:, :, ks].copy()
        chosen = plan_sum(accumulator.inner, x.shape[2], *extents)
        sums: NDArray[Any] = group_sums(chosen, accumulator.inner, x, y, extents)
        added = np.empty_like(total)
        if sums.dtype.kind == "i":
            sums = np.ldexp(sums.astype(np.float64), extents[0].unit + extents[1].unit)
        kernels.add(total, sums.astype(kernels.float_type), added)
        total = added
    return total
