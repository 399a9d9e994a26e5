"""What ``explain`` says of a special function unit: function, formats, the width of every signal, work, cost."""

from __future__ import annotations

from simhw.costs import load_table, table_names
from simhw.sfu import get_unit

Pairs = list[tuple[str, str]]


def unit_pairs(name: str) -> Pairs:
    """Return what to say of a unit. Raises InputError for an unknown name."""
    unit = get_unit(name)
    return [
        ("what", unit.description),
        ("function", f"{unit.function}, by {unit.extent.value}"),
        ("input", _codes(unit.input_format, unit.input_scale)),
        ("output", _codes(unit.output_format, unit.output_scale)),
        *((f"  {signal.name}", f"{signal.bits} bit: {signal.worst_case}") for signal in unit.signals),
        *([("longest row", f"{unit.longest_row:,}")] if unit.longest_row else []),
        (
            "work per element",
            f"{unit.work.adds:g} additions, {unit.work.multiplies:g} multiplications, {unit.work.passes} passes",
        ),
        *(
            (table, f"{unit.work.energy_pj(load_table(table)):.3g} pJ per element as float32 operations")
            for table in table_names()
        ),
        ("source", unit.source),
    ]


def _codes(name: str, scale: float | None) -> str:
    return name if scale is None else f"{name} codes of {scale:g}"
