"""The best tiling of a layer: every candidate bounded in closed form, the promising ones walked step by step.

Bound of a candidate: its first load, then the larger of all compute and all other traffic at full bandwidth,
then its last store. The walk (``kernels.walk_tiles``) can only take longer, so candidates are walked in the order
of their bounds until the bound exceeds the best walk: exhaustive, and exact. With unlimited bandwidth and no
latency, bound and walk are equal and nothing is walked.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.memory.base import Memory, Precision, TileProblem, Tiling
from simhw.memory.candidates import ORDERS, Candidates, Counts, candidates, fitting

_LETTERS = "mnk"
_WIDEST = 2**62
_ACTIVATION, _WEIGHT, _OUTPUT = (0, 2), (1, 2), (0, 1)
"""Directions of each operand."""


def best_tiling(problem: TileProblem, precision: Precision, memory: Memory) -> Tiling:
    """Return the tiling with the fewest cycles, and of those the one with the least traffic.

    Raises:
        InputError: a buffer cannot hold the smallest tile, or counts of bits or cycles exceed int64.
    """
    _check_counts(problem, precision)
    found = candidates(problem, precision)
    allowed = fitting(problem, found, precision, memory)
    place, order, streamed = _choices(problem, allowed)
    if not place.size:
        raise InputError(
            f"no tiling of m {problem.m}, n {problem.n}, k {problem.k} fits in buffers of {memory.activation.kib}, "
            f"{memory.weight.kib} and {memory.output.kib} KiB at once; give a larger one or a smaller array"
        )
    countable = _countable(problem, found, precision, memory, place)
    if not countable.any():
        raise InputError(
            f"m {problem.m}, n {problem.n}, k {problem.k}, batch {problem.batch} takes more than 2**62 cycles with a "
            f"DRAM of {memory.dram.bits_per_cycle} bits per cycle and a latency of {memory.dram.latency_cycles}; "
            "split the GEMM or give a faster DRAM"
        )
    place, order, streamed = place[countable], order[countable], streamed[countable]
    compute = _compute(problem, found, place, streamed)
    traffic = _traffic(problem, found, precision, place, order)
    bits = traffic.sum(axis=0)
    width, latency = memory.dram.bits_per_cycle or 0, memory.dram.latency_cycles
    whole = (found.trips[place] == 1).astype(np.int64)
    first = found.activation[place, 2 * whole[:, 0] + whole[:, 2]] + found.weight[place, 2 * whole[:, 1] + whole[:, 2]]
    store = found.outputs[place, 3] * precision.output_bits
    bound = compute + 2 * latency
    if width:
        between = np.ceil((bits - first - store) / width).astype(np.int64)
        ends = np.ceil(first / width).astype(np.int64) + np.ceil(store / width).astype(np.int64)
        bound = np.maximum(compute, between) + ends + 2 * latency
    sorted_places = np.lexsort((bits, bound))
    if not width and not latency:
        best, cycles = int(sorted_places[0]), int(bound[sorted_places[0]])
    else:
        best, cycles = _walk(problem, found, precision, memory, sorted_places, (place, order, streamed), bound, bits)
    return _tiling(problem, found, precision, (place[best], order[best], streamed[best]), cycles, compute[best])


def _choices(problem: TileProblem, allowed: NDArray[np.bool_]) -> tuple[Counts, Counts, Counts]:
    """Return tiling, loop order and whether it is streamed, of every combination that is allowed."""
    innermost = ORDERS[:, 2] == problem.stream
    parts = []
    for streamed in (0, 1):
        orders = np.flatnonzero(innermost) if streamed else np.arange(len(ORDERS))
        places = np.flatnonzero(allowed[:, streamed])
        place, order = (axis.ravel() for axis in np.meshgrid(places, orders, indexing="ij"))
        parts.append((place, order, np.full(place.size, streamed)))
    place, order, flag = (np.concatenate(column) for column in zip(*parts, strict=True))
    return place, order, flag


def _countable(
    problem: TileProblem, found: Candidates, precision: Precision, memory: Memory, place: Counts
) -> NDArray[np.bool_]:
    """Return which choices stay below 2**62 cycles and bits in any case.

    Bound, in float: every step with the longest tile and with transfers of all its operands, in and out.
    """
    steps = problem.batch * found.trips.astype(np.float64).prod(axis=1)
    tile = np.maximum(found.cycles.max(axis=1), found.streamed_cycles.max(axis=1)).astype(np.float64)
    wide = 2 * max(precision.accumulator_bits, precision.output_bits)
    bits = found.activation.max(axis=1) + found.weight.max(axis=1) + wide * found.outputs.max(axis=1).astype(np.float64)
    width = memory.dram.bits_per_cycle or math.inf
    cycles = abs(float(problem.fill_cycles)) + steps * (tile + bits / width + 2.0 * memory.dram.latency_cycles)
    countable: NDArray[np.bool_] = (cycles < _WIDEST) & (steps * bits < _WIDEST)
    return countable[place]


def _compute(problem: TileProblem, found: Candidates, place: Counts, streamed: Counts) -> Counts:
    """Return the compute cycles of each choice: every tile, the last ones of each direction apart."""
    trips = found.trips
    ends = [np.stack([trips[:, d] - 1, np.ones(len(trips), np.int64)], axis=1) for d in range(3)]
    times = ends[0][:, :, None, None] * ends[1][:, None, :, None] * ends[2][:, None, None, :]
    times = times.reshape(-1, 8) * problem.batch
    each = np.stack([(times * c).sum(axis=1) for c in (found.cycles, found.streamed_cycles)], axis=1)
    total: Counts = each[place, streamed] + problem.fill_cycles
    return total


def _traffic(problem: TileProblem, found: Candidates, precision: Precision, place: Counts, order: Counts) -> Counts:
    """Return the bits of activations, weights, partial sums read, partial sums written, outputs; (5, choices)."""
    trips = found.trips
    once = {
        _ACTIVATION: _cover(found.activation, trips, *_ACTIVATION)[place],
        _WEIGHT: _cover(found.weight, trips, *_WEIGHT)[place],
        _OUTPUT: np.full(place.size, problem.m * problem.n, np.int64),
    }
    again = {operand: _passes(trips[place], ORDERS[order], *operand) for operand in once}
    spills = once[_OUTPUT] * (again[_OUTPUT] - 1) * precision.accumulator_bits
    return problem.batch * np.stack(
        [
            once[_ACTIVATION] * again[_ACTIVATION],
            once[_WEIGHT] * again[_WEIGHT],
            spills,
            spills,
            once[_OUTPUT] * precision.output_bits,
        ]
    )


def _cover(amounts: Counts, trips: Counts, a: int, b: int) -> Counts:
    """Return the sum over all tiles of an operand, the last ones of each direction apart."""
    x, y = trips[:, a] - 1, trips[:, b] - 1
    total: Counts = x * y * amounts[:, 0] + x * amounts[:, 1] + y * amounts[:, 2] + amounts[:, 3]
    return total


def _passes(trips: Counts, orders: Counts, a: int, b: int) -> Counts:
    """Return how often an operand passes by: once for each turn of a foreign loop outside one of its own.

    A loop of a single turn is no loop.
    """
    foreign = 3 - a - b
    depth = np.argsort(orders, axis=1)
    own = np.maximum(
        np.where(trips[:, a] > 1, depth[:, a], -1),
        np.where(trips[:, b] > 1, depth[:, b], -1),
    )
    return np.where(depth[:, foreign] < own, trips[:, foreign], 1)


def _walk(
    problem: TileProblem,
    found: Candidates,
    precision: Precision,
    memory: Memory,
    sorted_places: Counts,
    choices: tuple[Counts, Counts, Counts],
    bound: Counts,
    bits: Counts,
) -> tuple[int, int]:
    from simhw.memory.kernels import best_candidate

    place, order, streamed = (column[sorted_places] for column in choices)
    index, cycles = best_candidate(
        place,
        order,
        bound[sorted_places],
        bits[sorted_places],
        problem.batch,
        found.trips,
        ORDERS,
        found.cycles,
        found.streamed_cycles,
        streamed,
        problem.fill_cycles,
        found.activation,
        found.weight,
        found.outputs * precision.accumulator_bits,
        found.outputs * precision.output_bits,
        float(memory.dram.bits_per_cycle or 0),
        memory.dram.latency_cycles,
    )
    return int(sorted_places[index]), int(cycles)


def _tiling(
    problem: TileProblem,
    found: Candidates,
    precision: Precision,
    choice: tuple[int, int, int],
    cycles: int,
    compute_cycles: int,
) -> Tiling:
    place, order, streamed = choice
    places, orders = np.array([place]), np.array([order])
    activation, weight, read, write, output = (
        int(part[0]) for part in _traffic(problem, found, precision, places, orders)
    )
    trips = found.trips[places]
    words = _cover(found.words[places], trips, *_ACTIVATION) * _passes(trips, ORDERS[orders], *_ACTIVATION)
    weights = problem.n * problem.k * _passes(trips, ORDERS[orders], *_WEIGHT)
    m, n, k = found.tiles[place].tolist()
    return Tiling(
        tile=(m, n, k),
        order="".join(_LETTERS[d] for d in ORDERS[order]),
        streamed=bool(streamed),
        cycles=cycles,
        compute_cycles=int(compute_cycles),
        activation_bits=activation,
        weight_bits=weight,
        partial_read_bits=read,
        partial_write_bits=write,
        output_bits=output,
        activation_words=problem.batch * int(words[0]),
        weight_words=problem.batch * int(weights[0]),
        partial_read_words=read // precision.accumulator_bits,
        partial_write_words=write // precision.accumulator_bits,
        output_words=problem.batch * problem.m * problem.n,
    )


def _check_counts(problem: TileProblem, precision: Precision) -> None:
    """Refuse layers whose worst tiling could not be counted in int64."""
    widest = max(
        precision.activation_bits + precision.activation_scale_bits,
        precision.weight_bits + precision.scale_bits + precision.zero_point_bits,
        2 * precision.accumulator_bits,
        precision.output_bits,
    )
    worst = problem.m * problem.n * problem.k * problem.batch * widest
    if worst > _WIDEST:
        raise InputError(
            f"m {problem.m}, n {problem.n}, k {problem.k}, batch {problem.batch} may move {worst} bits, counts end at "
            "2**62; split the GEMM"
        )
