"""What ``explain`` says of a table of SRAM macros: conditions, source, and the fit of every figure with its error."""

from __future__ import annotations

from simhw.costs.sram_table import MacroFigure, SramTable, load_sram

Pairs = list[tuple[str, str]]


def sram_pairs(name: str) -> Pairs:
    """Return what to say of a table of macros. Raises InputError for an unknown name."""
    table = load_sram(name)
    capacities, widths = ([point[i] for point in table.points] for i in (1, 2))
    return [
        ("what", table.description),
        ("node", f"{table.node_nm:g} nm, {table.voltage_v:g} V, {table.temperature_k:g} K"),
        (
            "points",
            f"{len(table.points)}: {min(capacities):g} to {max(capacities):g} KiB, words of {min(widths):g} to "
            f"{max(widths):g} bits, {' or '.join(map(str, table.ports))} read-write ports",
        ),
        *((figure.value, _law(table, figure)) for figure in MacroFigure),
        ("source", table.source),
        ("command", table.command),
        ("settings", table.configuration.strip().replace("\n", "\n            ")),
    ]


def _law(table: SramTable, figure: MacroFigure) -> str:
    law = table.fit(figure)
    return (
        f"{law.factor:.3g} x KiB^{law.capacity_power:.3g} x bits^{law.width_power:.3g} fits the points of one port "
        f"within {law.max_error:.0%} (rms {law.rms_error:.0%}); between points they themselves are followed"
    )
