"""What integer accumulators share: operands in units, addends in units, bounds, chunks of exact sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.accumulators import Exact
from simhw.errors import InputError
from simhw.gemm.extent import Extent
from simhw.gemm.operand import Values
from simhw.gemm.paths import exact, int8
from simhw.gemm.plan import Plan, Sums

FLOAT32_INTEGERS = 24
FLOAT64_INTEGERS = 53
SGEMM_CHUNKS = "sgemm_chunks"
"""BLAS in fp32 for as many products as it sums exactly, their sums added in fp64."""
SHORTEST_CHUNK = 256
"""Chunks from this length on are worth it: fp32 is twice as fast as fp64."""


def largest_product(a: Extent, b: Extent) -> int:
    """Return the bound on a product in units."""
    return a.largest * b.largest


def in_units(values: Values, extent: Extent, kind: type[np.float32] | type[np.float64]) -> NDArray[Any]:
    """Return values divided by their unit: integers, in a float type that holds them."""
    integers = values if extent.unit == 0 else np.ldexp(values, -extent.unit)
    return np.ascontiguousarray(integers, kind)


def addend_in_units(
    c: NDArray[np.float32] | None, shape: tuple[int, int, int], extents: tuple[Extent, Extent]
) -> NDArray[np.int64]:
    """Return what integer registers hold at the start: the addend in units, or zero.

    Raises:
        InputError: the addend is no whole number of units.
    """
    if c is None:
        return np.zeros(shape, np.int64)
    unit = extents[0].unit + extents[1].unit
    units = np.ldexp(c.astype(np.float64), -unit)
    if not np.all(np.isfinite(units) & (units == np.rint(units))) or np.any(np.abs(units) >= 2.0**62):
        raise InputError(
            f"c holds values that are no whole multiples of 2^{unit}, the unit of an integer accumulator;"
            " round it first"
        )
    return units.astype(np.int64)


def plan_exact(k: int, a: Extent, b: Extent, why: str) -> Plan:
    """Return the plan of exact sums, for reasons given."""
    if max(a.largest, b.largest) <= int8.LARGEST + 1 and int8.has_dot_products():
        fast = exact.plan_int8(k, a, b)
        if fast is not None:
            return Plan(kernel=fast.kernel, why=f"{why}; {fast.why}")
    chosen = exact.plan(Exact(), k, a, b)
    narrow = max(a.largest, b.largest) < 1 << FLOAT32_INTEGERS
    if chosen.kernel == exact.DGEMM and narrow and _chunk_length(a, b) >= SHORTEST_CHUNK:
        chosen = Plan(
            kernel=SGEMM_CHUNKS,
            why=f"chunks of {_chunk_length(a, b)} products stay below 2^{FLOAT32_INTEGERS} units, exact in fp32 in any "
            "order of summation; their sums are added in fp64, exactly",
        )
    return Plan(kernel=chosen.kernel, why=f"{why}; {chosen.why}")


def run_exact(plan: Plan, a: Values, b: Values, extents: tuple[Extent, Extent]) -> Sums:
    """Return exact sums: values, or integers in units."""
    if plan.kernel == int8.INT8:
        x, y = (int8.as_int8(v, extent) for v, extent in zip((a, b), extents, strict=True))
        if x is not None and y is not None:
            return int8.dot(x, y)
        plan = exact.plan(Exact(), a.shape[2], *extents)  # +128 occurs
    if plan.kernel != SGEMM_CHUNKS:
        return exact.run(plan, Exact(), a, b, extents, None)
    every = _chunk_length(*extents)
    total = np.zeros((a.shape[0], a.shape[1], b.shape[1]))
    for first in range(0, a.shape[2], every):
        ks = slice(first, first + every)
        total += np.matmul(a[:, :, ks], b[:, :, ks].swapaxes(1, 2))
    return total


def exact_in_units(plan: Plan, a: Values, b: Values, extents: tuple[Extent, Extent]) -> NDArray[np.int64]:
    """Return exact sums as int64 in units."""
    sums = run_exact(plan, a, b, extents)
    if sums.dtype.kind != "i":
        sums = np.ldexp(sums.astype(np.float64), -extents[0].unit - extents[1].unit)
    return np.asarray(sums, np.int64)


def _chunk_length(a: Extent, b: Extent) -> int:
    """Return how many products fp32 sums exactly."""
    return ((1 << FLOAT32_INTEGERS) - 1) // max(1, largest_product(a, b))


def chunk_sums(
    a: Values, b: Values, extents: tuple[Extent, Extent], every: int
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield each chunk of ``every`` products and its exact sums ``(batch, m, n)`` in units, flat."""
    bits = (every * largest_product(*extents)).bit_length()
    kind = np.float32 if bits <= FLOAT32_INTEGERS else np.float64
    x, y = (in_units(v, extent, kind) for v, extent in zip((a, b), extents, strict=True))
    for first in range(0, a.shape[2], every):
        ks = slice(first, first + every)
        yield ks, np.matmul(x[:, :, ks], y[:, :, ks].swapaxes(1, 2)).reshape(-1)


def check_chunk(every: int, a: Extent, b: Extent) -> None:
    """Raise InputError where the exact sum of a chunk would not fit fp64."""
    bits = (every * largest_product(a, b)).bit_length()
    if bits > FLOAT64_INTEGERS:
        raise InputError(
            f"a chunk of {every} products can need {bits + 1} bits, {FLOAT64_INTEGERS + 1} are carried;"
            " choose shorter chunks or narrower operands"
        )
