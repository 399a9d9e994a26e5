"""``simhw rtl export``: a circuit as Verilog."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("export")
@click.argument("pe", metavar="PE|UNIT|all")
@click.option("--out", required=True, metavar="DIR", help="Folder that NAME.v is written to.")
@click.option("--variant", multiple=True, metavar="NAME", help="Structure, or all. [default: the first]")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A size, as in accumulator_bits=32.")
def command(pe: str, out: str, variant: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Write the circuit of a PE or unit as Verilog. The same circuit gives the same text."""
    from simhw.circuits import require_rtl
    from simhw.rtl.rtlil import export
    from simhw.rtl.selection import select
    from simhw.writing import make_folder

    circuits = select(pe, variant, settings)
    require_rtl()
    make_folder(out)
    for circuit in circuits:
        click.echo(export(circuit, Path(out)))
