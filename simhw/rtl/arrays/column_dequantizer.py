"""One dequantizer for the rows of a column: its arithmetic once, its running sums once per row, in rotation.

The sums of a group arrive row after row, so the running sum that is needed next is always the oldest one: the sums lie
in a ring of registers that moves by one place with every group sum.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from simhw.circuits import Circuit, Codes, Port, require_rtl
from simhw.rtl.arrays.base import Integers, total_port


def column_dequantizer(dequantizer: Circuit, rows: int) -> Circuit:
    """Return the circuit of a dequantizer that serves ``rows`` rows in turn; ``total`` is the newest running sum."""
    total = total_port(dequantizer)
    ring = tuple(
        Port(name=f"total_{age}", bits=total.bits, meaning=f"running sum of the row {age} before")
        for age in range(1, rows)
    )
    names = [total.name, *(port.name for port in ring)]

    def step(codes: Codes) -> dict[str, Integers]:
        after = dequantizer.step({**codes, "total": codes[names[-1]]})
        moves = codes["enable_q"] == 1
        shifted = {name: np.where(moves, codes[newer], codes[name]) for newer, name in pairwise(names)}
        return {**after, **shifted, "total": np.where(moves, after["total"], codes["total"])}

    def build() -> Any:
        require_rtl()
        from simhw.rtl.arrays.cells import RunningSums

        return RunningSums(dequantizer.build(), total.bits, rows)

    return Circuit(
        name=f"{dequantizer.name}_of_{rows}_rows",
        variant=dequantizer.variant,
        description=f"{dequantizer.description}; {rows} running sums in rotation",
        source=dequantizer.source,
        parameters={**dequantizer.parameters, "rows": rows},
        inputs=dequantizer.inputs,
        state=(*dequantizer.state, *ring),
        outputs=dequantizer.outputs,
        build=build,
        step=step,
    )
