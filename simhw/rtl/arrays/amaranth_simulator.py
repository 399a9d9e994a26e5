"""An array in Amaranth's own simulator: its description as it stands, without Yosys and without gates.

Every PE is elaborated in its place and one GEMM runs at a time, so it is for small arrays: a second opinion on what the
gates, which went through Yosys, make of the same streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from simhw.circuits import require_rtl
from simhw.rtl.arrays.base import SystolicArray
from simhw.rtl.clocked import Clocks, Loop


def simulate_amaranth(
    array: SystolicArray,
    inputs: dict[str, Clocks],
    loops: Sequence[Loop],
    outputs: Sequence[str],
) -> dict[str, Clocks]:
    """Run the array, one run after the other."""
    require_rtl()
    clocks, runs = next(iter(inputs.values())).shape
    found = {name: np.zeros((clocks, runs), np.int64) for name in outputs}
    for run in range(runs):
        _run(array, inputs, loops, found, run)
    return found


def _run(
    array: SystolicArray, inputs: dict[str, Clocks], loops: Sequence[Loop], found: dict[str, Clocks], run: int
) -> None:
    from amaranth.sim import Simulator

    component = array.inline()
    given = [(getattr(component, name), codes[:, run].tolist()) for name, codes in inputs.items()]
    read = [(getattr(component, name), codes[:, run]) for name, codes in found.items()]
    fed = [(getattr(component, loop.input), found[loop.output][:, run], loop) for loop in loops]

    async def bench(context: Any) -> None:
        for clock in range(len(given[0][1])):
            for signal, codes in given:
                context.set(signal, codes[clock])
            for signal, seen in read:
                seen[clock] = context.get(signal)
            for signal, seen, loop in fed:
                source = int(loop.sources[clock, run])
                context.set(signal, int(seen[source]) if source >= 0 else loop.nothing)
            await context.tick()

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
