"""A test bench: whole GEMMs through an array, many at once, and what came out in how many clocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simhw.arrays import Overlap
from simhw.rtl.arrays.base import Integers, SystolicArray, nothing_carried
from simhw.rtl.arrays.feeds import Problem
from simhw.rtl.arrays.streams import Streams, collect, make_streams
from simhw.rtl.clocked import Clocks, Loop, run_clocks
from simhw.rtl.clocked_kernel import RUNS
from simhw.rtl.netlist import Netlist, netlist

AFTERWARDS = 4
"""Clocks beyond the expected end: a result that leaves late, or one too many, is seen."""
Simulator = Callable[[SystolicArray, dict[str, Clocks], Sequence[Loop], Sequence[str]], dict[str, Clocks]]
"""``(array, inputs, loops, names of outputs)`` -> each output in each clock, before its edge, from reset on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What an array made of a GEMM.

    Attributes:
        product: ``(m, n)`` codes of the array's sums.
        cycles: clock cycles from the edge at which the array takes the first operand to the edge after which the last
            result stands at an output. One PE that multiplies once takes 1.
        results: how many results left, lanes beyond a ragged edge included.
        expected_results: how many the dataflow makes.
    """

    product: Integers
    cycles: int
    results: int
    expected_results: int


def run_gemms(
    array: SystolicArray,
    problems: Sequence[Problem],
    *,
    overlap: Overlap = Overlap.DOUBLE_BUFFERED,
    simulator: Simulator | None = None,
) -> list[Outcome]:
    """Return what an array makes of GEMMs, which may have any shapes; 64 run side by side.

    Args:
        array: the circuit.
        problems: codes of operands and scales.
        overlap: when a fold may start.
        simulator: runs the circuit; gates, bit-sliced, if None.

    Raises:
        InputError: operands that do not fit, a convention that the array does not follow.
    """
    made = [make_streams(array, problem, overlap) for problem in problems]
    outcomes = []
    for start in range(0, len(made), RUNS):
        some = slice(start, start + RUNS)
        outcomes += _run(array, made[some], problems[some], simulator or simulate_gates)
    return outcomes


def simulate_gates(
    array: SystolicArray,
    inputs: dict[str, Clocks],
    loops: Sequence[Loop],
    outputs: Sequence[str],
) -> dict[str, Clocks]:
    """Run the array's gates, 64 runs in the bits of one word."""
    return run_clocks(array_netlist(array), inputs, outputs, loops)


@lru_cache(maxsize=8)
def array_netlist(array: SystolicArray) -> Netlist:
    """Return the gates of an array; those of the last few are kept."""
    return netlist(array.circuit)


def simulate_netlist(gates: Netlist) -> Simulator:
    """Return the simulator of another netlist in the array's place, one with a fault."""
    return lambda array, inputs, loops, outputs: run_clocks(gates, inputs, outputs, loops)  # noqa: ARG005


def _run(
    array: SystolicArray, made: Sequence[Streams], problems: Sequence[Problem], simulator: Simulator
) -> list[Outcome]:
    clocks = max(streams.clocks for streams in made) + AFTERWARDS
    inputs = {
        port: np.stack([_padded(streams.inputs[port], clocks, 0) for streams in made], axis=1)
        for port in made[0].inputs
    }
    loops = [
        Loop(
            input=f"carried_{c}",
            output=f"sum_{c}",
            sources=np.stack([_padded(streams.carried[c], clocks, -1) for streams in made], axis=1),
            nothing=nothing_carried(array),
        )
        for c in range(len(made[0].carried))
    ]
    names = [f"{name}_{c}" for c in range(array.columns) for name in ("sum", "valid")]
    outputs = simulator(array, inputs, loops, names)
    outcomes = []
    for run, (streams, problem) in enumerate(zip(made, problems, strict=True)):
        valid = [outputs[f"valid_{c}"][:, run] == 1 for c in range(array.columns)]
        sums = [outputs[f"sum_{c}"][valid[c], run] for c in range(array.columns)]
        product = collect(streams, problem.shape, sums)
        outcomes.append(
            Outcome(
                product=product,
                cycles=_elapsed(inputs, valid, run),
                results=sum(map(len, sums)),
                expected_results=sum(map(len, streams.places)),
            )
        )
    return outcomes


def _elapsed(inputs: dict[str, Clocks], valid: list[NDArray[np.bool_]], run: int) -> int:
    """Count clock edges between the one that takes the first operand and the one after which the last result stands."""
    enters = [inputs[port][:, run] for port in ("load", "enable") if port in inputs]
    first = min(int(np.argmax(codes)) for codes in enters)
    leaving = np.flatnonzero(np.logical_or.reduce(valid))
    if not len(leaving):
        return 0
    # The first operand is taken at the end of clock ``first``; a result seen in a clock stands since its beginning.
    return int(leaving[-1]) - 1 - first


def _padded(codes: Integers, clocks: int, rest: int) -> Integers:
    padded = np.full(clocks, rest, np.int64)
    padded[: len(codes)] = codes
    return padded
