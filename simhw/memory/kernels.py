"""The walk over the tiles of a layer: what is loaded, computed and stored in each step.

A step computes one tile. Buffers swap between steps (ping-pong): while step i computes, one transfer brings the
tiles that step i + 1 needs and takes away the output tile that step i - 1 finished; step i + 1 begins when
both are done. Before step 0 its tiles are loaded, after the last step its output is stored.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

Counts = NDArray[np.int64]

CYCLES, COMPUTE, ACTIVATION, WEIGHT, PARTIAL_READ, PARTIAL_WRITE, OUTPUT = range(7)
"""Places in the result of ``walk_tiles``."""


@kernel
def transfer(bits: int, bits_per_cycle: float, latency: int) -> int:
    """Return the cycles of one transfer; a bandwidth of 0 means unlimited."""
    if bits == 0:
        return 0
    if bits_per_cycle == 0:
        return latency
    return latency + math.ceil(bits / bits_per_cycle)


@kernel
def walk_tiles(
    batch: int,
    trips: Counts,
    order: Counts,
    cycles: Counts,
    fill: int,
    activation: Counts,
    weight: Counts,
    partial: Counts,
    final: Counts,
    bits_per_cycle: float,
    latency: int,
) -> Counts:
    """Walk over all steps.

    Args:
        batch: independent products.
        trips: tiles along m, n, k.
        order: loops from outermost to innermost, as places 0, 1, 2 of m, n, k.
        cycles: of a tile, by place 4 (last of m) + 2 (last of n) + (last of k); the last tile may be ragged.
        fill: cycles of the array beyond its tiles, charged with the first.
        activation: bits of a tile, by place 2 (last of m) + (last of k).
        weight: bits, by place 2 (last of n) + (last of k).
        partial: bits of an output tile of partial sums, by place 2 (last of m) + (last of n).
        final: bits of a finished output tile.
        bits_per_cycle: of DRAM, 0 for unlimited.
        latency: cycles of each transfer.

    Returns:
        Seven counts: cycles, compute cycles, and the bits of each kind.
    """
    out = np.zeros(7, np.int64)
    at = np.zeros(3, np.int64)
    before = np.full(3, -1, np.int64)
    at_third = np.zeros(7, np.int64)
    time, time_of_third = 0, 0
    pending_store = 0  # of the step before the one whose compute is pending
    running_store = 0
    running_cycles = -1
    for _b in range(batch):
        for outer in range(trips[order[0]]):
            at[order[0]] = outer
            for middle in range(trips[order[1]]):
                at[order[1]] = middle
                inner = -1
                while inner < trips[order[2]] - 1:
                    inner += 1
                    at[order[2]] = inner
                    if inner == 3:
                        at_third[:] = out
                        time_of_third = time
                    last_m = 1 if at[0] == trips[0] - 1 else 0
                    last_n = 1 if at[1] == trips[1] - 1 else 0
                    last_k = 1 if at[2] == trips[2] - 1 else 0
                    fresh = outer == 0 and middle == 0 and inner == 0
                    load = 0
                    if fresh or at[0] != before[0] or at[2] != before[2]:
                        bits = activation[2 * last_m + last_k]
                        out[ACTIVATION] += bits
                        load += bits
                    if fresh or at[1] != before[1] or at[2] != before[2]:
                        bits = weight[2 * last_n + last_k]
                        out[WEIGHT] += bits
                        load += bits
                    moved = fresh or at[0] != before[0] or at[1] != before[1]
                    if moved and at[2] > 0:
                        bits = partial[2 * last_m + last_n]
                        out[PARTIAL_READ] += bits
                        load += bits
                    if moved and running_cycles >= 0:
                        # the output tile of the step before is left: finished, or to come back later
                        place = 2 * (1 if before[0] == trips[0] - 1 else 0) + (1 if before[1] == trips[1] - 1 else 0)
                        if before[2] == trips[2] - 1:
                            running_store = final[place]
                            out[OUTPUT] += running_store
                        else:
                            running_store = partial[place]
                            out[PARTIAL_WRITE] += running_store
                    else:
                        running_store = 0
                    if running_cycles < 0:
                        time += transfer(load, bits_per_cycle, latency)
                        running_cycles = fill
                    else:
                        time += max(running_cycles, transfer(load + pending_store, bits_per_cycle, latency))
                        pending_store = running_store
                        running_cycles = 0
                    running_cycles += cycles[4 * last_m + 2 * last_n + last_k]
                    out[COMPUTE] += cycles[4 * last_m + 2 * last_n + last_k]
                    alike = trips[order[2]] - 2 - 3
                    if inner == 3 and alike > 0:
                        # steps 3 .. trips - 2 of the innermost loop see the same loads, stores and cycles
                        out += alike * (out - at_third)
                        time += alike * (time - time_of_third)
                        inner += alike
                        at[order[2]] = inner
                    before[:] = at
    time += max(running_cycles, transfer(pending_store, bits_per_cycle, latency))
    out[OUTPUT] += final[3]
    out[CYCLES] = time + transfer(final[3], bits_per_cycle, latency)
    out[COMPUTE] += fill
    return out


@kernel
def total_cycles(
    batch: int,
    trips: Counts,
    order: Counts,
    cycles: Counts,
    fill: int,
    activation: Counts,
    weight: Counts,
    partial: Counts,
    final: Counts,
    bits_per_cycle: float,
    latency: int,
) -> int:
    """Return the cycles of ``walk_tiles``; beyond three products each further one takes as long as the third."""
    arguments = (trips, order, cycles, fill, activation, weight, partial, final, bits_per_cycle, latency)
    if batch <= 3:
        return int(walk_tiles(batch, *arguments)[CYCLES])
    two, three = int(walk_tiles(2, *arguments)[CYCLES]), int(walk_tiles(3, *arguments)[CYCLES])
    return three + (batch - 3) * (three - two)


@kernel
def best_candidate(
    places: Counts,
    orders: Counts,
    bound: Counts,
    bits: Counts,
    batch: int,
    trips: Counts,
    all_orders: Counts,
    cycles: Counts,
    streamed_cycles: Counts,
    streamed: Counts,
    fill: int,
    activation: Counts,
    weight: Counts,
    partial: Counts,
    final: Counts,
    bits_per_cycle: float,
    latency: int,
) -> tuple[int, int]:
    """Return (index into ``places``, cycles) of the candidate with the fewest cycles, then the fewest bits.

    Candidates come sorted by a lower bound of their cycles, then by bits: once the bound exceeds the best count,
    no later one can be better.
    """
    best, best_cycles, best_bits = -1, 0, 0
    for index in range(places.size):
        if best >= 0 and (bound[index] > best_cycles or (bound[index] == best_cycles and bits[index] >= best_bits)):
            if bound[index] > best_cycles:
                break
            continue
        place, order = places[index], orders[index]
        found = total_cycles(
            batch,
            trips[place],
            all_orders[order],
            streamed_cycles[place] if streamed[index] else cycles[place],
            fill,
            activation[place],
            weight[place],
            partial[place],
            final[place],
            bits_per_cycle,
            latency,
        )
        if best < 0 or found < best_cycles or (found == best_cycles and bits[index] < best_bits):
            best, best_cycles, best_bits = index, found, bits[index]
    return best, best_cycles
