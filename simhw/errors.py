"""The one exception that a user's input can cause, and how its sentence is built.

Grammar of every message: what was given, what is allowed, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input by the user. The command line prints the sentence and exits with 2, without a traceback."""


_LISTED = {
    "model": "models",
    "datapath": "datapaths",
    "scheme": "schemes",
    "format": "formats",
    "accumulator": "accumulators",
    "pe": "pes",
    "unit": "units",
    "dataflow": "dataflows",
    "technology": "technologies",
    "sram": "srams",
    "method": "methods",
    "operator": "operators",
    "multiplier": "multipliers",
    "entry": "",
}
"""Kinds that ``simhw list`` shows, and under which name."""


def unknown_name(kind: str, given: str, allowed: Iterable[str]) -> InputError:
    """Return the error for a name that is not in a catalogue, with the nearest names that are.

    >>> str(unknown_name("format", "e4m4", ["e4m3", "e5m2"]))
    "format is 'e4m4', which is not known; nearest: e4m3, e5m2 (see 'simhw list formats')"
    """
    names = sorted(allowed)
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.5) or names[:8]
    command = f"simhw list {_LISTED[kind]}".rstrip() if kind in _LISTED else ""
    where = f"see '{command}'" if command else "choose one of these"
    return InputError(f"{kind} is {given!r}, which is not known; nearest: {', '.join(near)} ({where})")
