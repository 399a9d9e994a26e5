"""``simhw cache``: results of steps that are kept from one run to the next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from simhw.caching import Store


def folder() -> Path:
    """Return the folder of the cache, beside those of fetched models."""
    from simhw.models.fetch import cache_folder

    return cache_folder() / "layers"


@click.group("cache")
def command() -> None:
    """Look at, or empty, the cache of steps' results (not that of fetched models)."""


@command.command("info")
def info() -> None:
    """Print where the cache is and what it holds."""
    from simhw.caching import Store

    store = Store(folder())
    usage = store.usage()
    _close(store)
    click.echo(f"{usage.file}: {usage.entries:,} entries, {usage.bytes / 1e6:,.1f} MB")


@command.command("clear")
def clear() -> None:
    """Remove all entries."""
    from simhw.caching import Store

    store = Store(folder())
    usage = store.usage()
    store.clear()
    _close(store)
    click.echo(f"{usage.file}: {usage.entries:,} entries, {usage.bytes / 1e6:,.1f} MB removed")


def _close(store: Store) -> None:
    """Raise InputError where the cache could not be used."""
    from simhw.errors import InputError

    store.close()
    if store.trouble is not None:
        raise InputError(f"the cache cannot be opened ({store.trouble}); set SIMHW_CACHE to another folder, or mend it")
