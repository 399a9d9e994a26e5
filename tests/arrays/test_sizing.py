"""The largest array within a budget: against a search through all arrays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.arrays import array_area
from simhw.arrays.sizing import Sides, Sized, largest_array
from simhw.costs import load_table
from simhw.errors import InputError
from simhw.pes import get_pe
from simhw.pes.price import price

TABLE = load_table("horowitz_45nm")


def area_mm2(name: str, rows: int, columns: int) -> float:
    pe = get_pe(name)
    settings = {"dataflow": "output_stationary", "accumulator_bits": 32, "group_size": pe.block_size or 128}
    return array_area(pe, TABLE, rows=rows, columns=columns, **settings).total_um2 * 1e-6


def allowed(sides: Sides, rows: int, columns: int) -> bool:
    if sides is Sides.SQUARE:
        return rows == columns
    near = max(rows, columns) <= 2 * min(rows, columns)
    return near and (sides is Sides.ANY or (rows & (rows - 1)) == (columns & (columns - 1)) == 0)


@pytest.mark.parametrize("sides", Sides)
@pytest.mark.parametrize("name", ["int8_mac", "mixpe_w4a8", "w4a8_dequantize_first"])
@given(budget=st.floats(0.02, 0.1))
def test_no_larger_array_fits(name: str, sides: Sides, budget: float):
    found = largest_array(get_pe(name), TABLE, area_mm2=budget, sides=sides)
    assert found.area_um2 == pytest.approx(area_mm2(name, found.rows, found.columns) * 1e6)
    assert found.area_um2 * 1e-6 <= budget
    sizes = [
        rows * columns
        for rows in range(1, 25)
        for columns in range(1, 25)
        if allowed(sides, rows, columns) and area_mm2(name, rows, columns) <= budget
    ]
    assert found.pes == max(sizes)


@given(budget=st.floats(0.5, 50), clock=st.floats(50, 2000))
def test_power_is_energy_per_cycle_times_clock(budget: float, clock: float):
    pe = get_pe("int8_mac")
    each = price(pe, TABLE, 32).energy_pj * 1e-12 * clock * 1e6 * 1e3  # milliwatts
    if each > budget:
        with pytest.raises(InputError, match="one int8_mac in horowitz_45nm takes"):
            largest_array(pe, TABLE, power_mw=budget, clock_mhz=clock)
        return
    found = largest_array(pe, TABLE, power_mw=budget, clock_mhz=clock)
    assert found.power_mw == pytest.approx(found.pes * each)
    assert found.pes * each <= budget * (1 + 1e-12) < (found.rows + 1) ** 2 * each * (1 + 1e-9)


@given(count=st.integers(1, 5000))
def test_equally_many(count: int):
    square = largest_array(get_pe("int8_mac"), TABLE, pes=count)
    assert square.rows**2 <= count < (square.rows + 1) ** 2
    free: Sized = largest_array(get_pe("int8_mac"), TABLE, pes=count, sides=Sides.ANY)
    assert square.pes <= free.pes <= count


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({}, "0 budgets were given, one of area_mm2, power_mw, pes is needed"),
        ({"area_mm2": 1, "pes": 3}, "2 budgets were given"),
        ({"area_mm2": 0}, "area_mm2 is 0, must be greater than 0"),
        ({"area_mm2": float("inf")}, "area_mm2 is inf"),
        ({"pes": 9, "clock_mhz": -1}, "clock_mhz is -1"),
        ({"area_mm2": 1e-6}, "one int8_mac in horowitz_45nm takes 0.0007"),
        ({"pes": 9, "sides": "square"}, "sides is 'square', must be one of Sides.SQUARE"),
        ({"pes": 9, "dataflow": "none"}, "dataflow is 'none', which is not known"),
    ],
)
def test_budgets_that_are_refused(budget: dict, message: str):
    with pytest.raises(InputError, match=message):
        largest_array(get_pe("int8_mac"), TABLE, **budget)


def test_rows_to_choose_among():
    """Of the given rows the one whose widest array has most PEs; nothing of more rows than fit."""
    pe = get_pe("mixpe_w4a8")
    found = largest_array(pe, TABLE, area_mm2=0.5, rows=(16, 32, 64))
    sizes = {
        rows: max(columns for columns in range(1, 100) if area_mm2("mixpe_w4a8", rows, columns) <= 0.5)
        for rows in (16, 32, 64)
    }
    assert found.columns == sizes[found.rows]
    assert found.pes == max(rows * columns for rows, columns in sizes.items())
    with pytest.raises(InputError, match=r"holds no array of \[5000\] rows; give fewer rows"):
        largest_array(pe, TABLE, area_mm2=0.5, rows=(5000,))
    with pytest.raises(InputError, match="rows is 0"):
        largest_array(pe, TABLE, area_mm2=0.5, rows=(0,))
