"""Processing elements: one per file, found by file name."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from simhw.circuits import Circuit
from simhw.circuits.lookup import circuit_of
from simhw.errors import unknown_name
from simhw.pes.base import Dequantization, DequantizationParts, Dequantizers, ProcessingElement

_SHARED = frozenset({"base", "operands", "price", "structure"})
"""Files of this folder that several PEs share."""

__all__ = [
    "Dequantization",
    "DequantizationParts",
    "Dequantizers",
    "ProcessingElement",
    "circuit_names",
    "get_circuit",
    "get_pe",
    "pe_names",
]


def pe_names() -> list[str]:
    """Return the names of all processing elements, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _SHARED)


@cache
def get_pe(name: str) -> ProcessingElement:
    """Return the processing element called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    if name not in pe_names():
        raise unknown_name("pe", name, pe_names())
    found = _module(name).PE
    assert isinstance(found, ProcessingElement)
    return found


def circuit_names() -> dict[str, tuple[str, ...]]:
    """Return the PEs that have a circuit, each with the variants of it, the default first."""
    found = {name: getattr(_module(name), "CIRCUITS", ()) for name in pe_names()}
    return {name: variants for name, variants in found.items() if variants}


def get_circuit(name: str, variant: str | None = None, **parameters: int) -> Circuit:
    """Return the circuit of a PE: what its file's ``circuit`` makes of a variant and sizes.

    Raises:
        InputError: no such PE, no circuit for it, no such variant, or sizes that it does not take.
    """
    get_pe(name)
    return circuit_of(_module(name), name, variant, parameters, circuit_names())


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
