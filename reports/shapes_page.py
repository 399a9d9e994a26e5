"""The page and the terminal table of the norm placements, every figure in a sentence from the records."""

from __future__ import annotations

from importlib.resources import files
from io import StringIO

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simhw.reports import numbers, shapes_plots
from simhw.reports.numbers import change_in_percent, decibels, significant, times
from simhw.reports.overview import Finding
from simhw.reports.transformer_shapes import Quantized, Shape, Shapes

WIDTH = 140


def render(found: Shapes, *, command: str) -> str:
    """Return the page as text."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    folder = files("simhw.reports")
    template = environment.from_string(folder.joinpath("transformer_shapes.html").read_text(encoding="utf-8"))
    return template.render(
        command=command,
        style=Markup(folder.joinpath("page.css").read_text(encoding="utf-8")),
        numbers=numbers,
        found=found,
        findings=findings(found),
        sentences=sentences(found),
        by_depth=Markup(shapes_plots.by_depth(found)),
        noise_by_depth=Markup(shapes_plots.noise_by_depth(found)),
        perplexity_change=Markup(shapes_plots.perplexity_change(found)),
    )


def findings(found: Shapes) -> list[Finding]:
    """Return the figures worth reading first."""
    best = min(found.shapes, key=lambda shape: shape.perplexity)
    steepest = max(found.shapes, key=growth)
    flattest = min(found.shapes, key=growth)
    boxes = [
        Finding(
            title="Lowest perplexity in float",
            figure=f"{best.variant}: {significant(best.perplexity)}",
            note=f"per byte, after {found.steps} steps; {significant(best.bits_per_byte)} bits per byte",
        ),
        Finding(
            title="Variance behind the last block over that behind the first",
            figure=f"{steepest.variant}: {times(growth(steepest))}",
            note=f"the most; {flattest.variant} the least, {times(growth(flattest))}",
        ),
    ]
    for index, result in enumerate(found.shapes[0].results):
        order = sorted(found.shapes, key=lambda shape: shape.change(shape.results[index]))
        least, most = order[0], order[-1]
        ends = [change_in_percent(shape.change(shape.results[index])) for shape in (least, most)]
        boxes.append(
            Finding(
                title=f"{result.name} ({result.datapath})",
                figure=" to ".join(ends),
                note=f"rise of the perplexity: {least.variant} the least, {most.variant} the most",
            )
        )
    return boxes


def growth(shape: Shape) -> float:
    """Return the variance behind the last block over that behind the first: the embedding's is small at any depth."""
    return shape.streams[-1].variance / shape.streams[1].variance


def sentences(found: Shapes) -> list[str]:
    """Return what the figures say about every network."""
    lines = []
    for shape in found.shapes:
        peak = max(shape.streams, key=lambda stream: stream.crest)
        changes = ", ".join(f"{result.name} {change_in_percent(shape.change(result))}" for result in shape.results)
        lines.append(
            f"{shape.variant}: the variance of the stream goes from {significant(shape.streams[1].variance)} "
            f"behind the first block to {significant(shape.streams[-1].variance)} behind the last "
            f"({times(growth(shape))}); the largest crest factor is "
            f"{significant(peak.crest, 3)}, at {peak.depth}. Perplexity "
            f"{significant(shape.perplexity)} in float; {changes}."
        )
    return lines


def text(found: Shapes) -> str:
    """Return the table for a terminal, as plain lines."""
    stream = StringIO()
    console = Console(file=stream, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    table = Table(
        title=Text(
            f"Norm placements after {found.steps} steps; perplexity per byte on {found.bytes_predicted:,} bytes"
        ),
        caption=Text("variance of the residual stream behind the first and the last block; rise against float"),
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("placement")
    for head in ("variance first", "last", "float", *(result.name for result in found.shapes[0].results)):
        table.add_column(head, justify="right")
    for shape in found.shapes:
        table.add_row(
            shape.variant,
            significant(shape.streams[1].variance, 3),
            significant(shape.streams[-1].variance, 3),
            significant(shape.perplexity),
            *(_cell(shape, result) for result in shape.results),
        )
    console.print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _cell(shape: Shape, result: Quantized) -> str:
    change, noise = change_in_percent(shape.change(result)), decibels(result.logit_sqnr_db)
    return f"{significant(result.perplexity)} ({change}, {noise} dB)"
