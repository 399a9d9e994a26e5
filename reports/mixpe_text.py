"""The audit of published tables for a terminal: the waterfall, and what holds."""

from __future__ import annotations

from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simhw.reports import mixpe_sentences
from simhw.reports.mixpe_audit import Audit
from simhw.reports.numbers import times

WIDTH = 160
OVER = ("int8", "ant", "olaccel", "bitfusion", "fp16")


def text(found: Audit) -> str:
    """Return the waterfall and the sentences as plain lines."""
    stream = StringIO()
    console = Console(file=stream, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    table = Table(
        title=Text("MixPE-W4A8 over the others: fewer cycles / less energy, geometric means"),
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("each row keeps the changes of those above")
    for over in OVER:
        table.add_column(found.label(over), justify="right")
    for step in found.waterfall.steps:
        cells = [
            f"{times(step.speedup('mixpe_w4a8', over))} / {times(step.energy_gain('mixpe_w4a8', over))}"
            for over in OVER
        ]
        table.add_row(Text(step.name), *cells)
    console.print(table)
    for sentence in mixpe_sentences.short(found):
        console.print(Text(f"* {sentence}"))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"
