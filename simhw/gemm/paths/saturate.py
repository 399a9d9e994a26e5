"""Saturating sums: BLAS where no sum can reach a bound, otherwise clamping, chunk by chunk only where one could."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Saturate
from simhw.errors import InputError
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
from simhw.gemm.tiles import over_tiles

SATURATE_INT16 = "saturate_int16"
"""Numba: saturating 16-bit integers, the register in their upper bits."""
SATURATE_INT32 = "saturate_int32"
"""Numba: saturating 32-bit sums of 16-bit products, the register in their upper bits."""
SATURATE_FP32 = "saturate_fp32"
"""Numba: integers in fp32, clamped where the norms of a chunk's rows and columns do not rule saturation out."""
SATURATE_FP64 = "saturate_fp64"
"""Numba: the same in fp64."""

INT16_BITS, INT32_BITS = 16, 32
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
        return Plan(kernel=SATURATE_INT16, why=_upper_bits(accumulator.bits, INT16_BITS))
    if _word_shifts(accumulator.bits, a, b) is not None:
        return Plan(kernel=SATURATE_INT32, why=_upper_bits(accumulator.bits, INT32_BITS))
    return _plan_clamped(accumulator, product)


def _upper_bits(bits: int, of: int) -> str:
    return (
        f"in the upper {bits} of {of} bits the register saturates where {of}-bit integers do, the bits "
        "below only tell which bound was hit last; products fit, k in order"
    )


def _word_shifts(bits: int, a: Extent, b: Extent) -> tuple[int, int] | None:
    """Return shifts of the operands that bring products into the upper bits of a word, None where 16 bits are short."""
    from simhw.gemm.kernels.dots import has_dot_products

    shift = INT32_BITS - bits
    room = [INT16_BITS - 1 - extent.largest.bit_length() for extent in (a, b)]
    if shift < 0 or min(room) < 0 or sum(room) < shift or not has_dot_products():
        return None
    return min(room[0], shift), shift - min(room[0], shift)


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
    if plan.kernel in (SATURATE_INT16, SATURATE_INT32) and not counted:
        run = _int16 if plan.kernel == SATURATE_INT16 else _int32
        return run(accumulator, a, b, extents, c), Tally()
    if plan.kernel not in (SATURATE_FP32, SATURATE_FP64):
        if plan.kernel not in (SATURATE_INT16, SATURATE_INT32) and (c is None or not np.any(c)):
            return run_exact(plan, a, b, extents), Tally()
        plan = _plan_clamped(accumulator, largest_product(*extents))
    kind = np.float32 if plan.kernel == SATURATE_FP32 else np.float64
    return _clamped(accumulator, kind, a, b, extents, c, counted=counted)


def _int16(
    accumulator: Saturate, a: Values, b: Values, extents: tuple[Extent, Extent], c: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return the sums of a register of up to 16 bits, kept in the upper ones.

    A register value v with r < 2**s below it is ``v * 2**s + r``. The upper bound of 16 bits is that of v with all of r
    set, the lower one that of v with none, and adding a product times 2**s leaves r alone: v clamps exactly where the
    16 bits do, and is what remains of them without the lowest s.
    """
    from simhw.gemm.kernels.conversion import to_integers
    from simhw.gemm.kernels.saturate_integers import saturate_int16

    shift = INT16_BITS - accumulator.bits
    sums: NDArray[Any] = _start(accumulator, (a.shape[0], a.shape[1], b.shape[1]), extents, c, shift, np.int16)
    x = _low_halves(a, extents[0], shift, repeated=0x10001)
    y = np.empty(b.shape, np.int16)
    to_integers(np.ascontiguousarray(b).reshape(-1), b.dtype.type(2.0 ** -extents[1].unit), y.reshape(-1))
    over_tiles(saturate_int16, x, y, sums)
    return _from_upper_bits(sums, shift, extents, np.float32)


def _int32(
    accumulator: Saturate, a: Values, b: Values, extents: tuple[Extent, Extent], c: NDArray[np.float32] | None
) -> NDArray[Any]:
    """Return the sums of a register of up to 32 bits, kept in the upper ones as in :func:`_int16`."""
    from simhw.gemm.kernels.saturate_integers import saturate_int32

    shift = INT32_BITS - accumulator.bits
    shifts = _word_shifts(accumulator.bits, *extents)
    assert shifts is not None
    sums: NDArray[Any] = _start(accumulator, (a.shape[0], a.shape[1], b.shape[1]), extents, c, shift, np.int32)
    x, y = (_low_halves(v, extent, own) for v, extent, own in zip((a, b), extents, shifts, strict=True))
    over_tiles(saturate_int32, x, y, sums)
    kind = np.float32 if accumulator.bits <= FLOAT32_INTEGERS + 1 else np.float64
    return _from_upper_bits(sums, shift, extents, kind)


def _low_halves(values: Values, extent: Extent, shift: int, repeated: int = 1) -> NDArray[np.uint32]:
    """Return values in units, shifted, as the lower halves of words, or as both halves (``repeated`` 0x10001)."""
    from simhw.gemm.kernels.conversion import to_words

    out = np.empty(values.shape, np.uint32)
    scale = values.dtype.type(2.0 ** (shift - extent.unit))
    to_words(np.ascontiguousarray(values).reshape(-1), scale, repeated, out.reshape(-1))
    return out


def _from_upper_bits(
    sums: NDArray[Any], shift: int, extents: tuple[Extent, Extent], kind: type[np.float32] | type[np.float64]
) -> NDArray[Any]:
    from simhw.gemm.kernels.conversion import from_upper_bits

    out = np.empty(sums.shape, kind)
    from_upper_bits(sums.reshape(-1), shift, kind(2.0 ** (extents[0].unit + extents[1].unit)), out.reshape(-1))
    return out


def _start(
    accumulator: Saturate,
    shape: tuple[int, int, int],
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
    shift: int,
    kind: type[np.int16] | type[np.int32],
) -> NDArray[Any]:
    """Return what registers hold at the start, in the upper bits."""
    if c is None:
        return np.zeros(shape, kind)
    half = 1 << (accumulator.bits - 1)
    return (np.clip(addend_in_units(c, shape, extents), -half, half - 1) << shift).astype(kind)


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
