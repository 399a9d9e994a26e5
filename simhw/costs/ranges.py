"""How far published sources are apart on one constant: the ranges over which a comparison has to hold."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

from simhw.costs.base import CostTable
from simhw.costs.parts import FloatAdd, IntegerAdd, IntegerMultiply
from simhw.errors import InputError

BUFFER_KIB = 128
"""Capacity at which buffers are compared."""


@dataclass(frozen=True, kw_only=True)
class ConstantRange:
    """One constant as published.

    Attributes:
        name: of the constant.
        what: one use of it.
        unit: of its values.
        parts: of the energy, which are in proportion to it.
        low, high: lowest and highest published value.
        low_source, high_source: where they stand.
    """

    name: str
    what: str
    unit: str
    parts: tuple[str, ...]
    low: float
    low_source: str
    high: float
    high_source: str

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high or not self.low_source or not self.high_source or self.unit != "pJ":
            raise InputError(
                f"range {self.name!r} is {self.low} to {self.high} {self.unit}, must be positive, in pJ, with a source "
                "for both ends; correct it"
            )

    def in_table(self, table: CostTable) -> float:
        """Return the table's own value of the constant."""
        return _CONSTANTS[self.name](table)


_CONSTANTS: Mapping[str, Callable[[CostTable], float]] = {
    "mac": lambda table: table.total_energy_pj((IntegerMultiply(a_bits=8, b_bits=8), IntegerAdd(bits=32))),
    "sram": lambda table: table.sram_pj_per_bit(BUFFER_KIB, False),
    "dram": lambda table: table.dram_pj_per_bit(),
    "vector": lambda table: table.energy_pj(FloatAdd(exponent_bits=8, significand_bits=24)),
}


@cache
def published_ranges() -> tuple[ConstantRange, ...]:
    """Return the ranges of ``ranges.toml``."""
    return read_ranges((files("simhw.costs") / "ranges.toml").read_text(encoding="utf-8"))


def read_ranges(text: str) -> tuple[ConstantRange, ...]:
    """Return ranges from TOML.

    Raises:
        InputError: a field is missing or unknown, a constant is not known, or a range is none.
    """
    names = {field.name for field in fields(ConstantRange)}
    found = []
    for entry in tomllib.loads(text).get("range", []):
        data: dict[str, Any] = dict(entry)
        if data.keys() != names:
            odd = sorted(names ^ data.keys())[0]
            raise InputError(f"range {data.get('name')!r} {'lacks' if odd in names else 'has the unknown'} {odd!r}")
        if data["name"] not in _CONSTANTS:
            raise InputError(f"range {data['name']!r} is of no known constant ({', '.join(_CONSTANTS)}); correct it")
        found.append(ConstantRange(**{**data, "parts": tuple(data["parts"])}))
    return tuple(found)
