"""Circuits by the words of a command line: PEs, variants, sizes."""

from __future__ import annotations

from collections.abc import Sequence

from simhw.circuits import Circuit
from simhw.errors import InputError
from simhw.pes import circuit_names, get_circuit

ALL = "all"


def select(name: str, variants: Sequence[str], settings: Sequence[str]) -> list[Circuit]:
    """Return circuits of a PE, or of all PEs.

    Args:
        name: of the PE, or ``all``.
        variants: their names, ``all``, or none for the default.
        settings: sizes as NAME=VALUE.

    Raises:
        InputError: no such PE, variant or size.
    """
    sizes = read_sizes(settings)
    circuits = []
    for pe in own_circuits() if name == ALL else [name]:
        known = circuit_names().get(pe, ())
        chosen: Sequence[str | None] = known if ALL in variants or name == ALL else (variants or [None])
        circuits += [get_circuit(pe, variant, **sizes) for variant in chosen]
    return circuits


def own_circuits() -> list[str]:
    """Return the PEs with a circuit of their own: ``mx_dot`` has those of its single-format lanes."""
    return [name for name in circuit_names() if get_circuit(name).name.startswith(name)]


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
