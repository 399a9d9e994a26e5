"""Names written beside the points of a scatter, with a thin line to those that stand apart."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from simhw.reports.labels import Box, place_labels
from simhw.reports.svg import MUTED

LABEL_SIZE = 8.5
LEADER_FROM = 12.0
"""Distance of a label from its point, in units of the SVG, from which a line connects them."""


def label_points(
    figure: Figure,
    *,
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    bold: Collection[int],
    frame: Box,
    lines: Sequence[Box] = (),
) -> None:
    """Write each name near its point.

    Args:
        figure: drawn without rendering, its layout fixed.
        points: in units of the figure's canvas.
        names: one for each point.
        bold: indices of names that stand out.
        frame: where labels may be.
        lines: drawn lines, as thin boxes, that a label should rather not cover.
    """
    fonts = [FontProperties(size=LABEL_SIZE, weight="bold" if i in bold else "normal") for i in range(len(names))]
    for i, box in enumerate(place_labels(points, _sizes(figure, names, fonts), frame, lines)):
        x, y = points[i]
        end_x, end_y = box.nearest(x, y)
        if math.dist((x, y), (end_x, end_y)) > LEADER_FROM:
            figure.add_artist(Line2D([x, end_x], [y, end_y], color=MUTED, linewidth=0.6, transform=None, zorder=1))
        figure.text(
            (box.left + box.right) / 2,
            (box.bottom + box.top) / 2,
            names[i],
            transform=None,
            ha="center",
            va="center",
            fontproperties=fonts[i],
        )


def _sizes(figure: Figure, texts: Sequence[str], fonts: Sequence[FontProperties]) -> list[tuple[float, float]]:
    """Return the width and height of each text, in units of the SVG."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    return [
        renderer.get_text_width_height_descent(text, font, ismath=False)[:2]
        for text, font in zip(texts, fonts, strict=True)
    ]
