"""Sums in floating-point registers on whole matrices: chains of fused multiply-adds, and products and sums apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators.rounding import Precision
from simhw.formats.rounding import Rounding
from simhw.gemm.panels import PANEL, over_panels
from simhw.gemm.registers import (
    DIRECTED,
    HALF,
    HALF_FUSED,
    HARDWARE_MODES,
    NATIVE,
    NEAREST,
    NEAREST_BOUNDED,
    NEAREST_FREE,
    NEAREST_ODD,
    Arithmetic,
    Float,
    numbers_of,
)
from simhw.gemm.scratch import Scratch
from simhw.gemm.threads import over_rows
from simhw.gemm.tiles import over_tiles

TILED = (NEAREST, NEAREST_BOUNDED, NEAREST_FREE)
"""Arithmetic by register numbers whose sums stay in vector registers (as do those of HALF and NATIVE)."""
ROWS = 64
"""Rows per pass where products and sums are arrays: a handful of them then stays in the second-level cache."""

FLOATS: dict[str, Float] = {"fp32": np.float32, "fp64": np.float64}


@dataclass(frozen=True, kw_only=True, eq=False)
class RegisterKernels:
    """The kernels of one register in one arithmetic (``Arithmetic.kernel`` and its float type)."""

    precision: Precision
    kernel: str
    float_type: Float

    @classmethod
    def of(cls, precision: Precision, arithmetic: Arithmetic) -> RegisterKernels:
        """Return the kernels of a chosen arithmetic."""
        return cls(precision=precision, kernel=arithmetic.kernel, float_type=arithmetic.float_type)

    @property
    def name(self) -> str:
        """Kernel and float type, as plans name them."""
        return f"{self.kernel}_fp{np.dtype(self.float_type).itemsize * 8}"

    @classmethod
    def named(cls, precision: Precision, name: str) -> RegisterKernels:
        """Return the kernels that :attr:`name` names."""
        kernel, _, width = name.rpartition("_")
        return cls(precision=precision, kernel=kernel, float_type=FLOATS[width])

    def _numbers(self) -> tuple[Any, ...]:
        """Return the arguments that follow the arrays."""
        if self.kernel == NATIVE:
            return (HARDWARE_MODES[self.precision.rounding],)
        if self.kernel in (HALF, HALF_FUSED):
            return ()
        numbers = numbers_of(self.precision, self.float_type)
        if self.kernel in (*TILED, NEAREST_ODD, DIRECTED):
            return (numbers,)
        return (numbers, self.precision.rounding is Rounding.TO_ODD)

    def chain(self, a: NDArray[Any], b: NDArray[Any], sums: NDArray[Any]) -> None:
        """Add ``a`` (batch, m, k) times ``b`` (batch, n, k) to sums by fused multiply-adds, k in order."""
        from simhw.gemm.kernels import rounded, rounded_other, sequential

        numbers = self._numbers()
        if self.kernel == NATIVE:
            over_tiles(lambda *arrays: sequential.sum_native(*arrays, *numbers), a, b, sums)
        elif self.kernel == HALF_FUSED:
            _fuse_halves(a, b, sums)
        elif self.kernel in (HALF, *TILED):
            over_tiles(getattr(rounded, f"sum_{self.kernel}"), a, b, sums, *numbers)
        else:
            kernel = getattr(rounded_other, f"sum_{self.kernel}")
            over_panels(lambda rows, panel, held: kernel(rows, panel, held, *numbers), a, b, sums)

    def multiply(self, column: NDArray[Any], row: NDArray[Any], out: NDArray[Any]) -> None:
        """Set ``out`` to the rounded products of a column and a row."""
        from simhw.gemm.kernels import adders

        kernel = {HALF_FUSED: HALF, NEAREST_ODD: NEAREST}.get(self.kernel, self.kernel)
        kernel = NEAREST if kernel in TILED else kernel
        getattr(adders, f"multiply_{kernel}")(column, row, out, *self._numbers())

    def add(self, left: NDArray[Any], right: NDArray[Any], out: NDArray[Any]) -> None:
        """Set ``out`` to the rounded sums; it must not overlap the terms."""
        from simhw.gemm.kernels import adders

        kernel = NEAREST if self.kernel in TILED else self.kernel
        getattr(adders, f"add_{kernel}")(left.reshape(-1), right.reshape(-1), out.reshape(-1), *self._numbers())

    def round(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return finite values rounded to the register; others as they are."""
        given = np.ascontiguousarray(values, self.float_type)
        out = np.empty((given.size, 1), self.float_type)
        self.multiply(given.reshape(-1), np.ones(1, self.float_type), out)
        return np.where(np.isfinite(given), out.reshape(given.shape), given)


