"""The search tries every tiling, and prunes none that is better."""

from unittest import mock

import numpy as np
from drawn import KIB, LAYERS, WIDTHS, arrays, precisions
from drawn import memory as _memory
from drawn import plan as _plan
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simhw.layer_plan import plan_layer
from simhw.memory import best_tiling
from simhw.memory.candidates import ORDERS, _steps, candidates, fitting
from simhw.memory.kernels import total_cycles


@settings(max_examples=40)
@given(
    layer=LAYERS,
    array=arrays(),
    precision=precisions(),
    kib=st.sampled_from(KIB),
    width=WIDTHS,
    latency=st.integers(0, 9),
)
def test_nothing_better_is_pruned(layer, array, precision, kib, width, latency):
    """The walk of every candidate that fits, in every loop order: none is faster than the plan."""
    memory = _memory(kib, width, latency)
    caught = []

    def keep(problem, *others):
        caught.append(problem)
        return best_tiling(problem, *others)

    with mock.patch("simhw.layer_plan.best_tiling", keep):
        plan_layer.cache_clear()
        plan = _plan(layer, array, precision, memory)
    assume(plan is not None)
    (problem,) = caught
    found = candidates(problem, precision)
    assume(len(found.tiles) < 600)
    allowed = fitting(problem, found, precision, memory)
    best = min(
        (
            total_cycles(
                problem.batch,
                found.trips[place],
                order,
                (found.streamed_cycles if streamed else found.cycles)[place],
                problem.fill_cycles,
                found.activation[place],
                found.weight[place],
                found.outputs[place] * precision.accumulator_bits,
                found.outputs[place] * precision.output_bits,
                width,
                latency,
            )
        )
        for place, streamed in np.argwhere(allowed)
        for order in ORDERS
        if not streamed or order[2] == problem.stream
    )
    assert plan.total_cycles == best


@given(size=st.integers(1, 3000), least=st.integers(1, 64))
def test_tiles_are_all_powers_of_two_and_divisors(size, least):
    """Of the number of folds: fold counts that divide it, and 1, 2, 4, ... of them."""
    steps = set(_steps(size, least).tolist())
    count = -(-size // least)
    expected = {divisor for divisor in range(1, count + 1) if count % divisor == 0}
    power = 1
    while power <= count:
        expected.add(power)
        power *= 2
    assert steps == {min(size, factor * least) for factor in expected}
