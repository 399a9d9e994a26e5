"""Blocks of aligned, truncated terms on whole matrices: which kernel may run them, and running it.

Several accumulators share this: tensor cores with and without block scales differ only in what a term's value and
exponent are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators.rounding import Precision
from simhw.errors import InputError
from simhw.gemm.operand import Values
from simhw.gemm.padding import as_float64, columns_last, results
from simhw.gemm.plan import Plan
from simhw.gemm.threads import over_rows

ALIGNED_FAST = "aligned_fast"
"""Numba: align and truncate by one multiplication and one conversion, columns in parallel."""
ALIGNED_GENERAL = "aligned_general"
"""Numba: every term aligned and truncated in fp64, columns in parallel; takes infinities and NaN."""
FLOAT64_INTEGERS = 53


class BlockRules(Protocol):
    """What the kernels need to know of an accumulator (see :class:`simhw.accumulators.Aligned`)."""

    @property
    def block(self) -> int:
        """Products that are summed at once."""
        ...

    @property
    def fraction_bits(self) -> int:
        """Bits kept below the largest exponent of a block."""
        ...

    @property
    def zero_exponent(self) -> int:
        """Exponent that a zero term takes part with."""
        ...

    @property
    def result(self) -> Precision:
        """Register of a block's result."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Factors:
    """One operand, ``(batch, rows, k)``: values, and the exponents that they bring to their products' alignment."""

    values: Values
    exponents: NDArray[np.int16]

    @classmethod
    def of(cls, values: Values, minimum: int) -> Factors:
        """Return values with their own exponents, at least ``minimum``; zeros, infinities and NaN are marked."""
        from simhw.gemm.kernels.aligned_general import ZERO

        if values.dtype == np.float32:  # the exponent field; subnormals end at the minimum below
            exponent = ((np.ascontiguousarray(values).view(np.int32) >> 23) & 255) - 127
        else:
            exponent = np.frexp(values)[1] - 1
        marked = (values == 0) | ~np.isfinite(values)
        exponents = np.where(marked, ZERO, np.maximum(exponent, minimum)).astype(np.int16)
        return cls(values=values, exponents=exponents)


def plan_blocks(rules: BlockRules, smallest: int, largest: int, *, finite: bool) -> Plan:
    """Choose a kernel for products and sums whose exponents lie in ``smallest..largest``.

    Raises InputError where a block's sum would not fit even fp64.
    """
    # Products of two significands are below 4; block + 1 terms are added.
    bits = rules.fraction_bits + 2 + rules.block.bit_length()
    if bits > FLOAT64_INTEGERS:
        raise InputError(
            f"fraction_bits is {rules.fraction_bits}, a sum of {rules.block} products then needs {bits} bits, "
            f"at most {FLOAT64_INTEGERS} are carried; choose fewer fraction bits or a shorter block"
        )
    certified = (
        finite
        and rules.result.toward_zero
        and smallest >= max(rules.zero_exponent, -60)
        and largest < 120
        and rules.block % 2 == 0
        and rules.fraction_bits <= 26
    )
    if certified:
        return Plan(
            kernel=ALIGNED_FAST,
            why=(
                f"products are exact in fp32, their exponents lie in {smallest}..{largest}, so that alignment is one "
                "exact scaling and truncation one conversion; eight terms fit 32 bits"
            ),
        )
    return Plan(
        kernel=ALIGNED_GENERAL,
        why=f"terms are exact in fp64, and so are their sums, which need {bits} bits of {FLOAT64_INTEGERS}",
    )


def chain_blocks(
    plan: Plan, rules: BlockRules, a: Factors, b: Factors, c: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return ``(batch, m, n)`` results of chained blocks, starting from ``c``; k is a multiple of the block."""
    if plan.kernel == ALIGNED_FAST and c is None:
        return _fast(rules, a, b)
    return _general(rules, a, b, c)


def _fast(rules: BlockRules, a: Factors, b: Factors) -> NDArray[np.float32]:
    from simhw.gemm.kernels.aligned import aligned_fast

    x = np.ascontiguousarray(a.values, np.float32)
    y, ey = columns_last(b.values.astype(np.float32, copy=False)), columns_last(b.exponents)
    out = results(a.values, b.values, None)

    def work(i: int, first: int, last: int) -> None:
        aligned_fast(
            x[i, first:last],
            a.exponents[i, first:last],
            y[i],
            ey[i],
            out[i, first:last],
            rules.block,
            rules.fraction_bits,
            rules.zero_exponent,
            53 - rules.result.significand_bits,
        )

    over_rows(work, x.shape[0], x.shape[1])
    return out


def _general(rules: BlockRules, a: Factors, b: Factors, c: NDArray[np.float32] | None) -> NDArray[np.float32]:
    from simhw.gemm.kernels.aligned_general import aligned_general

    x, y = as_float64(a.values), columns_last(as_float64(b.values))
    ey = columns_last(b.exponents)
    out = results(a.values, b.values, c)

    def work(i: int, first: int, last: int) -> None:
        aligned_general(
            x[i, first:last],
            a.exponents[i, first:last],
            y[i],
            ey[i],
            out[i, first:last],
            rules.block,
            rules.fraction_bits,
            rules.zero_exponent,
            *register(rules.result),
        )

    over_rows(work, x.shape[0], x.shape[1])
    return out


def register(result: Precision) -> tuple[int, int, float, float, bool]:
    """Return a register as the kernels take it: precision, smallest exponent, largest number, what is beyond, how."""
    beyond = np.inf if result.overflows_to_infinity else result.largest
    return result.significand_bits, result.minimum_exponent, result.largest, beyond, result.toward_zero
