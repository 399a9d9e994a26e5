"""SRAM macros by capacity and width of a word: points of a memory model, what lies between them, and their fit.

A table ``simhw/costs/srams/NAME.toml`` states node, voltage, temperature, source, the settings to repeat it, and one
line for each macro. Between the points every figure is a power of capacity and of width (bilinear in logarithms); at a
point it is the point's own. Beyond the points it goes on from the nearest with the powers of the fit: one law
``factor * capacity ** a * width ** b`` of least squares in logarithms, whose error over the points is stated.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError, unknown_name

_FOLDER = "simhw.costs.srams"


class MacroFigure(Enum):
    """What a line of a table states of a macro; the names carry the units."""

    READ = "read_pj"
    """Energy to read one word."""
    WRITE = "write_pj"
    """Energy to write one word."""
    LEAKAGE = "leakage_mw"
    """Power that leaks."""
    AREA = "area_mm2"
    """Area."""


COLUMNS = ("ports", "capacity_kib", "width_bits", *(figure.value for figure in MacroFigure))
"""Of each line of a table."""


@dataclass(frozen=True, kw_only=True)
class SurfaceLaw:
    """``factor * capacity_kib ** capacity_power * width_bits ** width_power``.

    Attributes:
        factor: value at 1 KiB and 1 bit.
        capacity_power, width_power: exponents.
        max_error, rms_error: relative errors over the points.
    """

    factor: float
    capacity_power: float
    width_power: float
    max_error: float
    rms_error: float


@dataclass(frozen=True, kw_only=True)
class SramTable:
    """Macros of one kind of cell in one node.

    Attributes:
        name: entry name, equal to the file name.
        description: one sentence.
        node_nm, voltage_v, temperature_k: of all points.
        source: where the points come from.
        command: what was run for each point.
        configuration: its settings, the same for all points.
        points: lines of ``COLUMNS``.
    """

    name: str
    description: str
    node_nm: float
    voltage_v: float
    temperature_k: float
    source: str
    command: str
    configuration: str
    points: tuple[tuple[float, ...], ...] = field(repr=False)

    @property
    def ports(self) -> tuple[int, ...]:
        """Numbers of read-write ports that macros have."""
        return tuple(sorted(self._grids))

    @property
    def widest_bits(self) -> int:
        """Width of the widest word."""
        return int(max(point[2] for point in self.points))

    def value(self, figure: MacroFigure, capacity_kib: float, width_bits: float, ports: int = 1) -> float:
        """Return a figure of one macro, in the unit that its name carries.

        Raises:
            InputError: the table has no macros of so many ports, or a size is not positive.
        """
        if ports not in self._grids:
            allowed = ", ".join(map(str, self.ports))
            raise InputError(f"SRAM ports is {ports}, macros of {self.name} have {allowed}; choose one")
        if not capacity_kib > 0 or not width_bits > 0:
            raise InputError(
                f"an SRAM macro has {capacity_kib} KiB and words of {width_bits} bits, must be greater than 0"
            )
        capacities, widths, grids = self._grids[ports]
        x, y = float(np.log(capacity_kib)), float(np.log(width_bits))
        inside = _bilinear(capacities, widths, grids[figure], x, y)
        law = self.fit(figure, ports)
        x_beyond = x - min(max(x, capacities[0]), capacities[-1])
        y_beyond = y - min(max(y, widths[0]), widths[-1])
        return float(np.exp(inside + law.capacity_power * x_beyond + law.width_power * y_beyond))

    def fit(self, figure: MacroFigure, ports: int = 1) -> SurfaceLaw:
        """Return the one law of least squares through all points of so many ports."""
        return self._fits[figure, ports]

    @cached_property
    def _grids(self) -> dict[int, tuple[list[float], list[float], dict[MacroFigure, NDArray[np.float64]]]]:
        """Ports -> logarithms of capacities, of widths, and of every figure, (capacities, widths)."""
        found = {}
        for ports in {int(point[0]) for point in self.points}:
            chosen = sorted(point for point in self.points if point[0] == ports)
            capacities, widths = ({point[i] for point in chosen} for i in (1, 2))
            sizes = len(capacities), len(widths)
            found[ports] = (
                sorted(map(float, np.log(list(capacities)))),
                sorted(map(float, np.log(list(widths)))),
                {
                    figure: np.log([point[3 + i] for point in chosen]).reshape(sizes)
                    for i, figure in enumerate(MacroFigure)
                },
            )
        return found

    @cached_property
    def _fits(self) -> dict[tuple[MacroFigure, int], SurfaceLaw]:
        found = {}
        for ports, (capacities, widths, grids) in self._grids.items():
            x, y = (axis.ravel() for axis in np.meshgrid(capacities, widths, indexing="ij"))
            for figure, grid in grids.items():
                columns = np.stack([np.ones_like(x), x, y], axis=1)
                law = np.linalg.lstsq(columns, grid.ravel(), rcond=None)[0]
                errors = np.expm1(columns @ law - grid.ravel())
                found[figure, ports] = SurfaceLaw(
                    factor=float(np.exp(law[0])),
                    capacity_power=float(law[1]),
                    width_power=float(law[2]),
                    max_error=float(np.abs(errors).max()),
                    rms_error=float(np.sqrt(np.mean(errors**2))),
                )
        return found


def _bilinear(xs: list[float], ys: list[float], grid: NDArray[np.float64], x: float, y: float) -> float:
    """Return the value at the place in the grid that is nearest to (x, y)."""
    rows = [float(np.interp(y, ys, row)) for row in grid]
    return float(np.interp(x, xs, rows))


def sram_names() -> list[str]:
    """Return the names of the tables that ship, sorted."""
    files = resources.files(_FOLDER).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


@lru_cache
def load_sram(name: str) -> SramTable:
    """Return the shipped table called ``name``.

    Raises:
        InputError: there is no such table.
    """
    if name not in sram_names():
        raise unknown_name("sram", name, sram_names())
    return parse_sram((resources.files(_FOLDER) / f"{name}.toml").read_text("utf-8"), name)


def parse_sram(text: str, name: str) -> SramTable:
    """Return the table that the TOML ``text`` describes.

    Raises:
        InputError: the text is no TOML, a key is missing or unknown, a number is not positive, or the points of some
            number of ports are no full grid of at least two capacities by two widths.
    """
    where = f"SRAM table {name!r}"
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is not valid TOML ({error}); correct that line") from error
    needed = {"columns", *(each.name for each in fields(SramTable))} - {"name"}
    for odd in sorted(needed ^ data.keys()):
        raise InputError(f"{where} {'lacks' if odd in needed else 'has the unknown key'} {odd!r}; correct it")
    if tuple(data["columns"]) != COLUMNS:
        raise InputError(f"columns of {where} are {data['columns']!r}, must be {', '.join(COLUMNS)}; correct them")
    points = tuple(tuple(_positive(number, f"a point of {where}") for number in point) for point in data["points"])
    _check_grid(points, where)
    return SramTable(
        name=name,
        points=points,
        node_nm=_positive(data["node_nm"], f"node_nm of {where}"),
        voltage_v=_positive(data["voltage_v"], f"voltage_v of {where}"),
        temperature_k=_positive(data["temperature_k"], f"temperature_k of {where}"),
        description=_text(data, "description", where),
        source=_text(data, "source", where),
        command=_text(data, "command", where),
        configuration=_text(data, "configuration", where),
    )


def _check_grid(points: tuple[tuple[float, ...], ...], where: str) -> None:
    if any(len(point) != len(COLUMNS) for point in points) or not points:
        raise InputError(f"points of {where} must each have {len(COLUMNS)} numbers, one for each column; correct them")
    for ports in {point[0] for point in points}:
        sizes = [point[1:3] for point in points if point[0] == ports]
        capacities, widths = ({size[i] for size in sizes} for i in (0, 1))
        full = len(set(sizes)) == len(sizes) == len(capacities) * len(widths)
        if not full or min(len(capacities), len(widths)) < 2:
            raise InputError(
                f"points of {where} with {ports:g} ports are {len(sizes)}, must be every capacity with every width "
                "once, at least two of each; complete them"
            )


def _positive(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InputError(f"{what} is {value!r}, must be a positive number; correct it")
    return float(value)


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    value = data[key]
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{key} of {where} is {value!r}, must be a sentence; write where the numbers come from")
    return value
