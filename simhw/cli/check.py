"""``simhw check``: the casts of other libraries against exact rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from simhw.peers import Cast, Peer
    from simhw.testing import Report


@click.command("check")
@click.argument("target")
@click.option("--details", is_flag=True, help="Show every report in full, not only the table.")
def command(target: str, details: bool) -> None:
    """Check the casts of the library TARGET (ml_dtypes, torch, gfloat, torchao, microxcaling), or of all of them.

    Each cast is held to its own documented rounding and overflow; the inputs are every boundary of the format. A zero
    exit code means that the check ran: disagreements are its result, not its failure.
    """
    from simhw.peers import get_peer, peer_names

    names = peer_names() if target == "all" else [get_peer(target).name]
    for index, name in enumerate(names):
        if index:
            click.echo()
        _check(get_peer(name), details)


def _check(peer: Peer, details: bool) -> None:
    from simhw.peers import installed_version

    version = installed_version(peer)
    if version is None:
        click.echo(f"{peer.name}: not installed; {peer.install}")
        return
    try:
        casts = peer.casts()
    except (ImportError, AttributeError) as error:
        click.echo(f"{peer.name} {version}: has other functions than those checked here ({error})")
        return
    reports, failed = [], []
    for cast in casts:
        try:
            reports.append((cast, cast.run()))
        except Exception as error:  # a library may raise anything; the others are checked all the same
            failed.append(f"  {cast.format}, {cast.call}: could not be checked: {type(error).__name__}: {error}")
    click.echo(f"{peer.name} {version}")
    click.echo(table(reports))
    for line in failed:
        click.echo(line)
    if details:
        for _, report in reports:
            if not report.agrees:
                click.echo(f"\n{report}")


def table(reports: list[tuple[Cast, Report]]) -> str:
    """Return one line per cast: what was tried, what disagrees by class, and the smallest example."""
    rows = [("format", "cast", "held to", "tried", "wrong", "by class", "smallest disagreement")]
    for cast, report in reports:
        wrong = ", ".join(f"{name} {count.wrong}" for name, count in report.counts.items() if count.wrong)
        example = "" if report.first is None else report.first.line
        rows.append((cast.format, cast.call, cast.policy, str(report.tried), str(report.wrong), wrong, example))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(widths[i]) if i in (3, 4) else cell.ljust(widths[i]) for i, cell in enumerate(row)]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
