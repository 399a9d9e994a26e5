"""Figures as parts of a page: one look for all, colours left to the page, no address outside it."""

from __future__ import annotations

import io
import re
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Stand-ins that the page replaces by its own colours; nothing else may use them.
INK, MUTED, LINE, PANEL, ACCENT = "#010203", "#010204", "#010205", "#010206", "#010207"
PAGE_COLORS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    PANEL: "var(--panel)",
    ACCENT: "var(--accent)",
}

WIDTH_INCHES = 13.2
PIXELS_PER_INCH = 96
POINTS_PER_INCH = 72

STYLE: Any = {  # Any, because not every matplotlib types these keys
    "svg.fonttype": "none",
    "svg.hashsalt": "simhw",
    "font.family": ["DejaVu Sans"],  # ships with matplotlib and is wider than what browsers take instead
    "font.size": 8.5,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": False,
    "figure.dpi": POINTS_PER_INCH,  # one unit of measured text is then one unit of the SVG
    "figure.facecolor": "none",
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,  # names are names, also with a dollar sign
    "xtick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.color": LINE,
    "ytick.labelcolor": INK,
}
"""For ``matplotlib.rc_context``, around making a figure and turning it into text."""


def new_figure(height: float) -> tuple[Figure, Axes]:
    """Return a figure of the page's width and the given height in inches, which no window ever shows."""
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def to_svg(figure: Figure, name: str, title: str) -> str:
    """Return the figure as an SVG element for the inside of a page.

    Args:
        figure: made under ``STYLE``.
        name: unique in the page; it begins every id inside.
        title: what the figure shows, for readers that do not see it.
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    view_box = re.search(r'viewBox="([^"]*)"', text)
    assert view_box is not None
    width = round(figure.get_figwidth() * PIXELS_PER_INCH)
    opening = f'<svg role="img" aria-label="{title}" viewBox="{view_box[1]}" style="max-width: {width}px">'
    text = opening + text[text.index(">") + 1 :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    prefix = re.sub(r"[^\w-]", "-", name)
    text = re.sub(r' id="([^"]*)"', lambda match: f' id="{prefix}-{match[1].replace(" ", "-")}"', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{prefix}-", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", text)
    for stand_in, color in PAGE_COLORS.items():
        text = text.replace(stand_in, color)
    return re.sub(r"\n\s*", "\n", text).strip()
