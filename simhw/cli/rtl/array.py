"""``simhw rtl array``: a systolic array of PEs as Verilog, and its comparison with emulator and simulator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from simhw.rtl.arrays import ShapeReport, SystolicArray

_DEQUANTIZED = {"mixpe_w4a8": "integer", "mixpe_w4a16": "float"}
"""What stands at the foot of the columns of PEs that sum groups, unless told otherwise."""


@click.command("array")
@click.argument("pe", metavar="PE")
@click.option("--variant", metavar="NAME", help="Variant of its circuit.")
@click.option("--activation", metavar="FORMAT", help="Of activations, for PEs that take several (bitfusion, ...).")
@click.option("--weight", metavar="FORMAT", help="Of weights, for PEs that take several.")
@click.option("--rows", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--columns", type=click.IntRange(min=1), default=4, show_default=True)
@click.option(
    "--dataflow",
    type=click.Choice(["output_stationary", "weight_stationary"]),
    default="output_stationary",
    show_default=True,
)
@click.option(
    "--dequantizer",
    type=click.Choice(["none", "integer", "float"]),
    help="At the foot of each column; by default integer for mixpe_w4a8, float for mixpe_w4a16, none for others.",
)
@click.option("--group-size", type=click.IntRange(min=1), default=128, show_default=True, help="Longest group.")
@click.option("--out", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Write Verilog there.")
@click.option("--check", is_flag=True, help="Run random GEMMs; compare results and cycles.")
@click.option("--gemms", type=click.IntRange(min=1), default=12, show_default=True, help="How many, per convention.")
@click.option("--longest", type=click.IntRange(min=1), default=24, show_default=True, help="Longest k of them.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--simulator",
    type=click.Choice(["gates", "amaranth", "cxxrtl"]),
    default="gates",
    show_default=True,
    help="gates: 64 GEMMs side by side; amaranth: tiny arrays; cxxrtl: needs a C++ compiler.",
)
def command(
    pe: str,
    variant: str | None,
    activation: str | None,
    weight: str | None,
    rows: int,
    columns: int,
    dataflow: str,
    dequantizer: str | None,
    group_size: int,
    folder: Path | None,
    check: bool,
    gemms: int,
    longest: int,
    seed: int,
    simulator: str,
) -> None:
    """Build a systolic array of PEs: Verilog with --out, comparison with the emulator with --check.

    A row of the comparison is a GEMM: its sizes, the clock cycles measured on the circuit and those that the closed
    form of the same dataflow predicts, and whether all results equal the emulator's. The exit code is 1 where any
    differs.
    """
    from simhw.circuits import require_rtl
    from simhw.rtl.arrays import Dequantizer, systolic_array
    from simhw.rtl.rtlil import export
    from simhw.writing import make_folder

    require_rtl()
    form = Dequantizer(dequantizer or _DEQUANTIZED.get(pe, "none"))
    array = systolic_array(
        pe,
        rows=rows,
        columns=columns,
        dataflow=dataflow,
        variant=variant,
        activation=activation,
        weight=weight,
        dequantizer=form,
        group_size=group_size,
    )
    if folder is not None:
        make_folder(folder)
    click.echo(f"{array.circuit.name}: {array.circuit.description}")
    operands = " x ".join(array.element.formats)
    click.echo(f"operands: {operands}; registers behind the PEs: {array.output_registers}; dequantizer: {form.value}")
    if folder is not None:
        click.echo(f"written: {export(array.circuit, folder)}")
    if check and not _check(array, gemms, longest, seed, simulator):
        raise click.exceptions.Exit(1)


def _check(array: SystolicArray, gemms: int, longest: int, seed: int, name: str) -> bool:
    """Compare random GEMMs under each convention, print them, and return whether all are equal."""
    import numpy as np

    from simhw.rtl.arrays import check_array, random_problem, random_shapes
    from simhw.rtl.arrays.amaranth_simulator import simulate_amaranth
    from simhw.rtl.arrays.bench import simulate_gates
    from simhw.rtl.arrays.cxxrtl import simulate_cxxrtl
    from simhw.rtl.arrays.streams import CONVENTIONS

    simulator = {"gates": simulate_gates, "amaranth": simulate_amaranth, "cxxrtl": simulate_cxxrtl}[name]
    rng = np.random.default_rng(seed)
    rows = []
    for overlap in CONVENTIONS:
        shapes = random_shapes(array, gemms, rng, longest=longest)
        problems = [random_problem(array, m, n, k, rng=rng, group_size=group) for m, n, k, group in shapes]
        rows += check_array(array, problems, overlap=overlap, simulator=simulator)
    click.echo(_table(rows))
    wrong = sum(not row.equal for row in rows)
    click.echo(f"{len(rows)} GEMMs: " + ("all results and cycles equal" if not wrong else f"{wrong} differ"))
    return not wrong


def _table(rows: list[ShapeReport]) -> str:
    lines = [f"{'m':>5}{'n':>5}{'k':>5}{'group':>7}  {'convention':<16}{'cycles':>8}{'predicted':>11}  results"]
    for row in rows:
        group = "-" if row.group_size is None else str(row.group_size)
        lines.append(
            f"{row.m:>5}{row.n:>5}{row.k:>5}{group:>7}  {row.overlap.value:<16}{row.cycles:>8}{row.predicted:>11}  "
            + (row.difference or "equal")
        )
    return "\n".join(lines)
