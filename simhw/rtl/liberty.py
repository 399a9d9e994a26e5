"""A standard-cell library of one liberty file or several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from simhw.errors import InputError
from simhw.rtl.liberty_cell import Cell, read_cell
from simhw.rtl.liberty_table import TableReader
from simhw.rtl.liberty_text import LibertyText, read_liberty_text

DONT_USE = ("*xp*_ASAP7*", "*x1p*_ASAP7*", "SDF*_ASAP7*", "ICG*_ASAP7*", "DFFHQx4_ASAP7*", "*dlygate*")
"""Cells that synthesis leaves out besides those that the library itself forbids: cells of ASAP7 of less than one fin
pair or between sizes, as its own flow does; its one flip-flop without an inverted output, four times as strong as the
others (a weak one and an inverter are smaller); delay cells, which are no buffers."""


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What decides whether synthesis may take a cell.

    Attributes:
        name: of the cell.
        area_um2: footprint.
        truth: table of a gate with one output; empty for any other cell.
        flip_flop: whether it is a plain flip-flop.
    """

    name: str
    area_um2: float
    truth: tuple[bool, ...] = field(repr=False)
    flip_flop: bool


@dataclass(frozen=True, kw_only=True)
class Library:
    """One standard-cell library, of one file or several.

    Attributes:
        name: common part of the names in the files.
        files: the texts.
        voltage_v: nominal supply.
        temperature_c: nominal temperature.
    """

    name: str
    files: tuple[LibertyText, ...] = field(repr=False)
    voltage_v: float
    temperature_c: float

    @cached_property
    def _readers(self) -> dict[str, tuple[LibertyText, TableReader]]:
        found = {}
        for file in self.files:
            reader = TableReader(file.header)
            found.update(dict.fromkeys(file.spans, (file, reader)))
        return found

    @cached_property
    def _cells(self) -> dict[str, Cell]:
        return {}

    def cell_names(self) -> tuple[str, ...]:
        """Return the names of all cells, in the order of the files."""
        return tuple(self._readers)

    def cell(self, name: str) -> Cell:
        """Return one cell.

        Raises:
            InputError: there is none of that name, or its text is no liberty.
        """
        if name not in self._readers:
            raise InputError(f"cell {name!r} is not in library {self.name}; give all liberty files of the library")
        if name not in self._cells:
            file, reader = self._readers[name]
            self._cells[name] = read_cell(name, file.cell(name), reader)
        return self._cells[name]

    @cached_property
    def outlines(self) -> tuple[Outline, ...]:
        """All cells without their tables; most of a library is never asked for more."""
        return tuple(self._outline(name) for name in self.cell_names())

    def _outline(self, name: str) -> Outline:
        file, reader = self._readers[name]
        cell = read_cell(name, file.cell(name), reader)
        return Outline(
            name=name,
            area_um2=cell.area_um2,
            truth=tuple(cell.truth.tolist()) if cell.gate else (),
            flip_flop=cell.flip_flop is not None,
        )

    def usable(self, dont_use: Sequence[str]) -> list[str]:
        """Return the gates and plain flip-flops whose names match none of the glob patterns ``dont_use``."""
        return [
            cell.name
            for cell in self.outlines
            if (cell.truth or cell.flip_flop) and not any(fnmatchcase(cell.name, pattern) for pattern in dont_use)
        ]

    def gates(self, truth: Sequence[bool]) -> list[Outline]:
        """Return the cells with one output of this truth table, the smallest first."""
        found = [cell for cell in self.outlines if cell.truth == tuple(truth)]
        return sorted(found, key=lambda cell: cell.area_um2)

    @cached_property
    def nand2(self) -> Outline:
        """The smallest plain two-input NAND, of equals the first: the unit of gate equivalents."""
        found = self.gates([True, True, True, False])
        if not found:
            raise InputError(
                f"library {self.name} has no NAND gate of two inputs; give all liberty files of the library"
            )
        return found[0]


def read_library(paths: Iterable[str | Path]) -> Library:
    """Read the liberty files of one library, compressed by gzip or not.

    Raises:
        InputError: a file is no liberty file, none is given, or they differ in voltage or temperature.
    """
    files = tuple(read_liberty_text(Path(path)) for path in paths)
    if not files:
        raise InputError("no liberty file was given, at least one is needed; add --liberty PATH")
    corners = {
        (float(file.header.attributes.get("nom_voltage", 0)), float(file.header.attributes.get("nom_temperature", 25)))
        for file in files
    }
    if len(corners) > 1:
        stated = ", ".join(f"{voltage} V {temperature} C" for voltage, temperature in sorted(corners))
        raise InputError(f"the liberty files are of several corners ({stated}), must be of one; leave the others out")
    ((voltage, temperature),) = corners
    if not voltage > 0:
        raise InputError(f"{files[0].path} states no nom_voltage, every energy needs it; add it to the file's header")
    return Library(name=_common_name(files), files=files, voltage_v=voltage, temperature_c=temperature)


def _common_name(files: Sequence[LibertyText]) -> str:
    """Return what the names of the files' libraries have in common, part by part."""
    parts = [file.name.split("_") for file in files]
    common = [part for part in parts[0] if all(part in others for others in parts)]
    return "_".join(common) or files[0].name
