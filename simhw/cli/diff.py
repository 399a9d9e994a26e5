"""``simhw diff``: the first layer and element in which two recorded runs differ."""

from __future__ import annotations

import click


@click.command("diff")
@click.argument("folder_a", metavar="RUN_A")
@click.argument("folder_b", metavar="RUN_B")
def command(folder_a: str, folder_b: str) -> None:
    """Say where two runs first differ: RUN_A and RUN_B are folders that 'simhw run --record' wrote.

    Prints the step, the element, both values and how many units in the last place lie between them. Exit code 0 where
    all steps are equal, 1 where they differ.
    """
    from simhw.recording import first_difference, read_recording

    found = first_difference(folder_a, folder_b)
    if found is None:
        steps = len(read_recording(folder_a)[1])
        click.echo(f"equal: every value of all {steps} steps")
        return
    click.echo(f"first difference: {found.operator} {found.label}" + (f" ({found.source})" if found.source else ""))
    if found.reason:
        click.echo(f"  {found.reason}")
    else:
        place = ", ".join(map(str, found.index))
        apart = "not comparable" if found.ulps is None else f"{found.ulps:,} units in the last place of {found.unit}"
        click.echo(f"  element [{place}]: {found.first!r} against {found.second!r}, {apart}")
        click.echo(f"  {found.unequal:,} of {found.elements:,} values differ in this step and batch")
    raise SystemExit(1)
