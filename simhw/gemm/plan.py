"""Choose the fastest kernel that is proven to give the datapath's bits, and state the proof."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Accumulator
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values

Sums = NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int64]

DEFINITION = "definition"
"""The kernel that runs where an operand holds infinities or NaN: the accumulator's definition itself."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which kernel runs, and why it gives the same bits as the definition."""

    kernel: str
    why: str


class Path(Protocol):
    """What a file of ``simhw/gemm/paths`` offers, under the name of its accumulator's file (``Accumulator.kind``)."""

    def plan(self, accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
        """Choose a kernel for sums of ``k`` products of finite operands. Raises InputError where none can."""
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

        Integer accumulators may return int64 in units of the product of the operands' least significant bits.
        """
        ...


def path_of(accumulator: Accumulator) -> Path:
    """Return the path that runs an accumulator."""
    path: Path = importlib.import_module(f"simhw.gemm.paths.{accumulator.kind}")
    return path


def plan_sum(accumulator: Accumulator, k: int, a: Extent, b: Extent) -> Plan:
    """Return the plan for sums of ``k`` products. Raises InputError where no kernel can hold the sum exactly."""
    if not (a.finite and b.finite):
        return Plan(kernel=DEFINITION, why="an operand holds infinity or NaN: outputs are computed one by one")
    return path_of(accumulator).plan(accumulator, k, a, b)


def group_sums(
    plan: Plan,
    accumulator: Accumulator,
    a: Values,
    b: Values,
    extents: tuple[Extent, Extent],
    c: NDArray[np.float32] | None = None,
) -> Sums:
    """Run a plan: the sums of one group of k for a batch of matrices (see :meth:`Path.run`)."""
    if plan.kernel == DEFINITION:
        return _by_definition(accumulator, a, b, c)
    return path_of(accumulator).run(plan, accumulator, a, b, extents, c)


def _by_definition(
    accumulator: Accumulator, a: Values, b: Values, c: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    out = np.zeros((a.shape[0], a.shape[1], b.shape[1]), np.float32) if c is None else c.copy()
    for i, m, n in np.ndindex(*out.shape):
        out[i, m, n] = float(accumulator.dot(a[i, m].tolist(), b[i, n].tolist(), float(out[i, m, n])))
    return out
