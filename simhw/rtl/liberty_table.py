"""Tables of liberty files: a quantity over the slew at a pin and the load of an output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.rtl.liberty_text import Group

Floats = NDArray[np.float64]

_LOADS = ("total_output_net_capacitance", "related_pin_transition")
"""Variables that run along the columns of a table; every other runs along its rows."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Values over slew (ps) and load (fF); of a constraint, over the slews of data and clock.

    Attributes:
        slews: of the rows.
        loads: of the columns.
        values: ``[slew, load]``.
    """

    slews: Floats = field(repr=False)
    loads: Floats = field(repr=False)
    values: Floats = field(repr=False)

    def at(self, slew: Floats | float, load: Floats | float) -> Floats:
        """Return the values at slews and loads: bilinear between the points, and on along the last two beyond them."""
        row, along_row = _place(self.slews, np.asarray(slew, float))
        column, along_column = _place(self.loads, np.asarray(load, float))
        below, above = np.minimum(row + 1, len(self.slews) - 1), np.minimum(column + 1, len(self.loads) - 1)
        low = self.values[row, column] * (1 - along_column) + self.values[row, above] * along_column
        high = self.values[below, column] * (1 - along_column) + self.values[below, above] * along_column
        result: Floats = low * (1 - along_row) + high * along_row
        return result

    def plus(self, other: Table) -> Table:
        """Return the sum of two tables, over the points of both."""
        slews, loads = (_joint(a, b) for a, b in ((self.slews, other.slews), (self.loads, other.loads)))
        values = self.at(slews[:, None], loads[None, :]) + other.at(slews[:, None], loads[None, :])
        return Table(slews=slews, loads=loads, values=values)


def _joint(a: Floats, b: Floats) -> Floats:
    """Return the points of both axes; one point alone stands for any place and adds none."""
    if len(a) == 1 or len(b) == 1:
        return b if len(a) == 1 else a
    return np.union1d(a, b)


def _place(points: Floats, x: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return the interval of ``points`` to take for ``x``, and how far along it ``x`` lies."""
    if len(points) == 1:
        return np.zeros(x.shape, np.int64), np.zeros(x.shape)
    left = np.clip(np.searchsorted(points, x, "right") - 1, 0, len(points) - 2)
    return left, (x - points[left]) / (points[left + 1] - points[left])


@dataclass(frozen=True, kw_only=True)
class Units:
    """What one unit of a file is.

    Attributes:
        time_ps: of times.
        load_ff: of capacitances.
        power_nw: of leakage.
        energy_fj: of internal energies: capacitance times voltage squared.
    """

    time_ps: float
    load_ff: float
    power_nw: float
    energy_fj: float


class TableReader:
    """Reads the tables of one file: knows its templates and units."""

    def __init__(self, header: Group) -> None:
        self.units = _units(header)
        self._templates = {
            group.arguments: group.attributes for group in header.of("lu_table_template", "power_lut_template")
        }

    def read(self, group: Group, unit: float) -> Table:
        """Return a table with its values in ``unit``.

        Raises:
            InputError: its values and indices do not fit together.
        """
        template = self._templates.get(group.arguments, {})
        values = _numbers(group.attributes.get("values", ""), group) * unit
        axes: dict[bool, Floats] = {}
        order = []
        for number in ("1", "2"):
            text = group.attributes.get(f"index_{number}", template.get(f"index_{number}"))
            if text is None or group.arguments == "scalar":
                continue
            variable = template.get(f"variable_{number}", "")
            along_columns = variable in _LOADS
            scale = self.units.load_ff if "capacitance" in variable else self.units.time_ps
            axes[along_columns] = _numbers(text, group) * scale
            order.append(along_columns)
        size = int(np.prod([len(axis) for axis in axes.values()]))
        if len(order) != len(axes) or len(values) != size:
            raise InputError(
                f"table {group.kind} ({group.arguments}) has {len(values)} values for {size} pairs of indices; correct "
                "the liberty file"
            )
        slews, loads = axes.get(False, np.zeros(1)), axes.get(True, np.zeros(1))
        transposed = order == [True, False]
        shaped = values.reshape(len(loads), len(slews)).T if transposed else values.reshape(len(slews), len(loads))
        return Table(slews=slews, loads=loads, values=np.ascontiguousarray(shaped))


def _numbers(text: str, group: Group) -> Floats:
    try:
        return np.array(text.replace(",", " ").replace("\\", " ").split(), dtype=float)
    except ValueError as error:
        raise InputError(
            f"table {group.kind} ({group.arguments}) has the values {text[:40]!r}, must be numbers ({error}); correct "
            "the liberty file"
        ) from error


_EXPONENTS = {"": 0, "f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "k": 3}


def _units(header: Group) -> Units:
    attributes: Mapping[str, str] = header.attributes
    words = attributes.get("capacitive_load_unit", "1,pf").replace(",", " ").split()
    load_ff = _quantity("".join(words), "f", -15)
    volts = _quantity(attributes.get("voltage_unit", "1V"), "v", 0)
    return Units(
        time_ps=_quantity(attributes.get("time_unit", "1ns"), "s", -12),
        load_ff=load_ff,
        power_nw=_quantity(attributes.get("leakage_power_unit", "1nW"), "w", -9),
        energy_fj=load_ff * volts * volts,
    )


def _quantity(text: str, unit: str, exponent: int) -> float:
    """Return ``text`` (``1ps``, ``10ff``) in units of ten to the ``exponent``."""
    given = text.strip().lower()
    digits = given.rstrip("abcdefghijklmnopqrstuvwxyz ")
    prefix = given[len(digits) :].strip().removesuffix(unit)
    try:
        return float(digits) * 10.0 ** (_EXPONENTS[prefix] - exponent)
    except (KeyError, ValueError) as error:
        raise InputError(
            f"unit is {text!r} in the liberty file, must be a number and a unit, as in 1p{unit}; correct its header"
        ) from error
