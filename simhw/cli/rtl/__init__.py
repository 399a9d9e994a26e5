"""``simhw rtl``: circuits of PEs and special function units; one command per file of this folder."""

from __future__ import annotations

import click

from simhw.cli import Commands


class _RtlCommands(Commands):
    package = __name__


@click.command("rtl", cls=_RtlCommands)
def command() -> None:
    """Circuits of PEs and special function units."""
