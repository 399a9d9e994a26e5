"""Reads a cost table from TOML and refuses one whose numbers cannot be judged.

A table is accepted only when every number stands under a key that names its unit, is positive and cites a
source that the table lists, when no key is unknown, and when all parts of ``REQUIRED`` are priced. An entry
with a ``scaling_factor`` states the number *before* scaling; its value is the product. A table that prices gates
(``nand2``, ``cell``, ``gate``) needs no parts of logic, and may have none: they are counted in gates. A table with
``combined`` names the tables that it is made of (:mod:`simhw.costs.combined`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from simhw.costs.base import Confidence, CostTable, Entry, Quantity
from simhw.costs.combined import combine, parse_combination
from simhw.costs.gate_library import parse_gates
from simhw.costs.scaled import parse_scaled, scale_table
from simhw.costs.synthesised import load_synthesis
from simhw.errors import InputError, unknown_name

SIZES: Mapping[str, tuple[str, ...]] = {
    "integer_add": ("bits",),
    "integer_multiply": ("a_bits", "b_bits"),
    "bitwise_and": ("bits",),
    "float_multiply": ("exponent_bits", "significand_bits"),
    "float_add": ("exponent_bits", "significand_bits"),
    "shift": ("bits", "positions"),
    "register": ("bits",),
    "sram_read": ("capacity_kib", "width_bits"),
    "sram_write": ("capacity_kib", "width_bits"),
    "dram": ("kind", "width_bits"),
}
"""The sizes that an entry of each kind states."""

_LOGIC = ("integer_add", "integer_multiply", "bitwise_and", "float_add", "shift", "register")
REQUIRED: tuple[tuple[str, Quantity], ...] = (
    *((part, quantity) for part in _LOGIC for quantity in Quantity),
    ("sram_read", Quantity.ENERGY),
    ("dram", Quantity.ENERGY),
)
"""What a table must price (narrow float multipliers are composed, a write may cost what a read costs)."""

_HEADER = ("description", "node_nm", "voltage_v", "source", "dram_default", "sources", "entry")
_GATES = ("nand2", "cell", "gate")
_OPTIONAL = ("confidence", "scaling_factor", "scaling_source")


def table_names() -> list[str]:
    """Return the names of the tables that ship, sorted."""
    folder = resources.files("simhw.costs.tables")
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


@lru_cache
def load_table(name: str) -> CostTable:
    """Return the shipped table called ``name``, or one of them at another node (``horowitz_45nm@7nm``).

    Raises:
        InputError: there is no such table.
    """
    if "@" in name:
        base, node_nm, voltage_v = parse_scaled(name)
        return scale_table(load_table(base), name, node_nm, voltage_v)
    if name not in table_names():
        raise unknown_name("technology", name, table_names())
    return parse_table((resources.files("simhw.costs.tables") / f"{name}.toml").read_text("utf-8"), name)


def parse_table(text: str, name: str) -> CostTable:
    """Return the table that the TOML ``text`` describes.

    Raises:
        InputError: the text is no TOML, or a number lacks its unit, its source or a positive value, or a key
            is unknown, or a required part is missing.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"cost table {name!r} is not valid TOML ({error}); correct that line") from error
    if "combined" in data:
        spec = parse_combination(data, name)
        gates, memory = load_table(spec.gates), load_table(spec.memory)
        return combine(name, spec, synthesis=load_synthesis(spec.synthesis), gates=gates, memory=memory)
    _known_keys(data, (*_HEADER, *_GATES), f"cost table {name!r}")
    for key in _HEADER:
        if key not in data:
            raise InputError(f"cost table {name!r} has no {key!r}, every table states it; add it")
    sources = {key: _text(value, f"source {key!r} of cost table {name!r}") for key, value in data["sources"].items()}
    voltage_v = _positive(data["voltage_v"], f"voltage_v of cost table {name!r}")
    has_gates = any(key in data for key in _GATES)
    table = CostTable(
        name=name,
        description=_text(data["description"], f"description of cost table {name!r}"),
        node_nm=_positive(data["node_nm"], f"node_nm of cost table {name!r}"),
        voltage_v=voltage_v,
        source=_text(data["source"], f"source of cost table {name!r}"),
        dram_default=_text(data["dram_default"], f"dram_default of cost table {name!r}"),
        entries=tuple(_entry(raw, sources, name) for raw in data["entry"]),
        gates=parse_gates(data, voltage_v, sources, name) if has_gates else None,
    )
    _complete(table)
    return table


