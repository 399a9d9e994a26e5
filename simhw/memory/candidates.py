"""Every tiling worth trying, as arrays: sizes, bits and cycles of its tiles, and what its traffic comes to.

Tiles are powers of two and divisors: of the size along the stream, of the number of folds along the two
directions that the array holds. All loop orders are tried. The list does not depend on the buffers, which
only decide which candidates fit, so that a larger buffer can never make the best candidate worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.memory.base import Memory, Precision, TileProblem

ORDERS = np.array(list(permutations(range(3))), np.int64)
"""Loop orders from outermost to innermost, as places of m, n, k."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Tilings (first axis) and what holds for them in every loop order.

    Attributes:
        tiles: sizes of a whole tile; (tilings, 3).
        trips: tiles along m, n, k; (tilings, 3).
        cycles: of a tile, by place 4 (last of m) + 2 (last of n) + (last of k); (tilings, 8).
        streamed_cycles: the same where tiles along the stream continue one fold.
        single_fold: whether a tile is one fold of the array.
        words, activation: of a tile of activations, by place 2 (last of m) + (last of k); (tilings, 4).
        weight: bits, by place 2 (last of n) + (last of k).
        outputs: words of an output tile, by place 2 (last of m) + (last of n).
    """

    tiles: Counts
    trips: Counts
    cycles: Counts
    streamed_cycles: Counts
    single_fold: NDArray[np.bool_]
    words: Counts
    activation: Counts
    weight: Counts
    outputs: Counts


def candidates(problem: TileProblem, precision: Precision) -> Candidates:
    """Return every tiling."""
    sizes = (problem.m, problem.n, problem.k)
    along = [_steps(size, least) for size, least in zip(sizes, problem.least, strict=True)]
    if problem.group is not None and problem.group < problem.k:
        along[2] = _grouped_steps(problem.k, problem.least[2], problem.group)
    tiles = np.stack([axis.ravel() for axis in np.meshgrid(*along, indexing="ij")], axis=1)
    trips = -(-np.array(sizes) // tiles)
    last = np.array(sizes) - (trips - 1) * tiles
    both = np.stack([tiles, last], axis=2)  # (tilings, direction, whole or last)
    m, n, k = both[:, 0], both[:, 1], both[:, 2]
    cycles = problem.cycles(m[:, :, None, None], n[:, None, :, None], k[:, None, None, :])
    words = problem.words(m[:, :, None], k[:, None, :])
    single = np.ones(len(tiles), bool)
    for direction in range(3):
        if direction != problem.stream:
            single &= tiles[:, direction] <= problem.least[direction]
    if problem.chain is not None:
        single &= tiles[:, 2] <= problem.chain
    return Candidates(
        tiles=tiles,
        trips=trips,
        cycles=np.ascontiguousarray(cycles.reshape(-1, 8)),
        streamed_cycles=_streamed(problem, both, trips),
        single_fold=single,
        words=words.reshape(-1, 4),
        activation=precision.activation_tile_bits(words, m[:, :, None], k[:, None, :]).reshape(-1, 4),
        weight=precision.weight_tile_bits(n[:, :, None], k[:, None, :]).reshape(-1, 4),
        outputs=(m[:, :, None] * n[:, None, :]).reshape(-1, 4),
    )


def _streamed(problem: TileProblem, both: Counts, trips: Counts) -> Counts:
    """Return cycles where all tiles along the stream are one fold: each takes its stream, the last one the rest."""
    stream = problem.stream
    size = (problem.m, problem.n, problem.k)[stream]
    shapes = [[1, 2, 1, 1], [1, 1, 2, 1], [1, 1, 1, 2]]
    ends: list[Any] = [both[:, d].reshape(-1, *shapes[d][1:]) for d in range(3)]
    ends[stream] = np.full((1, 1, 1, 1), size)
    whole = problem.cycles(*ends)
    each = problem.stream_cycles(both[:, stream, 0])
    before = (trips[:, stream] - 1) * each
    rest = whole - before[:, None, None, None]
    piece = np.broadcast_to(each[:, None, None, None], rest.shape)
    return np.ascontiguousarray(np.concatenate([piece, rest], axis=stream + 1).reshape(-1, 8))


def fitting(problem: TileProblem, found: Candidates, precision: Precision, memory: Memory) -> NDArray[np.bool_]:
    """Return which candidates fit in their buffers; (tilings, streamed or not).

    An operand that is a single tile needs no second half of its buffer. Outputs are held as partial sums where a
    sum does not end within one visit of the array.

    Raises:
        InputError: a buffer cannot hold the smallest tile.
    """
    trips = found.trips

    def halves(a: int, b: int) -> Counts:
        return np.where((trips[:, a] * trips[:, b] > 1) | (problem.batch > 1), 2, 1)

    activation = halves(0, 2) * found.activation.max(axis=1) <= memory.activation.bits
    weight = halves(1, 2) * found.weight.max(axis=1) <= memory.weight.bits
    split = trips[:, 2] > 1
    chained = np.zeros_like(split) if problem.chain is None else found.tiles[:, 2] > problem.chain
    output = []
    for streamed in (False, True):
        partial = chained | (split & (not (streamed and problem.stream == 2)))
        wide = np.where(partial, max(precision.accumulator_bits, precision.output_bits), precision.output_bits)
        output.append(halves(0, 1) * found.outputs.max(axis=1) * wide <= memory.output.bits)
    outputs = np.stack(output, axis=1)
    for name, kib, fits in (
        ("activation", memory.activation.kib, activation),
        ("weight", memory.weight.kib, weight),
        ("output", memory.output.kib, outputs.any(axis=1)),
    ):
        if not fits.any():
            m, n, k = found.tiles.min(axis=0).tolist()
            raise InputError(
                f"the {name} buffer has {kib} KiB, which does not hold two of the smallest tiles of this array "
                f"(m {m}, n {n}, k {k}); give a larger buffer or a smaller array"
            )
    allowed: NDArray[np.bool_] = (activation & weight)[:, None] & outputs
    allowed[:, 1] &= found.single_fold & (trips[:, problem.stream] > 1)
    return allowed


def _steps(size: int, least: int) -> Counts:
    """Return the tile sizes to try: ``least`` times powers of two and divisors, and all of it."""
    count = -(-size // least)
    factors = {1 << bit for bit in range(count.bit_length())} | _divisors(count)
    return np.array(sorted({min(size, factor * least) for factor in factors} | {size}), np.int64)


def _grouped_steps(size: int, least: int, group: int) -> Counts:
    """Return the tile sizes to try along k: whole groups, or pieces that divide one."""
    whole = set(_steps(size, group).tolist())
    pieces = {least * factor for factor in _divisors(group // least)} if group % least == 0 else set()
    return np.array(sorted(whole | pieces), np.int64)


def _divisors(count: int) -> set[int]:
    return {d for small in range(1, isqrt(count) + 1) if count % small == 0 for d in (small, count // small)}
