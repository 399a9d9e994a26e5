"""A technology at another node: ``horowitz_45nm@7nm``, or ``horowitz_45nm@7nm,0.7V`` at another supply voltage.

Logic and SRAM are scaled by Stillmaker and Baas (:mod:`simhw.costs.stillmaker`), every entry marked as scaled; DRAM is
not. Tables of gates and of synthesised PEs do not scale: their structure is that of their node.
"""

from __future__ import annotations

import re
from dataclasses import replace

from simhw.costs.base import CostTable, Entry, Quantity
from simhw.costs.stillmaker import SOURCE, area_factor, energy_factor
from simhw.errors import InputError

GRAMMAR = re.compile(r"(?P<table>[^@]+)@(?P<node>\d+(?:\.\d+)?)nm(?:,(?P<voltage>\d+(?:\.\d+)?)V)?")


def parse_scaled(name: str) -> tuple[str, float, float | None]:
    """Return the table's name, the node in nanometres and the voltage (None: the table's own).

    Raises:
        InputError: the name is of another form.
    """
    found = GRAMMAR.fullmatch(name)
    if found is None:
        raise InputError(f"technology is {name!r}, a scaled one is TABLE@7nm or TABLE@7nm,0.7V; correct it")
    voltage = found["voltage"]
    return found["table"], float(found["node"]), None if voltage is None else float(voltage)


def scale_table(table: CostTable, name: str, node_nm: float, voltage_v: float | None) -> CostTable:
    """Return a table at another node.

    Raises:
        InputError: a node or voltage out of range, or a table that does not scale.
    """
    if table.gates is not None:
        raise InputError(
            f"{table.name} prices gates or synthesised PEs, which do not scale; scale a table of parts, horowitz_45nm"
        )
    supply = table.voltage_v if voltage_v is None else voltage_v
    factors = {
        Quantity.ENERGY: energy_factor(table.node_nm, node_nm, table.voltage_v, supply),
        Quantity.AREA: area_factor(table.node_nm, node_nm),
    }

    def scaled(entry: Entry) -> Entry:
        if entry.part == "dram":
            return entry
        factor = factors[entry.quantity]
        how = f"times {factor:.4g} from {table.node_nm:g} nm, {table.voltage_v:g} V: {SOURCE}"
        steps = "; ".join(step for step in (entry.scaling, how) if step)
        return replace(entry, value=entry.value * factor, scaled=True, scaling=steps)

    return replace(
        table,
        name=name,
        description=f"{table.description}, scaled to {node_nm:g} nm and {supply:g} V",
        node_nm=node_nm,
        voltage_v=supply,
        source=f"{table.source}; scaled by {SOURCE}",
        entries=tuple(map(scaled, table.entries)),
    )
