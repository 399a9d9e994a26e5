"""DRAM by type, for every technology: the numbers of ``dram.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from simhw.errors import InputError


@dataclass(frozen=True, kw_only=True)
class DramKind:
    """One type.

    Attributes:
        kind: its name.
        pj_per_bit: energy to move one bit, in picojoules.
        source: full citation.
        note: what the source says beside the number.
        confidence: ``confirmed`` or ``recalled``.
    """

    kind: str
    pj_per_bit: float
    source: str
    note: str
    confidence: str


@cache
def dram_kinds() -> Mapping[str, DramKind]:
    """Return every type by name."""
    return read_dram((files("simhw.costs") / "dram.toml").read_text(encoding="utf-8"))


def read_dram(text: str) -> dict[str, DramKind]:
    """Return the types that TOML describes.

    Raises:
        InputError: a number without source or not positive, a missing or unknown key, a type twice.
    """
    data = tomllib.loads(text)
    sources, names = data.get("sources", {}), {field.name for field in fields(DramKind)}
    found: dict[str, DramKind] = {}
    for entry in data.get("dram", []):
        kind = entry.get("kind")
        if entry.keys() != names:
            odd = sorted(names ^ entry.keys())[0]
            raise InputError(f"dram {kind!r} {'lacks' if odd in names else 'has the unknown key'} {odd!r}; correct it")
        if entry["source"] not in sources:
            raise InputError(f"dram {kind!r} cites {entry['source']!r}, which [sources] does not list; list it")
        value = entry["pj_per_bit"]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise InputError(f"dram {kind!r} takes {value!r} pJ per bit, must be a positive number; correct it")
        if kind in found or entry["confidence"] not in ("confirmed", "recalled"):
            raise InputError(f"dram {kind!r} stands twice or has no confidence; correct it")
        found[kind] = DramKind(**{**entry, "pj_per_bit": float(value), "source": sources[entry["source"]]})
    return found
