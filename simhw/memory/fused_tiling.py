"""The tiling search and the counts of accesses of the simulators that descend from Bit Fusion's.

A layer is (batch, output rows, output columns, channels in, channels out), each cut into tiles of a power of two; every
order of the five loops is tried with every tiling, and the one with the fewest cycles wins, then the one with the least
``tie_break_nj``. What their convention is, and what a reader may trip over:

* Each SRAM is halved for double buffering. A tile of activations is counted as im2col makes it, and the length along k
  is rounded up to what the array takes at once: of weights by the array's rows, of activations by its columns.
* **Promotion**: from the innermost loop outwards, an operand that depends on a loop grows by its tiles as long as it
  fits in half its SRAM, and is then fetched once for all further loops that do not touch it. Once it has ceased to fit,
  every outer loop fetches it again, whether it depends on that loop or not.
* **Outputs never overflow**, and move to DRAM once for each time their tile is left; partial sums that come back are
  not read.
* Cycles are those of the array, plus what the DRAM needs beyond them for everything but the first load and the last
  store, plus these two. The last store counts as zero where an output tile fits in half its SRAM under the innermost
  loop that moves it.
* Output-stationary, both operands are read from SRAM **once for every product**: the array reuses nothing.
  Weight-stationary, a partial sum is written and read for every product.

Source: the simulators published with ANT (MICRO 2022) and MixPE (arXiv 2411.16158).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError

Ints = NDArray[np.int64]

ACTIVATION, WEIGHT, OUTPUT = range(3)
_DEPENDS = np.array(
    # batch, output rows, output columns, channels in, channels out
    [[1, 1, 1, 1, 0], [0, 0, 0, 1, 1], [1, 1, 1, 0, 1]],
    dtype=bool,
)
_ORDERS = np.array([order for order in permutations(range(5)) if order.index(1) < order.index(2)])
"""Innermost loop first; the two loops over output positions are alike, so one of each pair of orders is enough."""


@dataclass(frozen=True, kw_only=True)
class FusedLayer:
    """A layer to be tiled; a matrix product has an output of one pixel and a kernel of one tap.

    Attributes:
        batch: images, or rows of activations.
        side: of the square output.
        inputs, outputs: channels, or k and n.
        taps: of the kernel, all together.
        activation_bits, weight_bits: of the operands.
    """

    batch: int
    inputs: int
    outputs: int
    activation_bits: int
    weight_bits: int
    side: int = 1
    taps: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.batch * self.side**2 * self.inputs * self.taps * self.outputs


@dataclass(frozen=True, kw_only=True)
class FusedMemory:
    """SRAMs and DRAM.

    Attributes:
        activation_kib, weight_kib, output_kib: capacities, of which half holds a tile.
        dram_bits_per_cycle: both ways together.
        output_bits: of an output or partial sum, in SRAM and DRAM.
    """

    activation_kib: int
    weight_kib: int
    output_kib: int
    dram_bits_per_cycle: int
    output_bits: int

    @property
    def half_bits(self) -> Ints:
        """What a tile of activations, weights and outputs may take."""
        return np.array([self.activation_kib, self.weight_kib, self.output_kib]) * 4096


@dataclass(frozen=True, kw_only=True)
class FusedCounts:
    """What a layer takes: cycles, and bits read and written.

    Attributes:
        cycles: with stalls.
        stall_cycles: of them, waiting for DRAM, with the first load and the last store.
        activation_read, activation_write, weight_read, weight_write, output_read, output_write: bits of each SRAM.
        dram_read, dram_write: bits.
    """

    cycles: int
    stall_cycles: int
    activation_read: int
    activation_write: int
    weight_read: int
    weight_write: int
    output_read: int
    output_write: int
    dram_read: int
    dram_write: int


@dataclass(frozen=True, kw_only=True)
class FusedProblem:
    """A layer on an array with memories.

    Attributes:
        layer, memory: what they are.
        weight_multiple, activation_multiple: to which the length of a tile along k is rounded up in SRAM.
        cycles: ``(m, n, k)`` arrays -> cycles of such tiles.
        sums_move: whether a partial sum is read and written for every product (weight-stationary).
        tie_break_nj: counts -> energy that decides between tilings of equal cycles.
    """

    layer: FusedLayer
    memory: FusedMemory
    weight_multiple: int
    activation_multiple: int
    cycles: Callable[[Any, Any, Any], Any] = field(repr=False)
    sums_move: bool = False
    tie_break_nj: Callable[[FusedCounts], Any] = field(repr=False)


def best_fused_tiling(problem: FusedProblem) -> FusedCounts:
    """Return the counts of the best tiling and order.

    Raises:
        InputError: no tile fits in half its SRAM.
    """
    tiles, trips = _tilings(problem.layer)
    size = _tile_bits(problem, tiles)
    half = problem.memory.half_bits
    fits = (size[ACTIVATION] <= half[ACTIVATION]) & (size[WEIGHT] <= half[WEIGHT])
    if not fits.any():
        raise InputError(
            f"no tile of {problem.layer} fits in half of {problem.memory.activation_kib} KiB of activations and "
            f"{problem.memory.weight_kib} KiB of weights; give a larger SRAM"
        )
    found = _counts(problem, tiles[:, fits], trips[:, fits], size[:, fits])
    energy = np.broadcast_to(problem.tie_break_nj(found), np.shape(found.cycles))
    best = np.lexsort((np.ravel(energy), np.ravel(found.cycles)))[0]
    shape = np.shape(found.cycles)
    return FusedCounts(
        **{name: int(np.broadcast_to(value, shape).ravel()[best]) for name, value in vars(found).items()}
    )


def _tilings(layer: FusedLayer) -> tuple[Ints, Ints]:
    """Return tile lengths and numbers of tiles, ``(5, tilings)``; output rows and columns are cut alike."""
    axes = [_powers(size) for size in (layer.batch, layer.side, layer.inputs, layer.outputs)]
    batch, side, inputs, outputs = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    tiles = np.stack([batch, side, side, inputs, outputs])
    sizes = np.array([layer.batch, layer.side, layer.side, layer.inputs, layer.outputs])[:, None]
    return tiles, -(-sizes // tiles)


def _powers(size: int) -> Ints:
    """Return 1, 2, 4, .. up to the first power that covers ``size``, which is ``size`` itself."""
    found: Ints = np.minimum(1 << np.arange((size - 1).bit_length() + 1), size)
    return found


def _tile_bits(problem: FusedProblem, tiles: Ints) -> Ints:
    """Return the bits of a tile of each operand, ``(3, tilings)``."""
    batch, rows, columns, inputs, outputs = tiles
    layer = problem.layer
    length = layer.taps * inputs
    positions = batch * rows * columns
    return np.stack(
        [
            positions * _up(length, problem.activation_multiple) * layer.activation_bits,
            outputs * _up(length, problem.weight_multiple) * layer.weight_bits,
            positions * outputs * problem.memory.output_bits,
        ]
    )


def _up(value: Ints, multiple: int) -> Ints:
    found: Ints = -(-value // multiple) * multiple
    return found


def _moved(problem: FusedProblem, trips: Ints, size: Ints) -> tuple[Ints, Ints]:
    """Return the bits that cross to DRAM and those that are there at once, each ``(3, orders, tilings)``."""
    moved = np.repeat(size[:, None, :], len(_ORDERS), axis=1)
    first = moved.copy()
    promoted = np.ones(moved.shape, dtype=bool)
    half = problem.memory.half_bits[:, None, None]
    for depth in range(5):
        loop = _ORDERS[:, depth]
        touched = _DEPENDS[:, loop][:, :, None] & promoted
        moved = np.where(touched | ~promoted, moved * trips[loop][None], moved)
        inside = moved <= half
        # The simulators note the SRAM writes of outputs here, which they set to nothing, as the last store.
        resident = np.stack([moved[ACTIVATION], moved[WEIGHT], np.zeros_like(moved[OUTPUT])])
        first = np.where(touched & inside, resident, first)
        promoted &= ~(touched & ~inside)
    return moved, first


def _counts(problem: FusedProblem, tiles: Ints, trips: Ints, size: Ints) -> FusedCounts:
    layer, width = problem.layer, problem.memory.dram_bits_per_cycle
    moved, first = _moved(problem, trips, size)
    load, store = first[ACTIVATION] + first[WEIGHT], first[OUTPUT]
    batch, rows, columns, inputs, outputs = tiles
    number = trips.prod(axis=0)
    positions, length = batch * rows * columns, layer.taps * inputs
    compute = number * problem.cycles(positions, outputs, length)
    between = -(-(moved.sum(axis=0) - load - store) // width)
    stall = np.maximum(0, between - compute) - (-load // width) - (-store // width)
    products = number * positions * outputs * length
    sums = products if problem.sums_move else number * positions * outputs
    weights = number * outputs * length if problem.sums_move else products
    output_bits = problem.memory.output_bits
    values: dict[str, Any] = {
        "cycles": compute + stall,
        "stall_cycles": stall,
        "activation_read": products * layer.activation_bits,
        "activation_write": moved[ACTIVATION],
        "weight_read": weights * layer.weight_bits,
        "weight_write": moved[WEIGHT],
        "output_read": moved[OUTPUT] + sums * output_bits,
        "output_write": sums * output_bits,
        "dram_read": moved[ACTIVATION] + moved[WEIGHT],
        "dram_write": moved[OUTPUT],
    }
    return FusedCounts(**values)
