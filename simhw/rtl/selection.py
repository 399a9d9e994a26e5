"""Circuits by the words of a command line: PEs and special function units, variants, sizes."""

from __future__ import annotations

from collections.abc import Sequence

from simhw import pes, sfu
from simhw.circuits import Circuit
from simhw.errors import InputError

ALL = "all"


def select(name: str, variants: Sequence[str], settings: Sequence[str]) -> list[Circuit]:
    """Return circuits of a PE or a special function unit, or of all of them.

    Args:
        name: of the PE or unit, or ``all``.
        variants: their names, ``all``, or none for the default.
        settings: sizes as NAME=VALUE.

    Raises:
        InputError: no such PE or unit, variant or size.
    """
    sizes = read_sizes(settings)
    circuits = []
    for entry in [*own_circuits(), *sfu.circuit_names()] if name == ALL else [name]:
        folder = sfu if entry in sfu.unit_names() else pes
        known = folder.circuit_names().get(entry, ())
        chosen: Sequence[str | None] = known if ALL in variants or name == ALL else (variants or [None])
        circuits += [folder.get_circuit(entry, variant, **sizes) for variant in chosen]
    return circuits


def own_circuits() -> list[str]:
    """Return the PEs with a circuit of their own: ``mx_dot`` has those of its single-format lanes."""
    return [name for name in pes.circuit_names() if pes.get_circuit(name).name.startswith(name)]


def read_sizes(settings: Sequence[str]) -> dict[str, int]:
    """Return sizes by name.

    Raises:
        InputError: one is not NAME=INTEGER.
    """
    sizes = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if not name.isidentifier() or not value.lstrip("-").isdecimal():
            raise InputError(f"--set is {setting!r}, must be NAME=INTEGER; write it as in accumulator_bits=32")
        sizes[name] = int(value)
    return sizes
