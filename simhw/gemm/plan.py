"""Choose the fastest kernel that is proven to give the datapath's bits, and state the proof."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator, IntegerAccumulator
from simhw.accumulators.scaled import ScaledAccumulator
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values

Sums = NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int32] | NDArray[np.int64]

CANONICAL_NAN = np.array(0x7FFFFFFF, np.uint32).view(np.float32)[()]
"""The NaN that every kernel returns: what tensor cores return, and as fp16 their 0x7FFF."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which kernel runs, and why it gives the same bits as the definition."""

    kernel: str
    why: str


class Path(Protocol):
    """What a file of ``simhw/gemm/paths`` offers, under the name of its accumulator's file (``Accumulator.kind``).

    A path whose kernels take infinities and NaN themselves says so by ``TAKES_SPECIALS = True``.
    """

    def plan(self, accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
        """Choose a kernel for sums of ``k`` products. Raises InputError where none can."""
        ...

    def run(
        self,
        plan: Plan,
        accumulator: Accumulator,
        a: Values,
        b: Values,
        extents: tuple[Extent, Extent],
        c: NDArray[np.float32] | None,
    ) -> Sums:
        """Return the sums ``(batch, m, n)`` of ``a`` (batch, m, k) and ``b`` (batch, n, k), starting from ``c``.

        Integer accumulators may return integers in units of the product of the operands' least significant bits.
        """
        ...


def path_of(accumulator: Accumulator) -> Path:
    """Return the path that runs an accumulator."""
    return _path_named(accumulator.kind)


@cache
def _path_named(kind: str) -> Path:
    path: Path = importlib.import_module(f"simhw.gemm.paths.{kind}")
    return path


def is_scaled(accumulator: Accumulator) -> TypeGuard[ScaledAccumulator]:
    """Return whether an accumulator takes block scales itself (``isinstance`` of a protocol costs 40 microseconds)."""
    return hasattr(accumulator, "dot_scaled")


def is_integer(accumulator: Accumulator) -> TypeGuard[IntegerAccumulator]:
    """Return whether an accumulator is an integer register."""
    return hasattr(accumulator, "dot_integers")


def takes_specials(accumulator: Accumulator) -> bool:
    """Return whether the path's own kernels take infinities and NaN."""
    return bool(getattr(path_of(accumulator), "TAKES_SPECIALS", False))


def plan_sum(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Return the plan for sums of ``k`` products. Raises InputError where no kernel can hold the sum exactly."""
    chosen = path_of(accumulator).plan(accumulator, k, a, b)
    if (a.finite and b.finite) or takes_specials(accumulator):
        return chosen
    specials = "outputs with infinity or NaN among their terms follow IEEE 754"
    return Plan(kernel=chosen.kernel, why=f"{chosen.why}; {specials}")


def group_sums(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None = None,
) -> Sums:
    """Run a plan: the sums of one group of k for a batch of matrices (see :meth:`Path.run`)."""
    finite = extents[0].finite and extents[1].finite
    if finite or takes_specials(accumulator):
        return canonical_nan(path_of(accumulator).run(plan, accumulator, a, b, extents, c))
    return canonical_nan(_with_specials(plan, accumulator, a, b, extents, c))


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What happened on the way to sums.

    Attributes:
        overflows: sums that did not fit an integer register: they have wrapped, or were clamped at least once.
        slow_steps: steps for which no bound held, so that the kernel that does every product by itself ran.
        steps: all steps of a plan that decides step by step; 0 where one kernel ran for all.
    """

    overflows: int = 0
    slow_steps: int = 0
    steps: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            overflows=self.overflows + other.overflows,
            slow_steps=self.slow_steps + other.slow_steps,
            steps=self.steps + other.steps,
        )


def counted_sums(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None = None,
) -> tuple[Sums, Tally]:
    """Run a plan as :func:`group_sums` does; return also what happened, where the path offers ``run_counted``."""
    counted = getattr(path_of(accumulator), "run_counted", None)
    if counted is None or not (extents[0].finite and extents[1].finite):
        return group_sums(plan, accumulator, a, b, extents, c), Tally()
    sums, tally = counted(plan, accumulator, a, b, extents, c)
    return sums, tally


def canonical_nan(sums: Sums) -> Sums:
    """Return the sums with every NaN made :data:`CANONICAL_NAN`."""
    if sums.dtype == np.float32:
        from simhw.gemm.kernels.extent import has_nan

        if not sums.flags.c_contiguous or has_nan(sums.reshape(-1)):
            np.copyto(sums, CANONICAL_NAN, where=np.isnan(sums))
    return sums


def _with_specials(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None,
) -> Sums:
    """Run a plan for finite values with zeros in place of specials, then set the outputs that have any by IEEE 754.

    An infinite or NaN element makes every product that it takes part in special, so that exactly the rows of ``a``
    and the columns of ``b`` that hold one have special results: NaN, or the one infinity that occurs.
    """
    x, y = (np.where(np.isfinite(v), v, v.dtype.type(0)) for v in (a, b))
    sums: NDArray[Any]
    sums = path_of(accumulator).run(plan, accumulator, x, y, extents, c)
    if sums.dtype.kind == "i":
        sums = np.ldexp(sums.astype(np.float64), extents[0].unit + extents[1].unit)
    for i in range(a.shape[0]):
        left, right = a[i].astype(np.float64), b[i].astype(np.float64)
        addend = np.zeros(sums.shape[1:]) if c is None else c[i].astype(np.float64)
        rows, columns = (~np.isfinite(v).all(axis=1) for v in (left, right))
        with np.errstate(invalid="ignore"):
            sums[i, rows] = left[rows] @ right.T + addend[rows]
            sums[i][:, columns] = left @ right[columns].T + addend[:, columns]
    return sums
