"""The PE comparison for a terminal: one technology, one line per PE."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simhw.reports.numbers import decibels, significant
from simhw.reports.pe_costs import CLOCK_MHZ, COLUMNS, ROWS, PECost, find
from simhw.reports.pe_variants import verdict

if TYPE_CHECKING:
    from simhw.reports.pe_comparison import Comparison

WIDTH = 160


def text(found: Comparison) -> str:
    """Return the table of the main technology and what it rests on, as plain lines."""
    stream = StringIO()
    console = Console(file=stream, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    console.print(_table(found, found.main))
    for group in found.groups:
        for sentence in verdict(group)[-1:]:
            console.print(Text(sentence))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _table(found: Comparison, technology: str) -> Table:
    costs = found.of(technology)
    base = find(costs, "int8_mac", technology)
    gemm = found.gemm
    table = Table(
        title=Text(f"PEs in {technology} at {CLOCK_MHZ} MHz; error on {gemm.layer} of {gemm.model}"),
        caption=Text(
            f"area and energy of the PE alone; TOPS with its share of a {ROWS} x {COLUMNS} array's dequantizers and "
            "running sums; * synthesised, else counted in gates; ! longer than one cycle; max error over the rms"
        ),
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("PE", style="bold")
    table.add_column("operands")
    for header in (
        "sum\nbits",
        "cycles\nper MAC",
        "area\num2",
        "energy\nfJ/MAC",
        "delay\nps",
        "TOPS/\nmm2",
        "TOPS/\nW",
        "MACs per mm2\nagainst int8",
        "SQNR\ndB",
        "max\nerror",
    ):
        table.add_column(header, justify="right")
    for cost in costs:
        table.add_row(*(Text(cell) for cell in _cells(cost, base, found)))
    return table


def _cells(cost: PECost, base: PECost, found: Comparison) -> tuple[str, ...]:
    error = found.errors.get(cost.pe)
    return (
        f"{cost.pe}{'*' if cost.synthesised else ''}",
        cost.operands,
        f"{cost.accumulator_bits}",
        f"{cost.cycles_per_mac:g}",
        significant(cost.area_um2),
        significant(1000 * cost.energy_pj),
        delay(cost),
        significant(cost.tops_per_mm2, 3),
        significant(cost.tops_per_watt, 3),
        f"{cost.macs_per_cycle_mm2 / base.macs_per_cycle_mm2:.2f}x",
        "-" if error is None else decibels(error.sqnr_db),
        "-" if error is None else significant(error.max_error_relative, 2),
    )


def delay(cost: PECost) -> str:
    """Return the delay with a mark where it is longer than a cycle; a dash where it is not known."""
    if cost.delay_ps is None:
        return "-"
    return f"{cost.delay_ps:,.0f}{'' if cost.meets_clock else '!'}"