def _entry(raw: Mapping[str, Any], sources: Mapping[str, str], table: str) -> Entry:
    part = str(raw.get("part"))
    if part not in SIZES:
        raise unknown_name("part", part, SIZES)
    where = f"{part} {[raw[size] for size in SIZES[part] if size in raw]} of cost table {table!r}"
    stated = [quantity for quantity in Quantity if quantity.value in raw]
    if len(stated) != 1:
        raise InputError(
            f"{where} states {len(stated)} numbers with a unit, must state one of energy_pj or area_um2; "
            "write one entry for each number"
        )
    quantity = stated[0]
    _known_keys(raw, ("part", *SIZES[part], quantity.value, "source", *_OPTIONAL), where)
    missing = [size for size in SIZES[part] if size not in raw]
    if missing:
        raise InputError(f"{where} has no {missing[0]!r}, the sizes are {', '.join(SIZES[part])}; add it")
    for size in SIZES[part]:
        if size != "kind":
            _positive(raw[size], f"{size} of {where}")
    value = _positive(raw[quantity.value], f"{quantity.value} of {where}")
    factor = raw.get("scaling_factor")
    if (factor is None) != ("scaling_source" not in raw):
        raise InputError(f"{where} needs scaling_factor and scaling_source together, or neither; complete it")
    scaling = ""
    if factor is not None:
        factor = _positive(factor, f"scaling_factor of {where}")
        scaling = f"{value:g} times {factor:g}: {_text(raw['scaling_source'], f'scaling_source of {where}')}"
    return Entry(
        part=part,
        size=tuple((size, raw[size]) for size in SIZES[part]),
        quantity=quantity,
        value=value if factor is None else value * factor,
        source=_source(raw.get("source"), sources, where),
        confidence=_confidence(raw.get("confidence", "confirmed"), where),
        scaled=factor is not None,
        scaling=scaling,
    )


def _complete(table: CostTable) -> None:
    listed = {entry.part for entry in table.entries} & set(_LOGIC)
    if table.gates is not None and listed:
        raise InputError(f"cost table {table.name!r} prices gates and also {min(listed)}; state one of the two")
    for part, quantity in REQUIRED:
        if table.gates is not None and part in _LOGIC:
            continue
        if not any(entry.part == part and entry.quantity is quantity for entry in table.entries):
            raise InputError(f"cost table {table.name!r} has no {quantity.value} of {part}; add an entry with a source")
    seen: set[tuple[object, ...]] = set()
    for entry in table.entries:
        key = (entry.part, entry.size, entry.quantity)
        if key in seen:
            raise InputError(
                f"cost table {table.name!r} states {entry.quantity.value} of {entry.part} {dict(entry.size)} "
                "twice, allowed is once; keep one"
            )
        seen.add(key)
    if table.dram_default not in table.dram_kinds():
        raise unknown_name("dram", table.dram_default, table.dram_kinds())


def _known_keys(raw: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(raw) - set(allowed))
    if unknown:
        raise InputError(
            f"{where} has the unknown key {unknown[0]!r}, allowed are {', '.join(allowed)}; correct or remove it"
        )


def _positive(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InputError(f"{what} is {value!r}, must be a positive number; correct it")
    return float(value)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{what} is {value!r}, must be a sentence; write where the number comes from")
    return value


def _source(key: object, sources: Mapping[str, str], where: str) -> str:
    if key not in sources:
        raise InputError(
            f"{where} cites the source {key!r}, known are {', '.join(sorted(sources))}; "
            "a number without a source is not used: list the source under [sources]"
        )
    return sources[str(key)]


def _confidence(value: object, where: str) -> Confidence:
    allowed = [confidence.value for confidence in Confidence]
    if value not in allowed:
        raise InputError(f"confidence of {where} is {value!r}, must be {' or '.join(allowed)}; correct it")
    return Confidence(value)
