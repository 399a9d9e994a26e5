"""``simhw rtl list``: PEs that have a circuit, with their variants."""

from __future__ import annotations

import click


@click.command("list")
def command() -> None:
    """List the PEs that have a circuit, with the variants of each, the default first."""
    from simhw.pes import circuit_names, get_circuit

    for name, variants in circuit_names().items():
        click.echo(name)
        width = max(map(len, variants))
        for variant in variants:
            click.echo(f"  {variant:<{width}}  {get_circuit(name, variant).description}")
