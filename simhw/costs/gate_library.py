"""What one gate of each kind costs: cells in units of a NAND2, and gates made of them.

The energy of one use of a gate is activity x capacitance x voltage squared, the capacitance being that of the cells it
is made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simhw.costs.gates import GATE_KINDS, GateCounts
from simhw.errors import InputError

CELL_KEYS = ("name", "capacitance_nand2", "area_nand2", "source")
NAND2_KEYS = ("capacitance_ff", "area_um2", "delay_ps", "source")
GATE_KEYS = ("name", "cells", "activity", "source")


@dataclass(frozen=True, kw_only=True)
class GatePrice:
    """One kind of gate.

    Attributes:
        kind: one of ``GATE_KINDS``.
        cells: what it is made of, in words.
        activity: share of its capacitance that is switched in one use.
        energy_pj: of one use.
        area_um2: of one instance.
        source: citation.
    """

    kind: str
    cells: str
    activity: float
    energy_pj: float
    area_um2: float
    source: str


@dataclass(frozen=True, kw_only=True)
class GateLibrary:
    """The gates of one technology, one price per kind.

    Attributes:
        nand2_area_um2: area of the unit gate, in which circuits are often compared.
        nand2_delay_ps: its delay.
        prices: in the order of ``GATE_KINDS``.
    """

    nand2_area_um2: float
    nand2_delay_ps: float
    prices: tuple[GatePrice, ...]

    def energy_pj(self, gates: GateCounts) -> float:
        """Return the energy in picojoules of one use of each of ``gates``."""
        return sum(float(getattr(gates, price.kind)) * price.energy_pj for price in self.prices)

    def area_um2(self, gates: GateCounts) -> float:
        """Return the area in square micrometres of ``gates``."""
        return sum(float(getattr(gates, price.kind)) * price.area_um2 for price in self.prices)


def parse_gates(data: Mapping[str, Any], voltage_v: float, sources: Mapping[str, str], table: str) -> GateLibrary:
    """Return the gates that the keys ``nand2``, ``cell`` and ``gate`` of a table describe.

    Raises:
        InputError: a number is missing or not positive, an activity is above 1, a source or a cell is not listed, or a
            kind of gate is missing or stated twice.
    """
    nand2 = _record(data.get("nand2"), NAND2_KEYS, sources, f"nand2 of cost table {table!r}")
    cells = {"nand2": (1.0, 1.0)}
    for raw in _list(data, "cell", table):
        where = f"cell {raw.get('name')!r} of cost table {table!r}"
        cell = _record(raw, CELL_KEYS, sources, where)
        cells[cell["name"]] = (cell["capacitance_nand2"], cell["area_nand2"])
    prices: dict[str, GatePrice] = {}
    for raw in _list(data, "gate", table):
        where = f"gate {raw.get('name')!r} of cost table {table!r}"
        gate = _record(raw, GATE_KEYS, sources, where)
        if gate["name"] not in GATE_KINDS or gate["name"] in prices:
            raise InputError(
                f"{where} is unknown or stated twice, the kinds are {', '.join(GATE_KINDS)}; state each once"
            )
        made_of = _cells(gate["cells"], cells, where)
        capacitance_ff = nand2["capacitance_ff"] * sum(count * cells[name][0] for name, count in made_of.items())
        prices[gate["name"]] = GatePrice(
            kind=gate["name"],
            cells=", ".join(f"{count:g} {name}" for name, count in made_of.items()),
            activity=gate["activity"],
            energy_pj=gate["activity"] * capacitance_ff * voltage_v**2 / 1000,
            area_um2=nand2["area_um2"] * sum(count * cells[name][1] for name, count in made_of.items()),
            source=gate["source"],
        )
    missing = [kind for kind in GATE_KINDS if kind not in prices]
    if missing:
        raise InputError(f"cost table {table!r} has no gate {missing[0]!r}, it needs {', '.join(GATE_KINDS)}; add it")
    return GateLibrary(
        nand2_area_um2=nand2["area_um2"],
        nand2_delay_ps=nand2["delay_ps"],
        prices=tuple(prices[kind] for kind in GATE_KINDS),
    )


def _list(data: Mapping[str, Any], key: str, table: str) -> Sequence[Mapping[str, Any]]:
    found = data.get(key, [])
    if not isinstance(found, list):
        raise InputError(f"{key!r} of cost table {table!r} is no list; write each under [[{key}]]")
    return found


def _cells(made_of: object, known: Mapping[str, object], where: str) -> dict[str, float]:
    if not isinstance(made_of, Mapping) or not made_of or set(made_of) - set(known):
        raise InputError(
            f"cells of {where} are {made_of!r}, known are {', '.join(known)}; write cells = {{ nand2 = 1 }}"
        )
    return {name: _positive(count, f"{name} of {where}") for name, count in made_of.items()}


def _record(raw: object, keys: Sequence[str], sources: Mapping[str, str], where: str) -> dict[str, Any]:
    """Return the values of exactly these keys, the numbers positive and the source spelled out."""
    given = raw if isinstance(raw, Mapping) else {}
    wrong = sorted(set(given) ^ set(keys))
    if wrong:
        raise InputError(f"{where} misses or does not know {wrong[0]!r}, its keys are {', '.join(keys)}; correct it")
    found: dict[str, Any] = {}
    for key, value in given.items():
        if key == "source":
            if value not in sources:
                raise InputError(
                    f"{where} cites the source {value!r}, known are {', '.join(sorted(sources))}; "
                    "a number without a source is not used: list the source under [sources]"
                )
            found[key] = sources[value]
        elif key in ("name", "cells"):
            found[key] = value
        else:
            found[key] = _positive(value, f"{key} of {where}")
    if found.get("activity", 1) > 1:
        raise InputError(f"activity of {where} is {found['activity']}, must be above 0 and at most 1; correct it")
    return found


def _positive(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InputError(f"{what} is {value!r}, must be a positive number; correct it")
    return float(value)
