"""``simhw rtl list``: PEs and special function units that have a circuit, with their variants."""

from __future__ import annotations

import click


@click.command("list")
def command() -> None:
    """List the PEs and units that have a circuit, with the variants of each, the default first."""
    from simhw import pes, sfu

    for folder in (pes, sfu):
        for name, variants in folder.circuit_names().items():
            click.echo(name)
            width = max(map(len, variants))
            for variant in variants:
                click.echo(f"  {variant:<{width}}  {folder.get_circuit(name, variant).description}")
