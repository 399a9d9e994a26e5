"""``simhw list``: the entries of every kind."""

from __future__ import annotations

import click

from simhw.catalog import ENTRIES, entries, units_by_function


@click.command("list")
@click.argument("kind", required=False, metavar="[KIND]")
def command(kind: str | None) -> None:
    """List the entries of KIND (models, datapaths, schemes, formats, ...), or of all kinds."""
    for index, name in enumerate([kind] if kind else ENTRIES):
        found = units_by_function() if kind == "units" else entries(name)  # what --unit takes needs the function
        if not kind:
            click.echo(("\n" if index else "") + f"{name}:")
        width = max(map(len, found), default=0)
        for entry, text in found.items():
            click.echo(f"{'' if kind else '  '}{entry:<{width}}  {text}".rstrip())
