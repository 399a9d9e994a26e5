"""The overview page: per network what each datapath costs and what it does to the result, in one HTML file.

The file needs nothing else: style sheet and figures are inside, and no address outside the page is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from simhw.errors import InputError
from simhw.reports import numbers, plots
from simhw.reports.conventions import conventions
from simhw.reports.names import part_name, row_names
from simhw.rows import ENERGY_PARTS, Row, by_model

TOLERANCE = 0.01
"""Loss of the leading metric, relative to float, up to which a datapath counts as keeping it."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One figure worth reading first."""

    title: str
    figure: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """What the page says about one network.

    Attributes:
        model: its name.
        rows: its results, each with the name it has on the page.
        front: names of the rows on the Pareto front.
        unplaced: names of the rows without a point in the plot of accuracy against energy.
        findings, conventions: see there.
        accuracy_against_energy, energy_by_part, layer_sqnr: SVG elements, empty where nothing is to be shown.
    """

    model: str
    rows: Sequence[tuple[str, Row]]
    front: Sequence[str]
    unplaced: Sequence[str]
    findings: Sequence[Finding]
    conventions: Sequence[tuple[str, str]]
    accuracy_against_energy: Markup
    energy_by_part: Markup
    layer_sqnr: Markup


def render(rows: Sequence[Row], *, command: str) -> str:
    """Return the page as text.

    Args:
        rows: of one or several networks; networks and datapaths keep the order in which they first appear.
        command: what was run, shown so that the page can be made again.

    Raises:
        InputError: there is no row.
    """
    if not rows:
        raise InputError("the page was asked for without any result row; run at least one datapath")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    template = environment.from_string(files("simhw.reports").joinpath("overview.html").read_text(encoding="utf-8"))
    return template.render(
        sections=[_section(model, group) for model, group in by_model(rows).items()],
        command=command,
        style=Markup(files("simhw.reports").joinpath("page.css").read_text(encoding="utf-8")),
        numbers=numbers,
        parts={part: part_name(part) for part in ENERGY_PARTS},
        infinity=math.inf,
    )


def _section(model: str, rows: Sequence[Row]) -> Section:
    names = row_names(rows)
    # The figures are this package's own SVG, whose texts matplotlib has escaped.
    return Section(
        model=model,
        rows=list(zip(names, rows, strict=True)),
        front=[names[i] for i in plots.front_of(rows)],
        unplaced=[name for name, row in zip(names, rows, strict=True) if not plots.plottable([row])],
        findings=_findings(rows),
        conventions=conventions(rows),
        accuracy_against_energy=Markup(plots.accuracy_against_energy(rows)),
        energy_by_part=Markup(plots.energy_by_part(rows)),
        layer_sqnr=Markup(plots.layer_sqnr(rows)),
    )


def _findings(rows: Sequence[Row]) -> list[Finding]:
    """Return the float result and the best of those datapaths that keep it."""
    first = rows[0]
    found = [
        Finding(
            title=f"{first.metric_name} in float",
            figure=numbers.metric(first, first.metric_float),
            note=f"{first.units:,} {first.unit}s",
        )
    ]
    keeping = [row for row in rows if _loss(row) <= TOLERANCE]
    if not keeping:
        return found
    within = f"at a loss within {TOLERANCE:.0%}"
    frugal = min(keeping, key=lambda row: (row.energy_total_pj, row.cycles))
    energy = f"{numbers.microjoules(frugal.energy_total_pj)} µJ"
    if frugal.energy_ratio is not None:
        energy += f", {numbers.times(frugal.energy_ratio)} less than fp16"
    fast = min(keeping, key=lambda row: (row.cycles, row.energy_total_pj))
    cycles = f"{fast.cycles:,} cycles"
    if fast.speedup is not None:
        cycles += f", {numbers.times(fast.speedup)} the speed of fp16"
    small = min(keeping, key=lambda row: (row.area_um2, row.energy_total_pj))
    area = f"{numbers.square_millimetres(small.area_um2)} mm² for {small.rows} x {small.columns} PEs"
    return [
        *found,
        Finding(title=f"least energy {within}", figure=frugal.datapath, note=energy),
        Finding(title=f"fewest cycles {within}", figure=fast.datapath, note=cycles),
        Finding(title=f"smallest PE array {within}", figure=small.datapath, note=area),
    ]


def _loss(row: Row) -> float:
    """Return how much worse than float the leading metric is, relative to float; infinite for NaN."""
    worse = -row.metric_change if row.metric_higher_is_better else row.metric_change
    if math.isnan(worse) or not row.metric_float:
        return math.inf
    return worse / abs(row.metric_float)
