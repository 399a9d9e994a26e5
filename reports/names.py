"""How reports name rows and parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from simhw.rows import Row


def row_names(rows: Sequence[Row]) -> list[str]:
    """Return a name for each row of one network: its datapath, with its scheme where it has several."""
    count = Counter(row.datapath for row in rows)
    return [row.datapath if count[row.datapath] == 1 else f"{row.datapath} / {row.scheme}" for row in rows]


def part_name(part: str) -> str:
    """Return how a part of the energy is written."""
    return {"sram": "SRAM", "dram": "DRAM", "static": "DRAM standby"}.get(part, part)
