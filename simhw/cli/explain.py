"""``simhw explain``: what one entry means, in figures."""

from __future__ import annotations

import click

from simhw.explain import explain


@click.command("explain")
@click.argument("name")
def command(name: str) -> None:
    """Explain NAME: a format, datapath, scheme, PE or technology."""
    click.echo(explain(name))
