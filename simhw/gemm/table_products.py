"""Matrix products whose single products come from a table: inexact multipliers, any function of two codes.

The sums are exact integers. Where a PE's product is exact, ``simhw.matmul`` is the faster way to the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import IntegerFormat, get_element_format
from simhw.gemm.codes import take_codes
from simhw.gemm.multipliers import get_multiplier
from simhw.gemm.plan import Plan
from simhw.gemm.threads import over_rows

SHUFFLED = "table_shuffles"
"""Numba: rows of the table in vector registers, 64 products at a time, sums in int32."""
LOOKED_UP = "table_look_ups"
"""Numba: one look-up per product, sums in int64."""
CODE_BITS = 8
INT32_LIMIT, INT64_LIMIT = 1 << 31, 1 << 62


@dataclass(frozen=True, kw_only=True, eq=False)
class ProductTable:
    """What a multiplier makes of every pair of codes.

    Attributes:
        activation, weight: integer formats of at most 8 bits.
        products: ``(256, 256)`` int32 by activation code and weight code, zero beyond the formats' codes.
    """

    activation: str
    weight: str
    products: NDArray[np.int32]

    @cached_property
    def largest(self) -> int:
        """Largest magnitude of a product."""
        return int(np.abs(self.products.astype(np.int64)).max())

    @cached_property
    def halves(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Low and high bytes of products of at most 16 bits."""
        words = self.products.astype(np.int16).view(np.uint16)
        return (words & 0xFF).astype(np.uint8), (words >> 8).astype(np.uint8)

    @property
    def fits_int16(self) -> bool:
        """Whether every product has at most 16 bits."""
        return int(self.products.min()) >= -(1 << 15) and int(self.products.max()) < 1 << 15


def product_table(
    multiplier: str | Callable[[int, int], int], activation: str = "int8", weight: str = "int8"
) -> ProductTable:
    """Return the table of a multiplier: a name of :data:`simhw.gemm.multipliers.MULTIPLIERS`, or a function.

    The function takes the two integers that the codes stand for.

    Raises InputError for unknown names, formats that are no integers of at most 8 bits, and products beyond int32.

    >>> product_table("mitchell").products[12, 12]
    np.int32(128)
    """
    multiply = get_multiplier(multiplier).multiply if isinstance(multiplier, str) else multiplier
    rows, columns = (_integers(name) for name in (activation, weight))
    products = np.zeros((1 << CODE_BITS, 1 << CODE_BITS), np.int32)
    for i, x in enumerate(rows):
        for j, y in enumerate(columns):
            value = multiply(x, y)
            if not -INT32_LIMIT <= value < INT32_LIMIT:
                raise InputError(f"the product of {x} and {y} is {value}, must fit int32; scale the multiplier")
            products[i, j] = value
    return ProductTable(activation=activation, weight=weight, products=products)


def _integers(name: str) -> list[int]:
    """Return the integer that each code of a format stands for."""
    form = get_element_format(name)
    if not isinstance(form, IntegerFormat) or form.bits > CODE_BITS or form.fraction_bits:
        raise InputError(f"format is {name!r}, a table has integer formats of at most 8 bits; take int8 or uint4")
    top = form.max_integer_code
    return [code if code <= top else code - form.code_count for code in range(form.code_count)]


def plan_table_products(k: int, table: ProductTable) -> Plan:
    """Return which kernel sums ``k`` products, and why exactly. Raises InputError where 64 bits might not hold them."""
    from simhw.gemm.kernels.product_table import has_table_shuffles

    largest = k * table.largest
    if largest >= INT64_LIMIT:
        raise InputError(f"{k} products of up to {table.largest} can exceed 63 bits; sum fewer at once")
    if table.fits_int16 and largest < INT32_LIMIT and has_table_shuffles():
        why = f"products have 16 bits, sums of {k} stay below 2^{max(1, largest.bit_length())}: exact in int32"
        return Plan(kernel=SHUFFLED, why=f"{why}; rows of the table are looked up by shuffles of bytes")
    return Plan(kernel=LOOKED_UP, why=f"sums of {k} products of up to {table.largest} are exact in int64")


def table_products(a_codes: Any, b_codes: Any, table: ProductTable) -> NDArray[np.int64]:
    """Return ``(m, n)`` sums over k of the table's products of codes ``(m, k)`` and ``(k, n)``.

    Args:
        a_codes: codes of the table's activation format (or an array of exactly its dtype, as int8).
        b_codes: codes of its weight format.
        table: see :func:`product_table`.

    Raises:
        InputError: codes that the formats have not, shapes that do not match, sums that 64 bits might not hold.

    >>> table_products([[3, 5]], [[3], [250]], product_table("exact"))
    array([[-21]])
    """
    a, _ = take_codes(a_codes, (table.activation,), "a_codes")
    b, _ = take_codes(b_codes, (table.weight,), "b_codes")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise InputError(f"shapes are {a.shape} and {b.shape}, must be (m, k) and (k, n); reshape or transpose them")
    return run_table_products(plan_table_products(a.shape[1], table), a, b, table)


def run_table_products(plan: Plan, a: NDArray[Any], b: NDArray[Any], table: ProductTable) -> NDArray[np.int64]:
    """Return the sums for checked codes by one kernel."""
    from simhw.gemm.kernels.product_table import looked_up_products

    if min(a.shape + b.shape) == 0:
        return np.zeros((a.shape[0], b.shape[1]), np.int64)
    left, right = np.ascontiguousarray(a, np.uint8), np.ascontiguousarray(b, np.uint8)
    if plan.kernel == SHUFFLED:
        return _shuffled(left, right, table).astype(np.int64)
    out = np.zeros((a.shape[0], b.shape[1]), np.int64)
    over_rows(
        lambda _, first, last: looked_up_products(left[first:last], right, table.products, out[first:last]),
        1,
        a.shape[0],
    )
    return out


def _shuffled(a: NDArray[np.uint8], b: NDArray[np.uint8], table: ProductTable) -> NDArray[np.int32]:
    from simhw.gemm.kernels.product_table import COLUMNS, ROWS, column_order, shuffled_products

    depth, n = b.shape
    slivers = -(-n // COLUMNS)
    spread = np.zeros((depth, slivers * COLUMNS), np.uint8)
    spread[:, :n] = b
    panels = spread.reshape(depth, slivers, COLUMNS)[:, :, column_order()]
    packed = np.ascontiguousarray(panels.swapaxes(0, 1))
    out = np.empty((a.shape[0], n), np.int32)
    low, high = table.halves
    over_rows(
        lambda _, first, last: shuffled_products(a[first:last], packed, low, high, out[first:last]),
        1,
        a.shape[0],
        step=ROWS,
    )
    return out


def table_product_exact(a_codes: list[int], b_codes: list[int], multiplier: Callable[[int, int], int]) -> int:
    """Return one sum of products of integers: the definition.

    >>> table_product_exact([3, 5], [3, -6], lambda x, y: x * y)
    -21
    """
    return sum(multiplier(x, y) for x, y in zip(a_codes, b_codes, strict=True))
