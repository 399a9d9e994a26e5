"""Blocks of aligned, truncated terms on whole matrices: which kernel may run them, and running it.

Several accumulators share this: tensor cores with and without block scales differ only in what a term's value and
exponent are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators.rounding import FLOAT16, Precision
from simhw.errors import InputError
from simhw.formats.rounding import Rounding
from simhw.gemm.operand import Values
from simhw.gemm.padding import as_float64, columns_last, results
from simhw.gemm.plan import Plan
from simhw.gemm.scratch import Scratch
from simhw.gemm.threads import over_rows
from simhw.gemm.tiles import packed

ALIGNED_FAST = "aligned_fast"
"""Numba: align and truncate by one multiplication and one conversion, columns in parallel."""
ALIGNED_GENERAL = "aligned_general"
"""Numba: every term aligned and truncated in fp64, columns in parallel; takes infinities and NaN."""
FLOAT32_INTEGERS = 24
FLOAT64_INTEGERS = 53
BYTE_RANGE = 126
"""Largest exponent relative to the smallest product's that leaves room in a byte for the marks of zeros."""
HIGHEST_BASE = 28
"""Base from which a byte's lowest value still means less than the smallest exponent in use."""
MARKED = -4096
"""Exponents below this mark zeros, infinities and NaN."""


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

        if values.dtype == np.float32:
            from simhw.gemm.kernels.exponents import read_exponents

            out = np.empty(values.shape, np.int16)
            patterns = np.ascontiguousarray(values).reshape(-1).view(np.int32)
            read_exponents(patterns, minimum, ZERO, out.reshape(-1))
            return cls(values=values, exponents=out)
        exponent = np.frexp(values)[1] - 1
        marked = (values == 0) | ~np.isfinite(values)
        exponents = np.where(marked, ZERO, np.maximum(exponent, minimum)).astype(np.int16)
        return cls(values=values, exponents=exponents)


def plan_blocks(rules: BlockRules, smallest: int, largest: int, *, finite: bool, bits: int = 22) -> Plan:
    """Choose a kernel for products of ``bits`` bits, they and their sums having exponents in ``smallest..largest``.

    Raises InputError where a block's sum would not fit even fp64.
    """
    # Products of two significands are below 4; block + 1 terms are added.
    needed = rules.fraction_bits + 2 + rules.block.bit_length()
    if needed > FLOAT64_INTEGERS:
        raise InputError(
            f"fraction_bits is {rules.fraction_bits}, a sum of {rules.block} products then needs {needed} bits, "
            f"at most {FLOAT64_INTEGERS} are carried; choose fewer fraction bits or a shorter block"
        )
    certified = (
        finite
        and bits <= FLOAT32_INTEGERS
        and _has_fast_register(rules.result)
        and smallest >= -60
        and largest < 120
        and rules.fraction_bits <= 26
        and _alignment(rules) is Rounding.TOWARD_ZERO
    )
    if certified:
        return Plan(
            kernel=ALIGNED_FAST,
            why=(
                f"products are exact in fp32, their exponents lie in {smallest}..{largest}, so that alignment is one "
                "exact scaling and truncation one conversion; up to 8 or 16 terms fit 32 bits, their sums fp64"
            ),
        )
    return Plan(
        kernel=ALIGNED_GENERAL,
        why=f"terms are exact in fp64, and so are their sums, which need {needed} bits of {FLOAT64_INTEGERS}",
    )


