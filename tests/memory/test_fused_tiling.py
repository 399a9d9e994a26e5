"""The tiling search of fused arrays against loops that follow the convention's description one by one."""

from __future__ import annotations

from itertools import permutations, product
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.arrays.fused_array import FusedArray, Stationary
from simhw.errors import InputError
from simhw.memory.fused_tiling import FusedCounts, FusedLayer, FusedMemory, FusedProblem, best_fused_tiling

TOUCHES = {
    "batch": {"activation", "output"},
    "row": {"activation", "output"},
    "column": {"activation", "output"},
    "input": {"activation", "weight"},
    "output": {"weight", "output"},
}


def problem_of(layer: FusedLayer, array: FusedArray, memory: FusedMemory) -> FusedProblem:
    widths = {"activation_bits": layer.activation_bits, "weight_bits": layer.weight_bits}
    return FusedProblem(
        layer=layer,
        memory=memory,
        weight_multiple=array.rows,
        activation_multiple=array.columns,
        cycles=lambda m, n, k: array.cycles(m, n, k, **widths),
        sums_move=array.stationary is Stationary.WEIGHT,
        tie_break_nj=lambda counts: counts.dram_read + counts.dram_write,
    )


def one_by_one(problem: FusedProblem) -> tuple[int, int]:
    """Return the fewest cycles, then the least DRAM traffic, of all tilings and all 120 orders."""
    layer, memory = problem.layer, problem.memory
    sizes = {
        "batch": layer.batch,
        "row": layer.side,
        "column": layer.side,
        "input": layer.inputs,
        "output": layer.outputs,
    }
    half = {"activation": memory.activation_kib, "weight": memory.weight_kib, "output": memory.output_kib}
    half = {name: kib * 1024 * 8 // 2 for name, kib in half.items()}
    best: tuple[int, int] | None = None

    def powers(size: int) -> list[int]:
        return sorted({min(2**e, size) for e in range(20)})

    for batch, side, inputs, outputs in product(*(powers(sizes[a]) for a in ("batch", "row", "input", "output"))):
        tile = {"batch": batch, "row": side, "column": side, "input": inputs, "output": outputs}
        trips = {axis: ceil(sizes[axis] / tile[axis]) for axis in sizes}
        length, places = layer.taps * inputs, batch * side * side
        bits = {
            "activation": places
            * ceil(length / problem.activation_multiple)
            * problem.activation_multiple
            * layer.activation_bits,
            "weight": outputs * ceil(length / problem.weight_multiple) * problem.weight_multiple * layer.weight_bits,
            "output": places * outputs * memory.output_bits,
        }
        if bits["activation"] > half["activation"] or bits["weight"] > half["weight"]:
            continue
        number = 1
        for trip in trips.values():
            number *= trip
        compute = number * int(problem.cycles(places, outputs, length))
        for order in permutations(sizes):  # innermost first
            moved, first, promoted = dict(bits), dict(bits), dict.fromkeys(bits, True)
            for loop in order:
                for operand in bits:
                    if not promoted[operand]:
                        moved[operand] *= trips[loop]
                    elif operand in TOUCHES[loop]:
                        moved[operand] *= trips[loop]
                        if moved[operand] > half[operand]:
                            promoted[operand] = False
                        else:
                            first[operand] = 0 if operand == "output" else moved[operand]
            width = memory.dram_bits_per_cycle
            load, store = first["activation"] + first["weight"], first["output"]
            traffic = sum(moved.values())
            waits = max(0, ceil((traffic - load - store) / width) - compute)
            cycles = compute + waits + ceil(load / width) + ceil(store / width)
            if best is None or (cycles, traffic) < best:
                best = (cycles, traffic)
    assert best is not None
    return best


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 9),
    inputs=st.integers(1, 12),
    outputs=st.integers(1, 12),
    side=st.integers(1, 4),
    taps=st.sampled_from([1, 9]),
    bits=st.sampled_from([(4, 4), (8, 4), (8, 8)]),
    width=st.sampled_from([16, 128, 1024]),
    stationary=st.sampled_from(Stationary),
    output_bits=st.sampled_from([16, 1024]),
)
def test_search_equals_loops(
    batch: int,
    inputs: int,
    outputs: int,
    side: int,
    taps: int,
    bits: tuple[int, int],
    width: int,
    stationary: Stationary,
    output_bits: int,
) -> None:
    layer = FusedLayer(
        batch=batch,
        inputs=inputs,
        outputs=outputs,
        side=side,
        taps=taps,
        activation_bits=bits[0],
        weight_bits=bits[1],
    )
    array = FusedArray(rows=4, columns=2, most_bits=8, least_bits=4, stationary=stationary)
    # wide outputs overflow half of their SRAM, so that their promotion ends
    memory = FusedMemory(
        activation_kib=1, weight_kib=1, output_kib=1, dram_bits_per_cycle=width, output_bits=output_bits
    )
    problem = problem_of(layer, array, memory)
    found = best_fused_tiling(problem)
    assert (found.cycles, found.dram_read + found.dram_write) == one_by_one(problem)


def test_every_product_reads_both_operands() -> None:
    layer = FusedLayer(batch=8, inputs=16, outputs=4, activation_bits=8, weight_bits=4)
    array = FusedArray(rows=4, columns=2, most_bits=8, least_bits=4)
    memory = FusedMemory(activation_kib=64, weight_kib=64, output_kib=64, dram_bits_per_cycle=1024, output_bits=16)
    found: FusedCounts = best_fused_tiling(problem_of(layer, array, memory))
    assert (found.activation_read, found.weight_read) == (8 * 16 * 4 * 8, 8 * 16 * 4 * 4)


def test_a_layer_that_fits_nowhere_is_refused() -> None:
    layer = FusedLayer(batch=1, inputs=1, outputs=1, taps=2**20, activation_bits=8, weight_bits=8)
    array = FusedArray(rows=4, columns=2, most_bits=8, least_bits=4)
    memory = FusedMemory(activation_kib=1, weight_kib=1, output_kib=1, dram_bits_per_cycle=16, output_bits=16)
    with pytest.raises(InputError, match=r"fits in half of 1 KiB of activations.*give a larger SRAM"):
        best_fused_tiling(problem_of(layer, array, memory))
