"""Special function units: one per file, found by file name; and each of them with narrow input and output."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from simhw.errors import InputError, unknown_name
from simhw.sfu.base import Extent, SpecialFunctionUnit, UnitSignal
from simhw.sfu.narrow import with_format

_SHARED = frozenset({"base", "exponential", "narrow", "table"})
"""Files of this folder that several units share."""

JOINT = "_in_"
"""``softmax_two_pass_in_bf16``: the unit with its input and its output rounded to a format."""

__all__ = ["Extent", "SpecialFunctionUnit", "UnitSignal", "get_unit", "unit_names"]


def unit_names() -> list[str]:
    """Return the names of all units, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _SHARED)


@cache
def get_unit(name: str) -> SpecialFunctionUnit:
    """Return the unit called ``name``, or ``UNIT_in_FORMAT`` for one with narrow input and output.

    Raises:
        InputError: there is no unit or no element format of that name.
    """
    plain, joint, narrow = name.partition(JOINT)
    if plain not in unit_names():
        raise unknown_name("unit", name, unit_names())
    if joint and not narrow:
        raise InputError(f"unit is {name!r}, which names no format; write {plain}{JOINT}bf16, for example")
    found = importlib.import_module(f"{__name__}.{plain}").UNIT
    assert isinstance(found, SpecialFunctionUnit)
    return with_format(found, narrow, JOINT) if joint else found
