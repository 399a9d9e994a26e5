"""The figures of the overview page, one function each: rows of one network in, an inline SVG out.

The SVG keeps its text as text and takes its colours from the page (``PAGE_COLORS``), so that it follows the
page into dark mode and print. The same rows give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from simhw.reports import numbers
from simhw.reports.labels import Box
from simhw.reports.names import part_name, row_names
from simhw.reports.pareto import pareto_front
from simhw.reports.point_labels import label_points
from simhw.reports.svg import ACCENT, MUTED, PANEL, STYLE, new_figure, to_svg
from simhw.rows import ENERGY_PARTS, LayerRow, Row

PART_COLORS = {
    "multiply": "#2f6fde",
    "accumulate": "#6fb1f0",
    "dequantize": "#e4572e",
    "vector": "#9a6fb0",
    "sram": "#f0b429",
    "dram": "#8b95a3",
    "leakage": "#3fa66b",
    "static": "#c3cad3",
}
MOST_LAYERS_WITH_VALUES = 90


def plottable(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that have a place in the plane of accuracy and energy."""
    return [row for row in rows if math.isfinite(row.metric) and row.energy_total_pj > 0]


def front_of(rows: Sequence[Row]) -> list[int]:
    """Return the indices of the rows on the front of less energy and a better leading metric."""
    nowhere = (math.nan, math.nan)
    sign = -1 if rows[0].metric_higher_is_better else 1
    return pareto_front([(row.energy_total_pj, sign * row.metric) if plottable([row]) else nowhere for row in rows])


def accuracy_against_energy(rows: Sequence[Row]) -> str:
    """Return a scatter of the leading metric over energy, with the points' names and the Pareto front.

    A row without a finite metric or without energy has no point; without any point the text is empty.
    """
    shown = [(row, name) for row, name in zip(rows, row_names(rows), strict=True) if plottable([row])]
    if not shown:
        return ""
    first = shown[0][0]
    points = [(row.energy_total_pj * 1e-6, row.metric) for row, _ in shown]
    front = front_of([row for row, _ in shown])
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(height=4.6)
        axes.grid(True)
        axes.set_axisbelow(True)
        _energy_axis(axes, [energy for energy, _ in points])
        _metric_axis(axes, first)
        # Steps, not slopes: between two designs on the front there is nothing to have.
        steps = [points[i] for i in front]
        axes.step(
            [x for x, _ in steps],
            [y for _, y in steps],
            where="post",
            color=ACCENT,
            linewidth=1.2,
            gid="front",
        )
        for i, ((x, y), (_, name)) in enumerate(zip(points, shown, strict=True)):
            fill, edge = (ACCENT, ACCENT) if i in front else (PANEL, MUTED)
            axes.plot(
                x,
                y,
                marker="o",
                markersize=7,
                color=fill,
                markeredgecolor=edge,
                zorder=3,
                gid=f"point {name}",
            )
        axes.margins(x=0.08, y=0.14)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # what is measured now must stay
        _label_points(figure, axes, points, [name for _, name in shown], front, first.metric_float)
        return to_svg(figure, f"{first.model}-accuracy-against-energy", "Accuracy against energy")


def _energy_axis(axes: Axes, energy_uj: Sequence[float]) -> None:
    """Prepare the horizontal axis: logarithmic, unless the energies are too close for its coarse marks."""
    axes.set_xlabel("energy per sample, µJ, less is better")
    if max(energy_uj) > 4 * min(energy_uj):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.12g}"))


def _metric_axis(axes: Axes, row: Row) -> None:
    """Prepare the vertical axis, with a dotted line at the metric of the float reference."""
    direction = "higher" if row.metric_higher_is_better else "lower"
    axes.set_ylabel(f"{row.metric_name}, {direction} is better")
    if numbers.is_fraction(row.metric_name):
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.4g}%"))
    if math.isfinite(row.metric_float):
        axes.axhline(row.metric_float, color=MUTED, linewidth=0.8, dashes=(2, 3), gid="float")


def _label_points(
    figure: Figure,
    axes: Axes,
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    front: Sequence[int],
    metric_float: float,
) -> None:
    """Write each name beside its point, with a thin line where it stands apart."""
    pixels = [(float(x), float(y)) for x, y in axes.transData.transform(points)]
    edge = axes.get_window_extent()
    frame = Box(left=edge.x0 + 3, bottom=edge.y0 + 3, right=edge.x1 - 3, top=edge.y1 - 3)
    lines = []
    for (x, y), (next_x, next_y) in pairwise(pixels[i] for i in front):
        lines.append(Box(left=x, bottom=y - 1, right=next_x, top=y + 1))
        lines.append(Box(left=next_x - 1, bottom=min(y, next_y), right=next_x + 1, top=max(y, next_y)))
    if math.isfinite(metric_float):
        _, reference = axes.transData.transform((points[0][0], metric_float))
        lines.append(Box(left=edge.x0, bottom=reference - 1, right=edge.x1, top=reference + 1))
    label_points(figure, points=pixels, names=names, bold=front, frame=frame, lines=lines)


