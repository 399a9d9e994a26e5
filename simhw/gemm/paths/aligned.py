"""Tensor-core sums: the general kernel in fp64, the fast one where the ranges of the operands certify it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, Addend, Aligned
from simhw.accumulators.aligned import block_indices
from simhw.accumulators.rounding import Precision
from simhw.errors import InputError
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.plan import Plan, Sums
from simhw.gemm.threads import over_rows

ALIGNED_FAST = "aligned_fast"
"""Numba: align and truncate by one multiplication and one conversion, columns in parallel."""
ALIGNED_GENERAL = "aligned_general"
"""Numba: every term aligned and truncated in fp64, columns in parallel; takes infinities and NaN."""
FLOAT64_INTEGERS = 53
TAKES_SPECIALS = True
"""Operands may hold infinities and NaN."""


class BlockRules(Protocol):
    """What the general kernel needs to know of an accumulator (see :class:`Aligned`)."""

    @property
    def block(self) -> int: ...  # noqa: D102

    @property
    def fraction_bits(self) -> int: ...  # noqa: D102

    @property
    def zero_exponent(self) -> int: ...  # noqa: D102

    @property
    def result(self) -> Precision: ...  # noqa: D102


def plan(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Certify the ranges for the fast kernel."""
    assert isinstance(accumulator, Aligned)
    general = _plan_general(accumulator)
    smallest = a.smallest_exponent + b.smallest_exponent
    largest = (k * a.largest * b.largest).bit_length() + a.unit + b.unit
    certified = (
        a.finite
        and b.finite
        and accumulator.result.toward_zero
        and smallest >= max(accumulator.zero_exponent, -60)
        and sum(accumulator.minimum_exponents) >= accumulator.zero_exponent
        and largest < 120
        and accumulator.block % 2 == 0
        and accumulator.fraction_bits <= 26
    )
    if not certified:
        return general
    return Plan(
        kernel=ALIGNED_FAST,
        why=(
            f"products are exact in fp32, their exponents lie in {smallest}..{largest}, so that alignment is one "
            "exact scaling and truncation one conversion; eight terms fit 32 bits"
        ),
    )


def _plan_general(accumulator: Aligned) -> Plan:
    """Return the plan for any operands. Raises InputError where a block's sum would not fit fp64."""
    # Products of two significands are below 4; block + 1 terms are added.
    bits = accumulator.fraction_bits + 2 + accumulator.block.bit_length()
    if bits > FLOAT64_INTEGERS:
        raise InputError(
            f"fraction_bits is {accumulator.fraction_bits}, a sum of {accumulator.block} products then needs {bits} "
            f"bits, at most {FLOAT64_INTEGERS} are carried; choose fewer fraction bits or a shorter block"
        )
    return Plan(
        kernel=ALIGNED_GENERAL,
        why=f"terms are exact in fp64, and so are their sums, which need {bits} bits of {FLOAT64_INTEGERS}",
    )


def run(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],  # noqa: ARG001
    c: NDArray[np.float32] | None,
) -> Sums:
    """Return the chained, rounded sums; an addend goes where the accumulator says."""
    assert isinstance(accumulator, Aligned)
    x, y = _fill_blocks(accumulator, a), _fill_blocks(accumulator, b)
    start = c if accumulator.addend is Addend.FUSED else None
    if plan.kernel == ALIGNED_FAST and start is None:
        sums = _aligned_fast(accumulator, x, y)
    else:
        sums = _aligned_general(accumulator, x, y, start)
    return sums if c is None or start is not None else _add_last(accumulator, sums, c)


