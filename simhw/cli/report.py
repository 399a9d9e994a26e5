"""``simhw report``: a comparison that simhw makes from its own entries, as a page with its data."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from simhw.errors import InputError


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
    from simhw.writing import write_atomically

    report = get_report(name)
    _make_folder(folder)
    output = report.make(
        command=shlex.join(["simhw", *sys.argv[1:]]), say=lambda phrase: click.echo(f"{phrase} ...", err=True)
    )
    click.echo(output.text, nl=False)
    for file, content in output.files.items():
        path = Path(folder, file)
        write_atomically(path, content)
        click.echo(f"written: {path}", err=True)


def _make_folder(folder: str) -> None:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"output folder is {folder!r}, which cannot be made ({error.strerror or error}); choose another place"
        ) from error
