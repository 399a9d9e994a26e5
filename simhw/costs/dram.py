"""DRAM by type, for every technology: the numbers of ``dram.toml``.

Moving a bit costs energy; a channel that waits takes power all the time, which is its standby. Rows stay open between
accesses (open-page policy), so that a channel is in active standby for as long as it runs. Refresh is not counted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

from simhw.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Standby:
    """Currents of one channel that waits.

    Attributes:
        chips: of the channel.
        voltage_v: supply (VDD).
        active_ma: current of each chip with an open row, in milliamperes (IDD3N).
        precharged_ma: with all banks precharged (IDD2N).
        source: full citation.
    """

    chips: int
    voltage_v: float
    active_ma: float
    precharged_ma: float
    source: str

    @property
    def active_mw(self) -> float:
        """Power of the channel with open rows, in milliwatts."""
        return self.chips * self.voltage_v * self.active_ma

    @property
    def precharged_mw(self) -> float:
        """Power of the channel with all banks precharged, in milliwatts."""
        return self.chips * self.voltage_v * self.precharged_ma


@dataclass(frozen=True, kw_only=True)
class DramKind:
    """One type.

    Attributes:
        kind: its name.
        pj_per_bit: energy to move one bit, in picojoules.
        source: full citation.
        note: what the source says beside the number.
        confidence: ``confirmed`` or ``recalled``.
        standby: of one channel; None: no citable figure is at hand.
    """

    kind: str
    pj_per_bit: float
    source: str
    note: str
    confidence: str
    standby: Standby | None = None


@dataclass(frozen=True, kw_only=True)
class DramStatic:
    """Power of DRAM that a machine bears all the time.

    Attributes:
        milliwatts: of one channel; 0 where none is stated.
        source: where it is from, or why it is 0.
    """

    milliwatts: float
    source: str


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
        where = f"dram {kind!r}"
        _check_keys(entry, names - {"standby"}, {"standby"}, where)
        entry["pj_per_bit"] = _positive(entry["pj_per_bit"], "pJ per bit", where)
        if kind in found or entry["confidence"] not in ("confirmed", "recalled"):
            raise InputError(f"dram {kind!r} stands twice or has no confidence; correct it")
        standby = entry.pop("standby", None)
        found[kind] = DramKind(
            **{**entry, "source": _source(entry, sources, where)},
            standby=None if standby is None else _standby(standby, sources, where),
        )
    return found


def _standby(raw: object, sources: Mapping[str, str], where: str) -> Standby:
    where = f"standby of {where}"
    entry = dict(raw) if isinstance(raw, Mapping) else {}
    _check_keys(entry, {field.name for field in fields(Standby)}, set(), where)
    chips = entry["chips"]
    if isinstance(chips, bool) or not isinstance(chips, int) or chips < 1:
        raise InputError(f"{where} has {chips!r} chips, must be an integer from 1; correct it")
    return Standby(
        chips=chips,
        voltage_v=_positive(entry["voltage_v"], "V", where),
        active_ma=_positive(entry["active_ma"], "mA", where),
        precharged_ma=_positive(entry["precharged_ma"], "mA", where),
        source=_source(entry, sources, where),
    )


def _check_keys(entry: Mapping[str, Any], needed: set[str], optional: set[str], where: str) -> None:
    for odd in sorted((needed - entry.keys()) | (entry.keys() - needed - optional)):
        raise InputError(f"{where} {'lacks' if odd in needed else 'has the unknown key'} {odd!r}; correct it")


def _source(entry: Mapping[str, Any], sources: Mapping[str, str], where: str) -> str:
    if entry["source"] not in sources:
        raise InputError(f"{where} cites {entry['source']!r}, which [sources] does not list; list it")
    return sources[entry["source"]]


def _positive(value: object, unit: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InputError(f"{where} takes {value!r} {unit}, must be a positive number; correct it")
    return float(value)
