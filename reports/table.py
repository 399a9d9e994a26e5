"""The comparison table for a terminal or a text file: one network, one row per datapath.

Nothing is ever cut: where the width does not hold the whole table, the least important parts of it are left
out, and the line below the table says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import StringIO

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console, JustifyMethod
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from simhw.errors import InputError
from simhw.gemm.datapaths import datapath_names, get_datapath
from simhw.reports import numbers
from simhw.reports.names import part_name, row_names
from simhw.rows import Row

WIDTH = 160
"""Columns of text for which the table is made; also the width where there is no terminal to ask."""

ASCII_RULE = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


@dataclass(frozen=True, kw_only=True)
class Detail:
    """How much a table says: parts of the energy, names of layers, relative changes, and columns left out."""

    parts: int
    layer_names: bool = True
    relative: bool = True
    without: frozenset[str] = field(default=frozenset())


DETAILS = (
    Detail(parts=6),
    Detail(parts=4),
    Detail(parts=3),
    Detail(parts=2),
    Detail(parts=1),
    Detail(parts=2, layer_names=False),
    Detail(parts=1, layer_names=False),
    Detail(parts=0, layer_names=False),
    Detail(parts=0, layer_names=False, relative=False),
    Detail(parts=0, layer_names=False, relative=False, without=frozenset({"worst layer"})),
    Detail(parts=0, layer_names=False, relative=False, without=frozenset({"worst layer", "cycles"})),
    Detail(
        parts=0,
        layer_names=False,
        relative=False,
        without=frozenset({"worst layer", "cycles", "PE-array area"}),
    ),
)
"""From most to least; the first that fits is taken."""


def console_table(rows: Sequence[Row], *, width: int = WIDTH, box: Box = SIMPLE_HEAD) -> Table:
    """Return the table of one network, as detailed as ``width`` columns of text allow.

    Raises:
        InputError: there is no row, or the rows are of several networks.
    """
    if len(models := {row.model for row in rows}) != 1:
        raise InputError(
            f"a table was asked for with rows of {len(models)} networks, must be 1; give those of one network"
        )
    ruler = Console(width=10_000, file=StringIO())
    for detail in DETAILS:
        table = _table(rows, detail, box)
        if Measurement.get(ruler, ruler.options, table).maximum <= width:
            break
    return table


def text(rows: Sequence[Row], *, width: int = WIDTH) -> str:
    """Return the table of one network as plain ASCII lines, without colours; names keep their own characters.

    For a pipe or a file, where there is no terminal whose width could be asked.
    """
    stream = StringIO()
    console = Console(file=stream, width=width, color_system=None, force_terminal=False, legacy_windows=False)
    console.print(console_table(rows, width=width, box=ASCII_RULE))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _table(rows: Sequence[Row], detail: Detail, box: Box) -> Table:
    first = rows[0]
    table = Table(
        title=Text(f"{first.model}: {first.units:,} {first.unit}s on {first.rows} x {first.columns} PEs"),
        caption=Text(_caption(rows, detail)),
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        caption_style="dim",
        box=box,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    columns = _columns(first, detail)
    table.add_column("datapath", style="bold", overflow="fold")
    for column in columns:
        table.add_column(column.header, justify=column.justify, overflow="fold")
    blank = ["-"] * (len(columns) - 1)  # the metric is the first column
    table.add_row(Text("float reference"), numbers.metric(first, first.metric_float), *blank)
    for name, row in zip(row_names(rows), rows, strict=True):
        # As Text, because rich would read a bracket in a name as markup.
        table.add_row(Text(name), *(Text(column.cell(row)) for column in columns))
    return table


@dataclass(frozen=True, kw_only=True)
class _Column:
    header: str
    cell: Callable[[Row], str]
    justify: JustifyMethod = "right"


def _columns(first: Row, detail: Detail) -> list[_Column]:
    """Return the columns after the first, headers broken where they may be."""
    worst = "worst layer\n(SQNR dB)" if detail.layer_names else "worst layer\nSQNR dB"
    columns = {
        "metric": _Column(header=first.metric_name, cell=lambda row: numbers.metric(row, row.metric)),
        "change": _Column(header="change\nagainst\nfloat", cell=lambda row: _change(row, detail)),
        "sqnr": _Column(header="logit\nSQNR dB", cell=lambda row: numbers.decibels(row.sqnr_db)),
        "worst layer": _Column(header=worst, cell=lambda row: _worst_layer(row, detail)),
        "cycles": _Column(header="cycles", cell=lambda row: f"{row.cycles:,}"),
        "speed-up": _Column(header="speed-up", cell=lambda row: numbers.times(row.speedup)),
        "energy": _Column(header="energy\nuJ", cell=lambda row: numbers.microjoules(row.energy_total_pj)),
        "energy by part": _Column(header="\nby part", cell=lambda row: _parts(row, detail), justify="left"),
        "energy ratio": _Column(header="energy\nratio", cell=lambda row: numbers.times(row.energy_ratio)),
        "PE-array area": _Column(
            header="PE-array\narea mm2", cell=lambda row: numbers.square_millimetres(row.area_um2)
        ),
    }
    without = detail.without if detail.parts else detail.without | {"energy by part"}
    return [column for name, column in columns.items() if name not in without]


def _caption(rows: Sequence[Row], detail: Detail) -> str:
    first = rows[0]
    conventions = f"{first.dataflow}, overlap {first.overlap}, {first.technology}"
    replaced = dict.fromkeys(row.accumulator for row in rows if _has_another_accumulator(row))
    if replaced:
        conventions += f", accumulator {' / '.join(replaced)}"
    caption = f"per sample; {conventions}; speed-up and energy ratio against fp16 on the same array"
    if detail.without:
        caption += f"; no room for: {', '.join(sorted(detail.without))}"
    return caption


def _has_another_accumulator(row: Row) -> bool:
    return row.datapath in datapath_names() and get_datapath(row.datapath).accumulator.name != row.accumulator


def _change(row: Row, detail: Detail) -> str:
    relative = numbers.relative_change(row) if detail.relative else ""
    return f"{numbers.metric_change(row)} {relative}".rstrip()


def _worst_layer(row: Row, detail: Detail) -> str:
    if row.worst_layer is None:
        return "-"
    sqnr = numbers.decibels(row.worst_layer_sqnr_db)
    return f"{row.worst_layer} ({sqnr})" if detail.layer_names else sqnr


def _parts(row: Row, detail: Detail) -> str:
    """Return the largest parts of the energy with their shares."""
    total = row.energy_total_pj
    if not total:
        return "-"
    largest = sorted(row.energy_pj, key=lambda part: row.energy_pj[part], reverse=True)[: detail.parts]
    return " ".join(f"{part_name(part)} {row.energy_pj[part] / total:.0%}" for part in largest)