def energy_by_part(rows: Sequence[Row]) -> str:
    """Return stacked bars: one per row, one segment per part of the energy, the total at the end."""
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(height=0.9 + 0.27 * len(rows))
        places = range(len(rows))
        start = [0.0] * len(rows)
        for part in ENERGY_PARTS:
            widths = [row.energy_pj[part] * 1e-6 for row in rows]
            axes.barh(
                places,
                widths,
                left=start,
                height=0.66,
                color=PART_COLORS[part],
                label=part_name(part),
                linewidth=0,
            )
            start = [left + width for left, width in zip(start, widths, strict=True)]
        for place, (row, end) in enumerate(zip(rows, start, strict=True)):
            axes.annotate(_total(row), (end, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8)
        axes.set_yticks(list(places), row_names(rows))
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(rows) - 0.45, -0.55)
        axes.set_xlim(0, max([*start, 1e-12]) * 1.14)
        axes.xaxis.set_major_locator(MaxNLocator(7))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.12g}"))
        axes.set_xlabel("energy per sample, µJ")
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper center", ncols=len(ENERGY_PARTS), handlelength=1, handleheight=1)
        return to_svg(figure, f"{rows[0].model}-energy-by-part", "Energy by part")


def _total(row: Row) -> str:
    """Return the total energy and how it compares with fp16."""
    total = numbers.microjoules(row.energy_total_pj)
    if row.energy_ratio is None or row.datapath == "fp16":
        return total
    if row.energy_ratio < 1:
        return f"{total}  ({numbers.times(1 / row.energy_ratio)} more than fp16)"
    return f"{total}  ({numbers.times(row.energy_ratio)} less than fp16)"


def layer_sqnr(rows: Sequence[Row]) -> str:
    """Return a heat map of SQNR, layers down and rows across; a row without any error has no column.

    Up to ``MOST_LAYERS_WITH_VALUES`` layers have their values written into the cells. Without any column the
    text is empty.
    """
    shown = [
        (name, {layer.name: layer for layer in row.layers})
        for name, row in zip(row_names(rows), rows, strict=True)
        if row.worst_layer is not None
    ]
    if not shown:
        return ""
    layers = list(dict.fromkeys(name for _, by_name in shown for name in by_name))
    with_values = len(layers) <= MOST_LAYERS_WITH_VALUES
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(height=1.35 + (0.185 if with_values else 0.06) * len(layers))
        _cells(axes, [[by_name.get(layer) for _, by_name in shown] for layer in layers], with_values)
        axes.set_xlim(-0.5, len(shown) - 0.5)
        axes.set_ylim(len(layers) - 0.5, -0.5)
        axes.xaxis.tick_top()
        axes.set_xticks(range(len(shown)), [name for name, _ in shown], rotation=28, ha="left", rotation_mode="anchor")
        every = 1 if with_values else math.ceil(len(layers) / 60)
        axes.set_yticks(range(0, len(layers), every), layers[::every], fontsize=7.5)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return to_svg(figure, f"{rows[0].model}-layer-sqnr", "SQNR by layer and datapath")


def _cells(axes: Axes, table: Sequence[Sequence[LayerRow | None]], with_values: bool) -> None:
    """Draw the heat map's cells, from red (far from float) to blue (close to it)."""
    sqnr_db = [[math.nan if layer is None else layer.sqnr_db for layer in line] for line in table]
    low, high = _color_range([value for line in sqnr_db for value in line if math.isfinite(value)])
    colors = mpl.colormaps["RdYlBu"]
    for y, line in enumerate(table):
        for x, layer in enumerate(line):
            if layer is None:
                continue
            color = colors(_share(layer.sqnr_db, low, high))
            left, right, top, bottom = x - 0.49, x + 0.49, y - 0.47, y + 0.47
            axes.fill([left, right, right, left], [top, top, bottom, bottom], color=color, linewidth=0)
            if with_values:
                # Relative luminance decides between dark and light digits.
                luminance = 0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2]
                ink = "#14181f" if luminance > 0.45 else "#ffffff"
                text = numbers.decibels(layer.sqnr_db)
                axes.text(x, y, text, ha="center", va="center_baseline", fontsize=7, color=ink)


def _color_range(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the colour scale: the middle nine tenths of the values, lest one outlier rule it."""
    if not values:
        return 0.0, 1.0
    ordered = sorted(values)
    last = len(ordered) - 1
    low, high = ordered[round(0.05 * last)], ordered[round(0.95 * last)]
    return low, max(high, low + 1.0)


def _share(value: float, low: float, high: float) -> float:
    """Return where a value lies between the ends of the scale, 0 to 1; NaN is the worst."""
    return 0.0 if math.isnan(value) else min(1.0, max(0.0, (value - low) / (high - low)))
