"""``simhw published``: what networks take by the cost model of a published simulator."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("published")
@click.argument("preset")
@click.option("--network", "networks", multiple=True, help="Of the preset; several times for several. Default: all.")
@click.option("--design", "designs", multiple=True, help="Of the preset; several times for several. Default: all.")
@click.option("--csv", "target", type=click.Path(allow_dash=True), default="-", help="File, or - for the terminal.")
def command(preset: str, networks: tuple[str, ...], designs: tuple[str, ...], target: str) -> None:
    """Cycles and energy of designs on networks by the cost preset PRESET, such as mixpe_artifact.

    A preset reproduces published figures by their own convention; 'simhw report mixpe_tables' shows what that is worth.
    """
    import csv
    import io

    from simhw.costs.published_loader import load_published_model
    from simhw.published_cost import published_cost
    from simhw.writing import write_atomically

    model = load_published_model(preset)
    rows = []
    for network in [model.network(name) for name in networks or model.networks]:
        for design in [model.design(name) for name in designs or model.designs]:
            cost = published_cost(model, design, network)
            energy = {f"energy_{part}_nj": value for part, value in cost.parts_nj.items()}
            rows.append(
                {
                    "network": network.name,
                    "design": design.name,
                    "cycles": cost.cycles,
                    "stall_cycles": cost.stall_cycles,
                    "macs": cost.macs,
                    **energy,
                    "energy_total_nj": cost.total_nj,
                }
            )
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    text = stream.getvalue()
    if target == "-":
        click.echo(text, nl=False)
    else:
        write_atomically(Path(target), text)
