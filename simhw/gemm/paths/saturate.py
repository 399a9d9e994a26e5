"""Saturating sums: BLAS where no sum can reach a bound, otherwise clamping, chunk by chunk only where one could."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Saturate
from simhw.errors import InputError
from simhw.gemm import upper_bits
from simhw.gemm.extent import Extent
from simhw.gemm.integer_sums import (
    FLOAT32_INTEGERS,
    FLOAT64_INTEGERS,
    addend_in_units,
    in_units,
    largest_product,
    plan_exact,
    run_exact,
)
from simhw.gemm.operand import Values
from simhw.gemm.panels import DEPTH, PANEL, ROW_STEP, over_panels
from simhw.gemm.plan import Plan, Sums, Tally
from simhw.gemm.upper_bits import INT16_BITS, INT32_BITS

SATURATE_INT16 = "saturate_int16"
"""Numba: saturating 16-bit integers, the register in their upper bits."""
SATURATE_INT32 = "saturate_int32"
"""Numba: saturating 32-bit sums of 16-bit products, the register in their upper bits."""
SATURATE_FP32 = "saturate_fp32"
"""Numba: integers in fp32, clamped where the norms of a chunk's rows and columns do not rule saturation out."""
SATURATE_FP64 = "saturate_fp64"
"""Numba: the same in fp64."""

COVER = 1e-5
"""Relative margin of a certificate for the rounding of norms: 64 squares and a root in fp32 are off by 4e-6 at most."""


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Prove that nothing saturates, or choose floats that hold every sum."""
    assert isinstance(accumulator, Saturate)
    high = (1 << (accumulator.bits - 1)) - 1
    product = largest_product(a, b)
    if k * product <= high:
        return plan_exact(k, a, b, f"{k} products of at most {product} cannot reach {high}: nothing saturates")
    if product << (INT16_BITS - min(accumulator.bits, INT16_BITS)) < 1 << (INT16_BITS - 1) and accumulator.bits <= 16:
        return Plan(kernel=SATURATE_INT16, why=upper_bits.why(accumulator.bits, INT16_BITS))
    if upper_bits.word_shifts(accumulator.bits, a, b) is not None:
        return Plan(kernel=SATURATE_INT32, why=upper_bits.why(accumulator.bits, INT32_BITS))
    return _plan_clamped(accumulator, product)


def _plan_clamped(accumulator: Saturate, product: int) -> Plan:
    largest = (1 << (accumulator.bits - 1)) + product
    for kernel, bits in ((SATURATE_FP32, FLOAT32_INTEGERS), (SATURATE_FP64, FLOAT64_INTEGERS)):
        if largest <= 1 << bits:
            return Plan(
                kernel=kernel,
                why=f"register value plus product stay within 2^{bits}, exact in floats; chunks of k in which "
                "norm(row) x norm(column) cannot take any sum to a bound run without clamping, k in order",
            )
    raise InputError(
        f"accumulator bits is {accumulator.bits} with products up to {product}, sums may saturate and need more than "
        f"{FLOAT64_INTEGERS} bits; choose a narrower register or the exact accumulator"
    )


def run(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the register's values."""
    return _run(plan, accumulator, a, b, extents, c, counted=False)[0]


def run_counted(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None = None,
) -> tuple[Sums, Tally]:
    """Return the register's values, how many were clamped, and where the bounds did not rule clamping out.

    A step is one of four rows, one panel of columns and one chunk of k.
    """
    return _run(plan, accumulator, a, b, extents, c, counted=True)


def _run(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
    *,
    counted: bool,
) -> tuple[Sums, Tally]:
    assert isinstance(accumulator, Saturate)
    if plan.kernel in (SATURATE_INT16, SATURATE_INT32):
        done = _in_upper_bits(plan, accumulator, a, b, extents, c, counted=counted)
        if done is not None:
            return done
    if plan.kernel not in (SATURATE_FP32, SATURATE_FP64):
        if plan.kernel not in (SATURATE_INT16, SATURATE_INT32) and (c is None or not np.any(c)):
            return run_exact(plan, a, b, extents), Tally()
        plan = _plan_clamped(accumulator, largest_product(*extents))
    kind = np.float32 if plan.kernel == SATURATE_FP32 else np.float64
    return _clamped(accumulator, kind, a, b, extents, c, counted=counted)


def _in_upper_bits(
    plan: Plan,
    accumulator: Saturate,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
    *,
    counted: bool,
) -> tuple[Sums, Tally] | None:
    """Sum in 16-bit integers where they also tell what to count, else in 32-bit ones; None where neither can."""
    narrow = plan.kernel == SATURATE_INT16 and not (counted and INT16_BITS - accumulator.bits < upper_bits.SPARE)
    if narrow:
        done: tuple[Sums, int] | None = upper_bits.sum_in_16(accumulator, a, b, extents, c)
    elif not counted or INT32_BITS - accumulator.bits >= upper_bits.SPARE:
        done = upper_bits.sum_in_32(accumulator, a, b, extents, c)
    else:
        done = None
    if done is None:
        return None
    return done[0], Tally(overflows=done[1] if counted else 0)


def _scaled(sums: NDArray[Any], extents: tuple[Extent, Extent]) -> NDArray[Any]:
    """Return sums in units as values."""
    unit = extents[0].unit + extents[1].unit
    return np.ldexp(sums, unit) if unit else sums


def _clamped(
    accumulator: Saturate,
    kind: type[np.float32] | type[np.float64],
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
    *,
    counted: bool,
) -> tuple[Sums, Tally]:
    from simhw.gemm.kernels.saturate import CHUNK, row_norms, saturate

    low, high = -(1 << (accumulator.bits - 1)), (1 << (accumulator.bits - 1)) - 1
    x, y = (in_units(v, extent, kind) for v, extent in zip((a, b), extents, strict=True))
    shape = (a.shape[0], a.shape[1], b.shape[1])
    sums: NDArray[Any] = np.zeros(shape, kind)
    marks = np.zeros(shape if counted else (0,), np.int32 if kind is np.float32 else np.int64)
    if c is not None:
        start = addend_in_units(c, shape, extents)
        sums = np.clip(start, low, high).astype(kind)
        if counted:
            marks[:] = start != sums
    bounds: NDArray[Any] = np.array([low, high, high * (1 - COVER), 1 + COVER], kind)
    clamped: list[int] = []
    results = (sums, marks) if counted else (sums,)
    zero: Any = kind(0)
    unmarked = np.zeros((0, PANEL), marks.dtype)

    def kernel(rows: NDArray[Any], panel: NDArray[Any], held: NDArray[Any], *more: NDArray[Any]) -> None:
        norms = more[-1]
        clamped.append(saturate(rows, norms, panel, held, more[0] if counted else unmarked, bounds, counted))

    over_panels(kernel, x, y, *results, prepare=lambda rows: row_norms(rows, zero))
    chunks = sum(-(-min(DEPTH, a.shape[2] - k) // CHUNK) for k in range(0, a.shape[2], DEPTH))
    return _scaled(sums, extents), Tally(
        overflows=int(np.count_nonzero(marks)),
        slow_steps=sum(clamped),
        steps=a.shape[0] * -(-a.shape[1] // ROW_STEP) * -(-b.shape[1] // PANEL) * chunks,
    )
