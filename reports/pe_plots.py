"""The figures of the PE comparison, one function each: records in, an inline SVG out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from simhw.reports.break_even import GROUPS, TOKENS, SharedArea
from simhw.reports.labels import Box
from simhw.reports.numbers import significant
from simhw.reports.pareto import pareto_front
from simhw.reports.pe_costs import PECost
from simhw.reports.point_labels import label_points
from simhw.reports.real_gemm import GemmError
from simhw.reports.svg import ACCENT, INK, MUTED, PANEL, STYLE, WIDTH_INCHES, new_figure, to_svg

HIGHEST_DB = 90.0
"""A result closer to float than that has no place in the scatter: it would squeeze all others."""
LINE_COLORS = ("#2f6fde", "#6fb1f0", "#e4572e", "#f0b429")


def shown_in_scatter(costs: Sequence[PECost], errors: Mapping[str, GemmError]) -> list[PECost]:
    """Return the PEs that have a place in the plane of error and cost."""
    return [cost for cost in costs if cost.pe in errors and errors[cost.pe].sqnr_db < HIGHEST_DB]


def error_against(
    costs: Sequence[PECost],
    errors: Mapping[str, GemmError],
    value: Callable[[PECost], float],
    *,
    name: str,
    label: str,
    more_is_better: bool,
) -> str:
    """Return a scatter of SQNR over one figure of the PEs of one technology, with their names and the Pareto front."""
    shown = shown_in_scatter(costs, errors)
    if not shown:
        return ""
    points = [(value(cost), errors[cost.pe].sqnr_db) for cost in shown]
    sign = -1 if more_is_better else 1
    front = pareto_front([(sign * x, -y) for x, y in points])
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(height=4.6)
        axes.grid(True)
        axes.set_axisbelow(True)
        axes.set_xscale("log")
        _plain_log(axes.xaxis)
        axes.set_xlabel(f"{label}, {'more' if more_is_better else 'less'} is better")
        axes.set_ylabel("SQNR of the GEMM, dB, more is better")
        for i, ((x, y), cost) in enumerate(zip(points, shown, strict=True)):
            edge = ACCENT if i in front else MUTED
            fill = ACCENT if i in front else PANEL
            axes.plot(x, y, "o", markersize=7, color=fill, markeredgecolor=edge, zorder=3, gid=f"point {cost.pe}")
        axes.margins(x=0.08, y=0.12)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # what is measured now must stay
        edge_box = axes.get_window_extent()
        frame = Box(left=edge_box.x0 + 3, bottom=edge_box.y0 + 3, right=edge_box.x1 - 3, top=edge_box.y1 - 3)
        pixels = [(float(x), float(y)) for x, y in axes.transData.transform(points)]
        label_points(figure, points=pixels, names=[cost.pe for cost in shown], bold=front, frame=frame)
        return to_svg(figure, name, f"SQNR against {label}")


def ratio_maps(dequantize: Sequence[Sequence[float]], total: Sequence[Sequence[float]], name: str) -> str:
    """Return two maps over tokens and group size: energy after the group over first and kept, below 1 in blue."""
    with mpl.rc_context(STYLE):
        figure, (left, right) = _two_axes(height=3.6)
        _ratio_map(left, dequantize, "dequantization alone")
        _ratio_map(right, total, "dequantization, PEs and weight SRAM")
        return to_svg(figure, name, "Energy of dequantizing after the group over dequantizing first")


def _ratio_map(axes: Axes, grid: Sequence[Sequence[float]], title: str) -> None:
    colors = mpl.colormaps["RdYlBu_r"]
    norm = TwoSlopeNorm(vmin=-2.0, vcenter=0.0, vmax=2.0)  # powers of two around 1
    for y, line in enumerate(grid):
        for x, ratio in enumerate(line):
            color = colors(float(norm(max(-2.0, min(2.0, math.log2(ratio))))))
            axes.fill(
                [x - 0.49, x + 0.49, x + 0.49, x - 0.49],
                [y - 0.47, y - 0.47, y + 0.47, y + 0.47],
                color=color,
                linewidth=0,
            )
            luminance = 0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2]
            ink = "#14181f" if luminance > 0.45 else "#ffffff"
            text = significant(ratio, 2) if ratio < 100 else f"{ratio:,.0f}"
            axes.text(x, y, text, ha="center", va="center_baseline", fontsize=7, color=ink)
    axes.plot(*_equal_counts(), color=INK, linewidth=1.3, dashes=(3, 2))
    axes.set_xticks(range(len(TOKENS)), [f"{m:,}" for m in TOKENS])
    axes.set_yticks(range(len(GROUPS)), [f"{g}" for g in GROUPS])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("tokens m (dashed: m = g, equally many scale operations)")
    axes.set_ylabel("group size g")
    axes.set_title(title, fontsize=9)


def _equal_counts() -> tuple[list[float], list[float]]:
    """Return the line m = g in the units of the cells."""
    places = [(math.log2(g / TOKENS[0]), i) for i, g in enumerate(GROUPS)]
    return [x for x, _ in places], [float(y) for _, y in places]


def area_by_rows(areas: Sequence[tuple[str, SharedArea]], name: str) -> str:
    """Return area per PE over the rows of the array, one line per design, the int8 multiplier alone as a level."""
    with mpl.rc_context(STYLE):
        figure, axes_list = _several_axes(height=3.4, count=len(areas))
        for axes, (title, area) in zip(axes_list, areas, strict=True):
            axes.grid(True)
            axes.set_axisbelow(True)
            after = [value / area.int8_um2 for value in area.after_um2]
            first = [value / area.int8_um2 for value in area.first_um2]
            axes.plot(area.rows, after, "o-", color=LINE_COLORS[0], markersize=4, label="after the group (MixPE)")
            axes.plot(area.rows, first, "o-", color=LINE_COLORS[2], markersize=4, label="first, at the edge")
            axes.axhline(1.0, color=MUTED, linewidth=1, dashes=(2, 3), label="int8 multiplier alone")
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            axes.set_xticks(area.rows)
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_ylim(0, min(4.0, 1.1 * max((*after, *first))))
            axes.set_title(title, fontsize=9)
            axes.set_xlabel("rows (and columns) of the array")
        axes_list[0].set_ylabel("area per PE over the int8 PE's")
        axes_list[-1].legend(loc="upper right", fontsize=8)
        return to_svg(figure, name, "Area per PE with its share of the dequantizers")


def ratio_bars(names: Sequence[str], values: Mapping[str, Sequence[float]], name: str, label: str) -> str:
    """Return groups of bars: one group per PE, one bar per source, on a logarithmic axis; NaN has no bar."""
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(height=0.8 + 0.14 * (1 + len(values)) * len(names))
        height = 0.8 / len(values)
        for i, (source, line) in enumerate(values.items()):
            places = [y - 0.4 + height * (i + 0.5) for y in range(len(names))]
            widths = [0.0 if math.isnan(value) else value for value in line]
            axes.barh(places, widths, height=0.9 * height, color=LINE_COLORS[i % len(LINE_COLORS)], label=source)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.axvline(1.0, color=MUTED, linewidth=1, dashes=(2, 3))
        axes.set_xscale("log")
        finite = [value for line in values.values() for value in line if value > 0]
        axes.set_xlim(0.8 * min((*finite, 1.0)), 1.2 * max((*finite, 1.0)))
        _plain_log(axes.xaxis)
        axes.set_xlabel(label)
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper center", ncols=len(values), handlelength=1, handleheight=1)
        return to_svg(figure, name, label)


def _plain_log(axis: mpl.axis.XAxis) -> None:
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.12g}"))


def _two_axes(height: float) -> tuple[Figure, tuple[Axes, Axes]]:
    figure, axes = _several_axes(height, 2)
    return figure, (axes[0], axes[1])


def _several_axes(height: float, count: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(np.atleast_1d(figure.subplots(1, count)))
