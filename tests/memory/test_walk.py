"""The walk over tiles, against one that keeps every tile's identity in a dictionary and leaps over nothing."""

import math
from itertools import permutations, product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.memory.kernels import total_cycles, walk_tiles

SMALL = st.integers(1, 60)


def _by_hand(batch, trips, order, cycles, fill, activation, weight, partial, final, width, latency):
    """List what each step loads, computes and stores; then let transfers and computing overlap."""

    def transfer(bits):
        return 0 if bits == 0 else latency + (math.ceil(bits / width) if width else 0)

    def last(place, direction):
        return int(place[direction] == trips[direction] - 1)

    turns = list(product(*(range(trips[d]) for d in order)))
    steps = [(b, dict(zip(order, turn, strict=True))) for b in range(batch) for turn in turns]
    held, loads, stores = {}, [], [0] * len(steps)
    counts = dict.fromkeys(("activation", "weight", "partial_read", "partial_write", "output"), 0)
    for index, (b, at) in enumerate(steps):
        load = 0
        for name, (x, y), bits in (("activation", (0, 2), activation), ("weight", (1, 2), weight)):
            tile = (b, at[x], at[y])
            if held.get(name) != tile:
                held[name] = tile
                amount = bits[2 * last(at, x) + last(at, y)]
                counts[name] += amount
                load += amount
        tile = (b, at[0], at[1])
        if held.get("output") != tile:
            held["output"] = tile
            if at[2] > 0:
                amount = partial[2 * last(at, 0) + last(at, 1)]
                counts["partial_read"] += amount
                load += amount
        loads.append(load)
        following = steps[index + 1] if index + 1 < len(steps) else None
        if following is None or (following[0], following[1][0], following[1][1]) != tile:
            kind, amounts = ("output", final) if last(at, 2) else ("partial_write", partial)
            stores[index] = amounts[2 * last(at, 0) + last(at, 1)]
            counts[kind] += stores[index]
    compute = [cycles[4 * last(at, 0) + 2 * last(at, 1) + last(at, 2)] for _, at in steps]
    compute[0] += fill
    time = transfer(loads[0])
    for index, busy in enumerate(compute):
        arriving = loads[index + 1] if index + 1 < len(steps) else 0
        leaving = stores[index - 1] if index else 0
        time += max(busy, transfer(arriving + leaving))
    return [time + transfer(stores[-1]), sum(compute), *counts.values()]


@settings(max_examples=300)
@given(
    batch=st.integers(1, 5),
    trips=st.tuples(*[st.integers(1, 9)] * 3),
    order=st.sampled_from(list(permutations(range(3)))),
    cycles=st.lists(SMALL, min_size=8, max_size=8),
    fill=st.integers(0, 20),
    tiles=st.lists(st.lists(SMALL, min_size=4, max_size=4), min_size=4, max_size=4),
    width=st.sampled_from([0.0, 1.0, 2.5, 7.0, 64.0]),
    latency=st.integers(0, 9),
)
def test_every_step_is_taken(batch, trips, order, cycles, fill, tiles, width, latency):
    arrays = [np.array(values, np.int64) for values in (trips, order, cycles)]
    bits = [np.array(values, np.int64) for values in tiles]
    expected = _by_hand(batch, trips, order, cycles, fill, *tiles, width, latency)
    found = walk_tiles(batch, *arrays, fill, *bits, width, latency)
    assert found.tolist() == expected
    assert total_cycles(batch, *arrays, fill, *bits, width, latency) == expected[0]
