"""``simhw rtl check``: gates against the definition."""

from __future__ import annotations

import click


@click.command("check")
@click.argument("pe", metavar="PE|UNIT|all")
@click.option("--variant", multiple=True, metavar="NAME", help="Structure, or all. [default: the first]")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A size, as in accumulator_bits=32.")
@click.option("--faults", is_flag=True, help="Exchange every gate in turn: which exchanges does the comparison miss?")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is random.")
def command(pe: str, variant: tuple[str, ...], settings: tuple[str, ...], faults: bool, seed: int) -> None:
    """Compare a circuit's gates with the PE's or unit's definition, clock by clock, and exit with 1 if they differ.

    All operands are tried where they have at most 22 bits together, with random states; random and corner vectors
    and sequences from reset always.
    """
    from simhw.rtl.check import check_circuit
    from simhw.rtl.faults import seed_faults
    from simhw.rtl.netlist import netlist
    from simhw.rtl.selection import select

    differs = False
    for circuit in select(pe, variant, settings):
        report = check_circuit(circuit, seed=seed)
        differs |= not report.equal
        click.echo(report)
        if faults and report.equal:
            found = seed_faults(circuit, netlist(circuit))
            click.echo(f"  {found.seeded} gates exchanged one by one, {len(found.missed)} not noticed")
    if differs:
        raise click.exceptions.Exit(1)
