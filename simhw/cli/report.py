"""``simhw report``: a comparison that simhw makes from its own entries, as a page with its data."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click


@click.command("report")
@click.argument("name")
@click.option(
    "--out",
    "folder",
    metavar="DIR",
    default="reports/out",
    show_default=True,
    help="Folder of the files; made where it is missing.",
)
@click.option("--steps", type=click.IntRange(1), help="Training steps, for a report that trains. Default: its own.")
def command(name: str, folder: str, steps: int | None) -> None:
    """Make the report NAME (see 'simhw list reports') and print it in short."""
    from simhw.catalog import get_report
    from simhw.errors import InputError
    from simhw.report import TrainingReport
    from simhw.writing import make_folder, write_atomically

    report = get_report(name)
    if steps is not None:
        if not isinstance(report, TrainingReport):
            raise InputError(f"steps is {steps}, but {name} trains nothing; leave it out")
        report = report.with_steps(steps)
    make_folder(folder)
    output = report.make(
        command=shlex.join(["simhw", *sys.argv[1:]]), say=lambda phrase: click.echo(f"{phrase} ...", err=True)
    )
    click.echo(output.text, nl=False)
    for file, content in output.files.items():
        path = Path(folder, file)
        write_atomically(path, content)
        click.echo(f"written: {path}", err=True)
