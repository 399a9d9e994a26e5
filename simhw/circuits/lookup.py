"""The circuit that a file describes, by variant and sizes: of a PE or of a special function unit."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import ModuleType

from simhw.circuits.base import Circuit
from simhw.errors import InputError, unknown_name


def circuit_of(
    module: ModuleType,
    name: str,
    variant: str | None,
    parameters: Mapping[str, int],
    known: Mapping[str, tuple[str, ...]],
) -> Circuit:
    """Return what a file's ``circuit`` makes of a variant and sizes.

    Args:
        module: the file, which binds ``CIRCUITS`` and ``circuit`` if it has one.
        name: of its entry.
        variant: None for the default, the first.
        parameters: sizes by name.
        known: entries that have a circuit, with their variants.

    Raises:
        InputError: no circuit, no such variant, or sizes that it does not take.
    """
    variants = known.get(name, ())
    if not variants:
        raise InputError(f"{name} has no circuit; those that have one: {', '.join(known)}")
    if variant is not None and variant not in variants:
        raise unknown_name("variant", variant, variants)
    make = module.circuit
    sizes = [p.name for p in inspect.signature(make).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for parameter in parameters:
        if parameter not in sizes:
            has = f"has {', '.join(sizes)}" if sizes else "has no size to choose"
            raise InputError(f"{name} was given {parameter}, which it does not have; its circuit {has}")
    made = make(variant or variants[0], **parameters)
    assert isinstance(made, Circuit)
    return made