def _add_last(accumulator: Aligned, sums: NDArray[np.float32], c: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add the addend with one rounding to nearest even, in fp16 where the result is fp16."""
    if accumulator.result.significand_bits > 11:
        return sums + c
    return (sums.astype(np.float16) + c.astype(np.float16)).astype(np.float32)


def _fill_blocks(accumulator: Aligned, values: Values) -> Values:
    """Reorder k into the accumulator's blocks and fill the last one with zeros."""
    k = values.shape[2]
    blocks = block_indices(k, accumulator.block, accumulator.order)
    filled = np.zeros((*values.shape[:2], len(blocks) * accumulator.block), values.dtype)
    for i, ks in enumerate(blocks):
        start = i * accumulator.block
        filled[:, :, start : start + len(ks)] = values[:, :, ks]
    return filled


def exponents(values: Values, minimum: int) -> NDArray[np.int16]:
    """Return the exponents with which values take part in the alignment: at least ``minimum``; zeros are marked."""
    from simhw.gemm.kernels.aligned_general import ZERO

    if values.dtype == np.float32:  # the exponent field; subnormals end at the minimum below
        exponent = ((np.ascontiguousarray(values).view(np.int32) >> 23) & 255) - 127
    else:
        exponent = np.frexp(values)[1] - 1
    marked = (values == 0) | ~np.isfinite(values)
    return np.where(marked, ZERO, np.maximum(exponent, minimum)).astype(np.int16)


def _aligned_fast(accumulator: Aligned, a: Values, b: Values) -> NDArray[np.float32]:
    from simhw.gemm.kernels.aligned import aligned_fast

    minimum_a, minimum_b = accumulator.minimum_exponents
    x = np.ascontiguousarray(a, np.float32)
    y = np.ascontiguousarray(b.swapaxes(1, 2), np.float32)
    ex, ey = exponents(x, minimum_a), exponents(y, minimum_b)
    out = np.zeros((x.shape[0], x.shape[1], y.shape[2]), np.float32)

    def work(i: int, first: int, last: int) -> None:
        aligned_fast(
            x[i, first:last],
            ex[i, first:last],
            y[i],
            ey[i],
            out[i, first:last],
            accumulator.block,
            accumulator.fraction_bits,
            accumulator.zero_exponent,
            53 - accumulator.result.significand_bits,
        )

    over_rows(work, x.shape[0], x.shape[1])
    return out


def _aligned_general(
    accumulator: Aligned, a: Values, b: Values, c: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    minimum_a, minimum_b = accumulator.minimum_exponents
    return chain_blocks(
        accumulator,
        (a, exponents(a, minimum_a)),
        (b, exponents(b, minimum_b)),
        c,
    )


def chain_blocks(
    rules: BlockRules,
    a: tuple[Values, NDArray[np.int16]],
    b: tuple[Values, NDArray[np.int16]],
    c: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    """Run the general kernel on values with the exponents of their terms; k is a multiple of the block."""
    from simhw.gemm.kernels.aligned_general import aligned_general

    x, ex = np.ascontiguousarray(a[0], np.float64), a[1]
    y, ey = (np.ascontiguousarray(part.swapaxes(1, 2)) for part in (b[0].astype(np.float64), b[1]))
    out = np.zeros((x.shape[0], x.shape[1], y.shape[2]), np.float32) if c is None else c.astype(np.float32)
    result = rules.result

    def work(i: int, first: int, last: int) -> None:
        aligned_general(
            x[i, first:last],
            ex[i, first:last],
            y[i],
            ey[i],
            out[i, first:last],
            rules.block,
            rules.fraction_bits,
            rules.zero_exponent,
            result.significand_bits,
            result.minimum_exponent,
            result.largest,
            np.inf if result.overflows_to_infinity else result.largest,
            result.toward_zero,
        )

    over_rows(work, x.shape[0], x.shape[1])
    return out


def dot_products(
    accumulator: Aligned, a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``a[r] . b[r] + c[r]`` for each row r: operands (rows, k), finite, addend and result (rows,).

    What a tensor core's instruction returns for one output element; recorded hardware results are compared with it.
    """
    extent = Extent(unit=0, largest=0)
    general = Plan(kernel=ALIGNED_GENERAL, why="one output per pair of rows")
    x, y = (v[:, None, :].astype(np.float32) for v in (a, b))
    sums = run(general, accumulator, x, y, (extent, extent), c.astype(np.float32)[:, None, None])
    return sums[:, 0, 0].astype(np.float32)
