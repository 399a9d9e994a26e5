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
def command(name: str, folder: str) -> None:
    """Make the report NAME (see 'simhw list reports') and print it in short."""
    from simhw.catalog import get_report
    from simhw.writing import make_folder, write_atomically

    report = get_report(name)
    make_folder(folder)
    output = report.make(
        command=shlex.join(["simhw", *sys.argv[1:]]), say=lambda phrase: click.echo(f"{phrase} ...", err=True)
    )
    click.echo(output.text, nl=False)
    for file, content in output.files.items():
        path = Path(folder, file)
        write_atomically(path, content)
        click.echo(f"written: {path}", err=True)