def chain_blocks(
    plan: Plan, rules: BlockRules, a: Factors, b: Factors, c: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return ``(batch, m, n)`` results of chained blocks, starting from ``c``; k is a multiple of the block."""
    if plan.kernel == ALIGNED_FAST and c is None:
        return _fast(rules, a, b)
    return _general(rules, a, b, c)


def _alignment(rules: BlockRules) -> Rounding:
    """Return how aligned terms are cut: truncated, unless the accumulator says otherwise."""
    return getattr(rules, "alignment", Rounding.TOWARD_ZERO)


def _has_fast_register(result: Precision) -> bool:
    """Return whether the fast kernel has the register: fp32 or shorter, truncating, or fp16 to nearest even."""
    from simhw.kernel import has_half_conversion

    if result == FLOAT16:
        return has_half_conversion()
    return result.toward_zero and result.significand_bits <= FLOAT32_INTEGERS and result.minimum_exponent <= -126


def _fast(rules: BlockRules, a: Factors, b: Factors) -> NDArray[np.float32]:
    x, y = (np.ascontiguousarray(v.values, np.float32) for v in (a, b))
    ex, ey, base = _relative_exponents(a.exponents, b.exponents)
    part = _terms_per_int32(rules, x, y)
    mask = -(1 << (FLOAT32_INTEGERS - rules.result.significand_bits))
    half = rules.result == FLOAT16
    numbers = (rules.block, base, rules.fraction_bits, rules.zero_exponent, rules.result.minimum_exponent, mask)
    whole = rules.block * (4 << rules.fraction_bits) + (2 << rules.fraction_bits) <= 1 << FLOAT32_INTEGERS
    plain = base <= HIGHEST_BASE and (half or rules.zero_exponent <= -127)
    if ex.dtype != np.int8 or not plain or (half and not whole) or (part and rules.block % part):
        return _by_panels(numbers, part, half, (x, y), (ex, ey))
    return _by_tiles(numbers, part, half, (x, y), (ex, ey))


def _by_tiles(
    numbers: tuple[int, ...],
    part: int,
    half: bool,
    values: tuple[NDArray[Any], NDArray[Any]],
    exponents: tuple[NDArray[Any], NDArray[Any]],
) -> NDArray[np.float32]:
    """Run the kernel that keeps its sums in registers; where int32 overflows there, :func:`_by_panels`."""
    from simhw.gemm.kernels.aligned_tiles import COLUMNS, ROWS, aligned_half_tiles, aligned_tiles
    from simhw.gemm.kernels.exponents import spread_bytes

    (x, y), (ex, ey) = values, exponents
    out = np.empty((x.shape[0], x.shape[1], y.shape[1]), np.float32)
    block, base, fraction_bits, zero_exponent, minimum, mask = numbers
    fields = [field << 23 for field in (base + 127, 254 + fraction_bits, fraction_bits)]
    bounds = [field << 23 for field in (zero_exponent + 127, minimum + 127)]
    held = np.array([block, *fields, mask, part if part < block else 0, *bounds], np.int64)
    panels: list[Any] = []

    def work(i: int, first: int, last: int) -> None:
        rows = slice(first, last)
        with Scratch() as take:
            words = take(ex[i, rows].shape, np.uint32)
            spread_bytes(ex[i, rows].view(np.uint8).reshape(-1), words.reshape(-1))
            tiles, words = packed(x[i, rows], ROWS, take), packed(words, ROWS, take)
            panel, panel_exponents = panels[i]
            arrays = (tiles, words, panel, panel_exponents, out[i, rows], held)
            overflowed = np.zeros((len(tiles), len(panel)), np.bool_)
            if half:
                aligned_half_tiles(*arrays)
            else:
                aligned_tiles(*arrays, overflowed)
        for sliver in np.flatnonzero(overflowed.any(axis=0)):
            again = first + np.flatnonzero(np.repeat(overflowed[:, sliver], ROWS)[: last - first])
            columns = slice(sliver * COLUMNS, (sliver + 1) * COLUMNS)
            left, right = (np.ascontiguousarray(v[i, again])[None] for v in (x, ex))
            above, beside = (np.ascontiguousarray(v[i, columns])[None] for v in (y, ey))
            out[i, again, columns] = _by_panels(numbers, part, half, (left, above), (right, beside))[0]

    with Scratch() as take:
        panels += [
            tuple(packed(matrix, COLUMNS, take, shared=True) for matrix in pair) for pair in zip(y, ey, strict=True)
        ]
        over_rows(work, x.shape[0], x.shape[1], step=ROWS)
    return out


def _by_panels(
    numbers: tuple[int, ...],
    part: int,
    half: bool,
    values: tuple[NDArray[Any], NDArray[Any]],
    exponents: tuple[NDArray[Any], NDArray[Any]],
) -> NDArray[np.float32]:
    """Run the kernel that takes any exponents, and totals beyond int32."""
    from simhw.gemm.kernels.aligned import aligned_fast

    (x, y), (ex, ey) = (values[0], columns_last(values[1])), (exponents[0], columns_last(exponents[1]))
    block, base, fraction_bits, zero_exponent, minimum, mask = numbers
    out = results(x, values[1], None)

    def work(i: int, first: int, last: int) -> None:
        rows = slice(first, last)
        own = (x[i, rows], ex[i, rows], y[i], ey[i], out[i, rows])
        aligned_fast(*own, base, block, part, fraction_bits, zero_exponent, minimum, mask, half)

    over_rows(work, *out.shape[:2])
    return out


def _relative_exponents(a: NDArray[np.int16], b: NDArray[np.int16]) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Return exponents above the smallest that occurs, marks such that no sum with one is above -1, and the base.

    Bytes where they hold every sum, as they do for operands of up to 16 bits in use: four times as many fit a vector
    register as float32 values.
    """
    from simhw.gemm.kernels.exponents import exponent_range, subtract_lowest

    flat = a.reshape(-1), b.reshape(-1)
    ranges = [exponent_range(v, MARKED) for v in flat]
    lows = [low if low <= high else 0 for low, high in ranges]
    spans = [max(high - low, 0) for low, high in ranges]
    kind: type[np.int8] | type[np.int16] = np.int8 if sum(spans) <= BYTE_RANGE else np.int16
    left, right = (np.empty(v.shape, np.dtype(kind)) for v in (a, b))
    into: tuple[Any, Any] = (left.reshape(-1), right.reshape(-1))
    subtract_lowest(flat[0], MARKED, lows[0], -(spans[1] + 1), into[0])
    subtract_lowest(flat[1], MARKED, lows[1], -(spans[0] + 1), into[1])
    return left, right, sum(lows)


def _terms_per_int32(rules: BlockRules, a: NDArray[np.float32], b: NDArray[np.float32]) -> int:
    """Return how many aligned products int32 holds, 16 or 8; 0: a whole block of them and the carried result.

    A product of significands is below four, or as far below as the largest significands that occur are below two.
    """
    room = (1 << 31) - (2 << rules.fraction_bits)
    if rules.block * (4 << rules.fraction_bits) <= room:
        return 0
    from simhw.gemm.kernels.exponents import largest_significand

    largest = 1.0
    for values in (a, b):
        largest *= 1 + largest_significand(values.view(np.int32).reshape(-1)) / (1 << 23)
    return 16 if 16 * largest * (1 << rules.fraction_bits) <= room else 8


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
            _alignment(rules) is not Rounding.TOWARD_ZERO,
        )

    over_rows(work, x.shape[0], x.shape[1])
    return out


def register(result: Precision) -> tuple[int, int, float, float, bool]:
    """Return a register as the kernels take it: precision, smallest exponent, largest number, what is beyond, how."""
    beyond = np.inf if result.overflows_to_infinity else result.largest
    return result.significand_bits, result.minimum_exponent, result.largest, beyond, result.toward_zero
