"""The figures of the norm placements' page: records in, an inline SVG out."""

from __future__ import annotations

import math
from collections.abc import Callable

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from simhw.reports.numbers import change_in_percent, significant
from simhw.reports.svg import PANEL, STYLE, WIDTH_INCHES, new_figure, to_svg
from simhw.reports.transformer_shapes import Shape, Shapes, Stream

LINE_COLORS = ("#2f6fde", "#e4572e", "#9a6fb0", "#3a9d5d", "#f0b429")
MARKERS = ("o", "s", "^", "D", "v")
"""Lines differ in marks too, for readers who do not tell the colours apart."""


def by_depth(found: Shapes) -> str:
    """Return two panels over the depth: variance of the residual stream, and its crest factor."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 3.9), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        _lines(left, found, lambda stream, _: stream.variance)
        left.set_yscale("log")
        left.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        left.set_ylabel("variance within a token's vector, mean")
        _lines(right, found, lambda stream, _: stream.crest)
        right.set_ylabel("crest factor of a token's vector, mean")
        _legend(figure, left, found)
        return to_svg(figure, "stream-by-depth", "Variance and crest factor of the residual stream by depth")


def noise_by_depth(found: Shapes) -> str:
    """Return one panel per datapath: SQNR of the residual stream over the depth, behind the embedding."""
    names = [result.name for result in found.shapes[0].results]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 3.7), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(names), squeeze=False)[0]
        for index, (axes, name) in enumerate(zip(panels, names, strict=True)):

            def sqnr(stream: Stream, shape: Shape, index: int = index) -> float:
                value = shape.results[index].stream_sqnr_db[stream.depth]
                return value if math.isfinite(value) else math.nan

            _lines(axes, found, sqnr)
            axes.set_title(f"{name} ({found.shapes[0].results[index].datapath})", fontsize=9)
        panels[0].set_ylabel("SQNR of the residual stream, dB, more is better")
        _legend(figure, panels[0], found)
        return to_svg(figure, "noise-by-depth", "SQNR of the residual stream by depth and datapath")


def perplexity_change(found: Shapes) -> str:
    """Return grouped bars: the rise of the perplexity in percent of the float one, by datapath and placement."""
    names = [result.name for result in found.shapes[0].results]
    count = len(found.shapes)
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(height=3.4)
        axes.grid(True, axis="y")
        axes.set_axisbelow(True)
        for index, (shape, color) in enumerate(zip(found.shapes, LINE_COLORS, strict=True)):
            places = [group + (index - (count - 1) / 2) * 0.16 for group in range(len(names))]
            heights = [100 * shape.change(result) for result in shape.results]
            axes.bar(places, heights, width=0.145, color=color, label=shape.variant, linewidth=0)
            for place, height in zip(places, heights, strict=True):
                up = round(height, 2) >= 0
                axes.annotate(
                    change_in_percent(height / 100),
                    (place, height),
                    xytext=(0, 2 if up else -2),
                    textcoords="offset points",
                    ha="center",
                    va="bottom" if up else "top",
                    fontsize=7,
                )
        axes.set_xticks(range(len(names)), [f"{r.name} ({r.datapath})" for r in found.shapes[0].results])
        axes.tick_params(axis="x", length=0)
        axes.set_yscale("symlog", linthresh=1.0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{significant(y, 2) if y else 0}%"))
        axes.set_ylabel("rise of the perplexity, less is better")
        axes.margins(y=0.14)
        _legend(figure, axes, found)
        return to_svg(figure, "perplexity-change", "Rise of the perplexity by datapath and placement")


def _lines(axes: Axes, found: Shapes, value: Callable[[Stream, Shape], float]) -> None:
    axes.grid(True)
    axes.set_axisbelow(True)
    for shape, color, marker in zip(found.shapes, LINE_COLORS, MARKERS, strict=True):
        heights = [value(stream, shape) for stream in shape.streams]
        axes.plot(
            range(len(heights)),
            heights,
            color=color,
            marker=marker,
            markersize=5,
            markeredgecolor=PANEL,
            markeredgewidth=0.6,
            linewidth=1.5,
            label=shape.variant,
        )
    depths = [stream.depth for stream in found.shapes[0].streams]
    axes.set_xticks(range(len(depths)), ["0", *(depth.removeprefix("block ") for depth in depths[1:])])
    axes.set_xlabel("behind block (0: the embedding)")


def _legend(figure: Figure, axes: Axes, found: Shapes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(found.shapes), handlelength=2)