def _fuse_halves(a: NDArray[Any], b: NDArray[Any], sums: NDArray[Any]) -> None:
    """Add up in fp16 patterns; those of ``a`` twice to a word, as the kernel takes them."""
    from simhw.gemm.kernels.rounded import from_halves, sum_half_fused, to_halves

    with Scratch() as take:
        patterns = []
        for values, kind, repeated in ((a, np.uint32, 0x10001), (b, np.uint16, 1), (sums, np.uint16, 1)):
            patterns.append(take(values.shape, kind))
            to_halves(values.reshape(-1), repeated, patterns[-1].reshape(-1))
        over_tiles(sum_half_fused, *patterns)
        from_halves(patterns[2].reshape(-1), sums.reshape(-1))


def start_sums(kernels: RegisterKernels, shape: tuple[int, int, int], c: NDArray[np.float32] | None) -> NDArray[Any]:
    """Return the registers at the start: zeros, or the addend rounded."""
    return np.zeros(shape, kernels.float_type) if c is None else kernels.round(c)


def chain_sums(
    kernels: RegisterKernels, a: NDArray[Any], b: NDArray[Any], c: NDArray[np.float32] | None
) -> NDArray[Any]:
    """Return ``(batch, m, n)`` chains of fused multiply-adds of ``a`` (batch, m, k) and ``b`` (batch, n, k)."""
    x, y = (np.ascontiguousarray(v, kernels.float_type) for v in (a, b))
    out = start_sums(kernels, (x.shape[0], x.shape[1], y.shape[1]), c)
    if kernels.kernel == NEAREST_FREE and c is not None and np.any(np.signbit(c) & (c == 0)):
        kernels = replace(kernels, kernel=NEAREST_BOUNDED)  # which keeps the sign of zero
    kernels.chain(x, y, out)
    return out


def tree_sums(
    kernels: RegisterKernels,
    a: NDArray[Any],
    b: NDArray[Any],
    trees: Sequence[Sequence[int]],
    c: NDArray[np.float32] | None,
) -> NDArray[Any]:
    """Return ``(batch, m, n)`` sums of rounded products over trees, each of which joins the register in order.

    A tree is given by the number of pairs of neighbouring partial sums that are joined after each of its products;
    the trees' lengths add up to k. The register holds the addend or zero at first.
    """
    x, y = (np.ascontiguousarray(v, kernels.float_type) for v in (a, b))
    out = start_sums(kernels, (x.shape[0], x.shape[1], y.shape[1]), c)
    if kernels.kernel == NATIVE:
        _native_trees(kernels, x, y, trees, out)
        return out

    def work(i: int, first: int, last: int) -> None:
        for rows, columns in _tiles(first, last, y.shape[1]):
            left = np.ascontiguousarray(x[i, rows].T)
            right = np.ascontiguousarray(y[i, columns].T)
            out[i, rows, columns] = _tree_tile(kernels, left, right, trees, np.ascontiguousarray(out[i, rows, columns]))

    over_rows(work, x.shape[0], x.shape[1])
    return out


def _native_trees(
    kernels: RegisterKernels, x: NDArray[Any], y: NDArray[Any], trees: Sequence[Sequence[int]], out: NDArray[Any]
) -> None:
    """Add the sums to ``out``, all of a panel in one kernel."""
    from simhw.gemm.kernels.adders import tree_native

    joins = np.concatenate([np.asarray(tree, np.int64) for tree in trees])
    complete = np.zeros(len(joins), np.bool_)
    complete[np.cumsum([len(tree) for tree in trees]) - 1] = True
    mode = HARDWARE_MODES[kernels.precision.rounding]

    def work(i: int, first: int, last: int) -> None:
        for column in range(0, y.shape[1], PANEL):
            columns = slice(column, min(column + PANEL, y.shape[1]))
            sums = np.ascontiguousarray(out[i, first:last, columns])
            tree_native(x[i, first:last], np.ascontiguousarray(y[i, columns].T), joins, complete, sums, mode)
            out[i, first:last, columns] = sums

    over_rows(work, x.shape[0], x.shape[1])


def _tiles(first: int, last: int, columns: int) -> Iterator[tuple[slice, slice]]:
    for row in range(first, last, ROWS):
        for column in range(0, columns, PANEL):
            yield slice(row, min(row + ROWS, last)), slice(column, min(column + PANEL, columns))


def _tree_tile(
    kernels: RegisterKernels,
    a: NDArray[Any],
    b: NDArray[Any],
    trees: Sequence[Sequence[int]],
    register: NDArray[Any],
) -> NDArray[Any]:
    """Return the registers of one tile: ``a`` (k, rows), ``b`` (k, columns). Buffers are used again and again."""
    spare: list[NDArray[Any]] = []

    def take() -> NDArray[Any]:
        return spare.pop() if spare else np.empty_like(register)

    def add(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
        total = take()
        kernels.add(left, right, total)
        spare.extend((left, right))
        return total

    k = 0
    for tree in trees:
        partial: list[NDArray[Any]] = []
        for joins in tree:
            product = take()
            kernels.multiply(a[k], b[k], product)
            partial.append(product)
            k += 1
            for _ in range(joins):
                right = partial.pop()
                partial.append(add(partial.pop(), right))
        register = add(register, partial.pop())
    return register
