"""What circuits are built from: the record of a circuit, and blocks in Amaranth that several PEs share.

Only :mod:`simhw.circuits.base` can be imported without the extra ``simhw[rtl]``; every other file of this folder is
imported by the functions that build a circuit, when they build it.
"""

from __future__ import annotations

from simhw.circuits.base import Circuit, Codes, Port, require_rtl

__all__ = ["Circuit", "Codes", "Port", "require_rtl"]
