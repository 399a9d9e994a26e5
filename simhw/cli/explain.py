"""``simhw explain``: what one entry means, in figures."""

from __future__ import annotations

import click

from simhw.explanation import explain


@click.command("explain")
@click.argument("name")
@click.option("--k", type=int, metavar="K", help="Products per sum for worst cases and error bounds. [default: 4096]")
def command(name: str, k: int | None) -> None:
    """Explain NAME: a format, accumulator, datapath, scheme, PE or technology."""
    click.echo(explain(name, k))
