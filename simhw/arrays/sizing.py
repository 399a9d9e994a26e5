"""The largest array of a PE within an area, a power or a number of PEs.

Area is that of the array with its dequantizers (``array_area``); what stands beside it, such as buffers, can be set off
against the budget. Power is that of all PEs at work in every cycle, operand registers and accumulators included;
leakage, dequantizers, buffers and DRAM are not in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from simhw.arrays.area import array_area
from simhw.arrays.base import check_choice, check_positive
from simhw.costs import CostTable
from simhw.errors import InputError
from simhw.pes import ProcessingElement
from simhw.pes.price import price

MOST = 1 << 16
"""Rows or columns of an array, at most."""
WIDEST = 2
"""Ratio of the sides of an array that need not be square, at most."""


class Sides(Enum):
    """Which arrays are looked at."""

    SQUARE = "square"
    """As many rows as columns."""
    POWERS_OF_TWO = "powers_of_two"
    """Both sides a power of two, one at most twice the other."""
    ANY = "any"
    """Any sides, one at most twice the other."""


@dataclass(frozen=True, kw_only=True)
class Sized:
    """An array that fits.

    Attributes:
        rows, columns: of PEs.
        area_um2: of the array, in square micrometres.
        power_mw: of its PEs, in milliwatts.
    """

    rows: int
    columns: int
    area_um2: float
    power_mw: float

    @property
    def pes(self) -> int:
        """Processing elements."""
        return self.rows * self.columns


def largest_array(
    pe: ProcessingElement,
    table: CostTable,
    *,
    area_mm2: float | None = None,
    power_mw: float | None = None,
    pes: int | None = None,
    sides: Sides = Sides.SQUARE,
    rows: Sequence[int] | None = None,
    dataflow: str = "output_stationary",
    accumulator_bits: int = 32,
    group_size: int = 128,
    clock_mhz: float = 500.0,
    beside_mm2: float = 0.0,
) -> Sized:
    """Return the array with most PEs within one budget; of equally many, the one nearest to a square.

    Args:
        pe: what stands in every place.
        table: technology.
        area_mm2: budget in square millimetres.
        power_mw: budget in milliwatts.
        pes: budget in processing elements.
        sides: which arrays are looked at.
        rows: to choose among, with any number of columns, instead of ``sides``; for a batch that they divide.
        dataflow: of the array.
        accumulator_bits: where the PE's accumulator is a choice.
        group_size: of groups that are dequantized.
        clock_mhz: of the array, for its power.
        beside_mm2: area of what stands beside the array (buffers), which a budget of area has to hold too.

    Raises:
        InputError: no budget or several, one that is not positive or does not hold one PE, unknown names.
    """
    budgets = {"area_mm2": area_mm2, "power_mw": power_mw, "pes": pes}
    given = {name: value for name, value in budgets.items() if value is not None}
    if len(given) != 1:
        raise InputError(f"{len(given)} budgets were given, one of {', '.join(budgets)} is needed; give exactly one")
    ((name, budget),) = given.items()
    for what, value in ((name, budget), ("clock_mhz", clock_mhz)):
        if isinstance(value, bool) or not 0 < value < math.inf:
            raise InputError(f"{what} is {value!r}, must be greater than 0; give a positive number")
    check_choice("sides", sides, Sides)
    for row in rows or ():
        check_positive("rows", row)
    check_positive("group size", group_size)
    width = pe.fixed_accumulator_bits or max(accumulator_bits, pe.least_accumulator_bits)

    def area_um2(rows: int, columns: int) -> float:
        return array_area(
            pe,
            table,
            dataflow=dataflow,
            rows=rows,
            columns=columns,
            accumulator_bits=width,
            group_size=group_size,
        ).total_um2

    cycle_pj = price(pe, table, width).energy_pj

    def power(rows: int, columns: int) -> float:
        return rows * columns * cycle_pj * clock_mhz * 1e-3  # pJ x MHz = uW

    def fits(rows: int, columns: int) -> bool:
        area_mm2 = area_um2(rows, columns) * 1e-6 + beside_mm2
        used = {"area_mm2": area_mm2, "power_mw": power(rows, columns), "pes": rows * columns}
        return used[name] <= budget

    if not fits(1, 1):
        beside = f" beside {beside_mm2:.3g} mm2 of buffers" if beside_mm2 else ""
        raise InputError(
            f"{name} is {budget:g}, one {pe.name} in {table.name} takes {area_um2(1, 1) * 1e-6:.3g} mm2 and "
            f"{power(1, 1):.3g} mW{beside}; give a larger budget"
        )
    sizes = _candidates(sides, fits) if rows is None else _of_rows(rows, fits)
    found = max(sizes, key=lambda size: (size[0] * size[1], -abs(size[0] - size[1]), size[0]), default=None)
    if found is None:
        raise InputError(f"{name} is {budget:g}, which holds no array of {list(rows or ())} rows; give fewer rows")
    return Sized(rows=found[0], columns=found[1], area_um2=area_um2(*found), power_mw=power(*found))


def _candidates(sides: Sides, fits: Callable[[int, int], bool]) -> Iterator[tuple[int, int]]:
    """Yield arrays that fit, the largest of each kind among them; costs grow with both sides."""
    match sides:
        case Sides.SQUARE:
            side = _most(lambda n: fits(n, n))
            yield side, side
        case Sides.POWERS_OF_TWO:
            powers = [1 << bit for bit in range(MOST.bit_length())]
            yield from ((r, c) for r in powers for c in (r // 2, r, 2 * r) if 0 < c <= MOST and fits(r, c))
        case Sides.ANY:
            rows = 1
            while rows <= MOST and fits(rows, -(-rows // WIDEST)):
                yield rows, min(_most(lambda n, rows=rows: fits(rows, n)), WIDEST * rows)  # type: ignore[misc]
                rows += 1


def _of_rows(rows: Sequence[int], fits: Callable[[int, int], bool]) -> Iterator[tuple[int, int]]:
    """Yield the widest array of each number of rows."""
    for row in rows:
        if fits(row, 1):
            yield row, _most(lambda n, row=row: fits(row, n))  # type: ignore[misc]


def _most(fits: Callable[[int], bool]) -> int:
    """Return the largest size from 1 to ``MOST`` that fits, given that 1 does."""
    low, high = 1, MOST + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
