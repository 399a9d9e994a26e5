"""Processing elements: one per file, found by file name."""

from __future__ import annotations

import importlib
import pkgutil

from simhw.errors import unknown_name
from simhw.pes.base import Dequantization, DequantizationParts, Dequantizers, ProcessingElement

_SHARED = frozenset({"base", "operands", "structure"})
"""Files of this folder that several PEs share."""

__all__ = [
    "Dequantization",
    "DequantizationParts",
    "Dequantizers",
    "ProcessingElement",
    "get_pe",
    "pe_names",
]


def pe_names() -> list[str]:
    """Return the names of all processing elements, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _SHARED)


def get_pe(name: str) -> ProcessingElement:
    """Return the processing element called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    if name not in pe_names():
        raise unknown_name("pe", name, pe_names())
    found = importlib.import_module(f"{__name__}.{name}").PE
    assert isinstance(found, ProcessingElement)
    return found
