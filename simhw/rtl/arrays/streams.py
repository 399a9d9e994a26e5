"""What enters an array in which clock, so that a GEMM comes out: the sequencer that stands beside an array.

The rules are those of the dataflow and of an overlap convention; no cycle is computed by a formula. Clock t of a stream
is the clock at whose end the array's first registers take what is given. Conventions: ``PER_FOLD`` waits for the last
sum of a fold to leave its PE, ``DOUBLE_BUFFERED`` starts a fold as soon as the buses, or the waiting weights, allow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simhw.arrays import Overlap
from simhw.errors import InputError
from simhw.rtl.arrays.base import Integers, SystolicArray, neutral_activation
from simhw.rtl.arrays.feeds import Beats, Problem

CONVENTIONS = (Overlap.PER_FOLD, Overlap.DOUBLE_BUFFERED)
"""Those that these arrays follow: sums do not wait in the PEs to be shifted out (NONE), nor do buses collide (ONCE)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Streams:
    """A GEMM on its way through an array.

    Attributes:
        inputs: codes of each port, one per clock.
        carried: per column the clock whose output ``carried`` is, -1 for none; empty where nothing is carried.
        places: per column, in the order in which results leave, the (row, column) of the product that each is; those
            beyond a ragged edge are (-1, -1); a place that comes again is overwritten.
    """

    inputs: dict[str, Integers]
    carried: tuple[Integers, ...]
    places: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def clocks(self) -> int:
        """Length."""
        return len(next(iter(self.inputs.values())))


def make_streams(array: SystolicArray, problem: Problem, overlap: Overlap) -> Streams:
    """Return the streams of one GEMM.

    Raises:
        InputError: operands, groups or scales that do not fit the array; a convention that it does not follow.
    """
    _check(array, problem, overlap)
    if array.dataflow == "output_stationary":
        return _output_stationary(array, problem, overlap)
    return _weight_stationary(array, problem, overlap)


class _Recorder:
    """Codes given to ports in any order of clocks."""

    def __init__(self, array: SystolicArray) -> None:
        self._settings = array.element.settings
        self._given: dict[str, dict[int, int]] = {
            port.name: {} for port in array.circuit.inputs if not port.name.startswith("carried")
        }

    def give(self, clock: int, port: str, code: int) -> None:
        """Give a code to a port in one clock; ports are 0 otherwise."""
        assert clock not in self._given[port], f"{port} was given twice in clock {clock}"
        self._given[port][clock] = int(code)

    def inputs(self, clocks: int) -> dict[str, Integers]:
        """Return all codes."""
        found = {}
        for port, given in self._given.items():
            codes = np.zeros(clocks, np.int64)
            codes[list(given)] = list(given.values())
            found[port] = codes
        for port, code in self._settings.items():
            found[port] = np.full(clocks, code, np.int64)
        return found


def _output_stationary(array: SystolicArray, problem: Problem, overlap: Overlap) -> Streams:
    m, n, _ = problem.shape
    record = _Recorder(array)
    places: list[list[tuple[int, int]]] = [[] for _ in range(array.columns)]
    now, bus_free, leaves = 0, 0, 0
    for left in range(0, n, array.columns):
        beats = array.element.feed.beats(problem, slice(left, left + array.columns))
        groups = _pieces(beats.length, problem.group_size if array.stage is not None else None)
        for top in range(0, m, array.rows):
            if overlap is Overlap.PER_FOLD:
                now = leaves
            for group, piece in enumerate(groups):
                while now + len(piece) - 1 + 2 < bus_free:  # its first sum would meet another one on the bus
                    now += 1
                for element in piece:
                    _give_beat(record, beats, now, top, array.rows, element)
                    record.give(now, "first", element == piece.start)
                    record.give(now, "enable", 1)
                    record.give(now, "last", element == piece.stop - 1)
                    now += 1
                bus_free = now - 1 + 2 + array.rows
                if array.stage is not None:
                    record.give(now - 1, "opens", group == 0)
                    record.give(now - 1, "closes", group == len(groups) - 1)
                    _give_scales(record, array, problem, now - 1, left, group)
            # The edge after which the last sum stands on the last bus: the next operands may be taken at it.
            leaves = now - 1 + 1 + (array.rows - 1) + (array.columns - 1)
            for c in range(array.columns):
                places[c] += [_place(top + r, left + c, m, n) for r in range(array.rows)]
    return Streams(
        inputs=record.inputs(leaves + 2 + array.output_registers),
        carried=(),
        places=tuple(map(tuple, places)),
    )


