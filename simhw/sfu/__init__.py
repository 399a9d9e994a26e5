"""Special function units: one per file, found by file name; and each of them with narrow input and output."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from simhw.circuits import Circuit
from simhw.circuits.lookup import circuit_of
from simhw.errors import InputError, unknown_name
from simhw.sfu.base import Extent, Parameters, Signal, SpecialFunctionUnit
from simhw.sfu.narrow import with_format

_SHARED = frozenset({"base", "exponential", "integer_norm", "lanes", "multiplier", "narrow", "table", "tangent"})
"""Files of this folder that several units share."""

JOINT = "_in_"
"""``softmax_two_pass_in_bf16``: the unit with its input and its output rounded to a format."""

__all__ = [
    "Extent",
    "Parameters",
    "Signal",
    "SpecialFunctionUnit",
    "circuit_names",
    "get_circuit",
    "get_unit",
    "unit_names",
]


def unit_names() -> list[str]:
    """Return the names of all units, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _SHARED)


@cache
def get_unit(name: str) -> SpecialFunctionUnit:
    """Return the unit called ``name``, or one of a family.

    ``UNIT_in_FORMAT`` has narrow input and output, ``FUNCTION_table_N`` and ``FUNCTION_newton_N`` have a
    table of N intervals.

    Raises:
        InputError: there is no unit or no element format of that name, or no table of that size.
    """
    plain, joint, narrow = name.partition(JOINT)
    base, entries = _size(plain)
    if base not in unit_names():
        raise unknown_name("unit", name, unit_names())
    if joint and not narrow:
        raise InputError(f"unit is {name!r}, which names no format; write {plain}{JOINT}bf16, for example")
    module = _module(base)
    found = module.sized(int(entries)) if entries else module.UNIT
    assert isinstance(found, SpecialFunctionUnit)
    return with_format(found, narrow, JOINT) if joint else found


def circuit_names() -> dict[str, tuple[str, ...]]:
    """Return the units that have a circuit, each with the variants of it, the default first."""
    found = {name: getattr(_module(name), "CIRCUITS", ()) for name in unit_names()}
    return {name: variants for name, variants in found.items() if variants}


def get_circuit(name: str, variant: str | None = None, **parameters: int) -> Circuit:
    """Return the circuit of a unit: what its file's ``circuit`` makes of a variant and sizes.

    Raises:
        InputError: no such unit, no circuit for it, no such variant, or sizes that it does not take.
    """
    get_unit(name)
    return circuit_of(_module(name), name, variant, parameters, circuit_names())


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")


def _size(name: str) -> tuple[str, str]:
    """Return ``("gelu_table", "256")`` for ``gelu_table_256``, and names without a table with an empty size."""
    base, _, entries = name.rpartition("_")
    return (base, entries) if base.endswith(("_table", "_newton")) and entries.isdecimal() else (name, "")
