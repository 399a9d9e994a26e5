"""Sequential sums in one floating-point register of any precision and rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Ieee
from simhw.accumulators.rounding import FLOAT32
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.plan import Plan, Sums
from simhw.gemm.register_sums import RegisterKernels, chain_sums, tree_sums
from simhw.gemm.registers import Terms, choose_arithmetic, fits, product_terms, with_addend
from simhw.gemm.tiles import over_tiles

SEQUENTIAL_FMA = "sequential_fma"
"""Numba: fp32 fused multiply-adds, k in order, columns in parallel."""
CHAIN = "chain_"
"""Numba: fused multiply-adds in floats, each sum rounded to the register; then the arithmetic and the float type."""
APART = "apart_"
"""Numba: products rounded to the register, then sums; then the arithmetic and the float type."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Choose the arithmetic that is proven for the register and the operands' ranges."""
    assert isinstance(accumulator, Ieee)
    return _plan(accumulator, product_terms(k, a, b))


def _plan(accumulator: Ieee, terms: Terms) -> Plan:
    precision = accumulator.precision
    exact = not accumulator.fused and fits(precision, terms)
    once = "products fit the register, so that rounding them changes nothing; " if exact else ""
    if accumulator.fused or exact:
        if precision == FLOAT32:
            why = f"{once}operands are exact in fp32; one fused multiply-add per product, k in order"
            return Plan(kernel=SEQUENTIAL_FMA, why=why)
        chosen = choose_arithmetic(precision, terms)
        name = RegisterKernels.of(precision, chosen).name
        return Plan(kernel=CHAIN + name, why=f"{once}{chosen.why}, k in order")
    sums = Terms(bits=precision.significand_bits, unit=terms.unit, peak=terms.peak, count=terms.count)
    chosen = choose_arithmetic(precision, sums, also_exact=terms.bits)
    name = RegisterKernels.of(precision, chosen).name
    return Plan(kernel=APART + name, why=f"products and sums are rounded one after the other; {chosen.why}, k in order")


def run(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the rounded sums. An addend can ask for other arithmetic than the plan, which knows the operands only."""
    assert isinstance(accumulator, Ieee)
    if plan.kernel == SEQUENTIAL_FMA:
        return _sequential(a, b, c)
    if c is not None and np.any(c):
        plan = _plan(accumulator, with_addend(product_terms(a.shape[2], *extents), c))
        if plan.kernel == SEQUENTIAL_FMA:
            return _sequential(a, b, c)
    how = CHAIN if plan.kernel.startswith(CHAIN) else APART
    kernels = RegisterKernels.named(accumulator.precision, plan.kernel.removeprefix(how))
    if how == CHAIN:
        return chain_sums(kernels, a, b, c)
    return tree_sums(kernels, a, b, [[0]] * a.shape[2], c)


def _sequential(a: Values, b: Values, c: NDArray[np.float32] | None) -> NDArray[np.float32]:
    from simhw.gemm.kernels.sequential import sequential_fma

    x = np.ascontiguousarray(a, np.float32)
    y = np.ascontiguousarray(b, np.float32)
    out = np.zeros((x.shape[0], x.shape[1], y.shape[1]), np.float32) if c is None else c.copy()
    over_tiles(sequential_fma, x, y, out)
    return out