def _weight_stationary(array: SystolicArray, problem: Problem, overlap: Overlap) -> Streams:
    m, n, _ = problem.shape
    rows, columns = array.rows, array.columns
    record, neutral = _Recorder(array), neutral_activation(array.pe)
    places: list[list[tuple[int, int]]] = [[] for _ in range(columns)]
    reads: list[dict[int, int]] = [{} for _ in range(columns)]
    load, begin, leaves, stream_free = 0, 0, 0, 0
    carries_at = rows + array.output_registers
    for left in range(0, n, columns):
        beats = array.element.feed.beats(problem, slice(left, left + columns))
        groups = _pieces(beats.length, problem.group_size if array.stage is not None else None)
        folds = [
            (group, range(start, min(start + rows, piece.stop)))
            for group, piece in enumerate(groups)
            for start in range(piece.start, piece.stop, rows)
        ]
        for number, (group, elements) in enumerate(folds):
            load = leaves if overlap is Overlap.PER_FOLD else begin
            before, begin = begin, max(load + rows, stream_free)
            record.give(load, "load", 1)
            for step in range(rows):
                row = rows - 1 - step
                if row < len(elements):
                    _give_row(record, beats.weight, load + step, elements[row])
            record.give(begin, "swap", 1)
            if array.stage is not None:
                _give_scales(record, array, problem, begin, left, group)
            for i in range(m):
                for r in range(rows):
                    if r < len(elements):
                        for name, codes in beats.activation.items():
                            record.give(begin + i, f"{name}_{r}", codes[i, elements[r]])
                    elif neutral:
                        record.give(begin + i, f"activation_{r}", neutral)
                record.give(begin + i, "enable", 1)
                if array.stage is not None:
                    record.give(begin + i, "opens", number == 0)
                if number:
                    for c in range(columns):
                        # written one clock after it was read, a fold earlier
                        reads[c][begin + i + carries_at + c] = before + i + carries_at + 1 + c
            stream_free = begin + m
            leaves = begin + m - 1 + rows + (columns - 1)
            for c in range(columns):
                places[c] += [_place(i, left + c, m, n) for i in range(m)]
    clocks = leaves + 2 + array.output_registers
    carried = []
    for column in reads:
        sources = np.full(clocks, -1, np.int64)
        sources[list(column)] = list(column.values())
        carried.append(sources)
    return Streams(inputs=record.inputs(clocks), carried=tuple(carried), places=tuple(map(tuple, places)))


def _give_beat(record: _Recorder, beats: Beats, clock: int, top: int, rows: int, beat: int) -> None:
    """Give one beat to all lanes; lanes beyond a ragged edge carry zeros."""
    for name, codes in beats.activation.items():
        for r, code in enumerate(codes[top : top + rows, beat]):
            record.give(clock, f"{name}_{r}", code)
    _give_row(record, beats.weight, clock, beat)


def _give_row(record: _Recorder, weights: dict[str, Integers], clock: int, beat: int) -> None:
    for name, codes in weights.items():
        for c, code in enumerate(codes[beat]):
            record.give(clock, f"{name}_{c}", code)


def _give_scales(record: _Recorder, array: SystolicArray, problem: Problem, clock: int, left: int, group: int) -> None:
    n = problem.weights.shape[1]
    for c in range(array.columns):
        for name, codes in problem.scales.items():
            record.give(clock, f"{name}_{c}", codes[group, left + c] if left + c < n else 0)


def _place(row: int, column: int, m: int, n: int) -> tuple[int, int]:
    return (row, column) if row < m and column < n else (-1, -1)


def _pieces(size: int, step: int | None) -> list[range]:
    if step is None:
        return [range(size)]
    return [range(start, min(start + step, size)) for start in range(0, size, step)]


def _check(array: SystolicArray, problem: Problem, overlap: Overlap) -> None:
    m, n, k = problem.shape
    if min(m, n, k) < 1 or problem.weights.shape[0] != k:
        raise InputError(
            f"operands have shapes {problem.activations.shape} and {problem.weights.shape}, must be (m, k) and (k, n) "
            "with sizes of at least 1; transpose or reshape one of them"
        )
    if overlap not in CONVENTIONS:
        allowed = " or ".join(f"Overlap.{convention.name}" for convention in CONVENTIONS)
        raise InputError(f"overlap is {overlap}, arrays as circuits follow {allowed}; choose one of them")
    grouped = array.stage is not None or array.element.feed.has_groups
    if grouped != (problem.group_size is not None):
        raise InputError(
            f"group size is {problem.group_size}, {array.circuit.name} "
            + ("has scales of groups; give one" if grouped else "has no dequantizer; leave it out")
        )
    if array.stage is not None and problem.group_size is not None:
        _check_groups(array, problem, problem.group_size)
    else:
        array.element.feed.check(problem)


def _check_groups(array: SystolicArray, problem: Problem, group_size: int) -> None:
    assert array.stage is not None
    _, n, k = problem.shape
    if not 1 <= group_size <= min(k, array.stage.group_size):
        raise InputError(
            f"group size is {group_size}, must be 1..{min(k, array.stage.group_size)}: k is {k}, the accumulators hold "
            f"{array.stage.group_size} products; choose one in that range"
        )
    if array.dataflow == "weight_stationary" and not array.stage.linear and group_size > array.rows:
        raise InputError(
            f"group size is {group_size}, must be at most {array.rows}, the rows of a weight-stationary array: the "
            "fp32 dequantizer rounds, so the chains of one group must not meet behind it; choose smaller groups"
        )
    shape = (-(-k // group_size), n)
    wanted = {port.name for port in array.stage.scales}
    if problem.scales.keys() != wanted or any(codes.shape != shape for codes in problem.scales.values()):
        given = {name: codes.shape for name, codes in problem.scales.items()}
        raise InputError(
            f"scales are {given}, must be {sorted(wanted)} of shape {shape}; give one per group and column"
        )


def collect(streams: Streams, shape: tuple[int, int, int], sums: list[NDArray[np.int64]]) -> Integers:
    """Return the product ``(m, n)`` from what left each column, in order; -1 where nothing did."""
    product = np.full(shape[:2], -1, np.int64)
    for places, values in zip(streams.places, sums, strict=True):
        for (row, column), value in zip(places, values, strict=False):
            if row >= 0:
                product[row, column] = value
    return product
