"""``simhw rtl prove``: gates equal the definition for all inputs and states."""

from __future__ import annotations

import click


@click.command("prove")
@click.argument("pe", metavar="PE|UNIT|all")
@click.option("--variant", multiple=True, metavar="NAME", help="Structure, or all. [default: the first]")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A size, as in accumulator_bits=32.")
@click.option("--limit", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds per register.")
@click.option("--solver", type=click.Choice(["bitwuzla", "z3"]), help="[default: bitwuzla if installed]")
@click.option("--netlist", "by_yosys", is_flag=True, help="Prove by Yosys, too, that the gates are those of the RTL.")
@click.option(
    "--liberty", multiple=True, metavar="PATH", help="Prove, too, that its netlist of these standard cells is the RTL."
)
def command(
    pe: str,
    variant: tuple[str, ...],
    settings: tuple[str, ...],
    limit: float,
    solver: str | None,
    by_yosys: bool,
    liberty: tuple[str, ...],
) -> None:
    """Prove that a circuit computes the PE's or unit's definition for all inputs and states; say what is not proven.

    Exits with 1 if there is a counterexample.
    """
    from simhw.rtl.equivalence import prove_netlist
    from simhw.rtl.liberty import read_library
    from simhw.rtl.mapped_proof import prove_mapped
    from simhw.rtl.mapping import Goal, map_circuit
    from simhw.rtl.prove import Verdict, prove_circuit
    from simhw.rtl.selection import select
    from simhw.rtl.smt import Solver

    library = read_library(liberty) if liberty else None
    refuted = False
    for circuit in select(pe, variant, settings):
        proof = prove_circuit(circuit, limit_s=limit, solver=Solver(solver) if solver else None)
        refuted |= proof.verdict is Verdict.COUNTEREXAMPLE
        click.echo(proof)
        if by_yosys:
            click.echo(f"  gates against RTL: {prove_netlist(circuit, limit_s=limit).value} (yosys)")
        if library is None:
            continue
        for goal in Goal:
            verilog = map_circuit(circuit, library, goal).netlist.verilog
            verdict = prove_mapped(circuit, verilog, library, limit_s=limit)
            refuted |= verdict is Verdict.COUNTEREXAMPLE
            click.echo(f"  cells for {goal.value} against RTL: {verdict.value} (yosys)")
    if refuted:
        raise click.exceptions.Exit(1)
