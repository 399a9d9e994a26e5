"""Numba kernel that runs a netlist clock by clock from reset: 64 independent runs, one bit of a word per net each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

RUNS = 64


@kernel
def run(
    kinds: NDArray[Any],
    operands: NDArray[Any],
    first_gate: int,
    inputs: NDArray[Any],
    input_nets: NDArray[Any],
    state_nets: NDArray[Any],
    next_nets: NDArray[Any],
    output_nets: NDArray[Any],
    loops: NDArray[Any],
    sources: NDArray[Any],
    outputs: NDArray[Any],
) -> None:
    """Run all clocks.

    Args:
        kinds: gate kinds, in order.
        operands: three nets per gate.
        first_gate: net of the first gate.
        inputs: ``(clocks, bits)`` words; inputs that a loop feeds are replaced.
        input_nets: net of each input bit.
        state_nets: net of each register bit, which starts with 0.
        next_nets: net of what it takes next.
        output_nets: net of each output bit.
        loops: ``(loops, 4)``: first input bit, first output bit, bits of an input that carries what an output was, and
            the code that it carries where it was none.
        sources: ``(loops, clocks, RUNS)``: the clock whose output an input carries, -1 for none.
        outputs: ``(clocks, bits)`` words, receives the outputs.
    """
    nets = np.zeros(first_gate + kinds.shape[0], np.uint64)
    nets[1] = ~np.uint64(0)
    held = np.zeros(state_nets.shape[0], np.uint64)
    one = np.uint64(1)
    for clock in range(inputs.shape[0]):
        for bit in range(state_nets.shape[0]):
            nets[state_nets[bit]] = held[bit]
        for bit in range(input_nets.shape[0]):
            nets[input_nets[bit]] = inputs[clock, bit]
        for bit in range(output_nets.shape[0]):  # those that are registers are right already, and may loop back
            outputs[clock, bit] = nets[output_nets[bit]]
        for loop in range(loops.shape[0]):
            for bit in range(loops[loop, 2]):
                nothing = np.uint64(loops[loop, 3] >> bit & 1)
                word = np.uint64(0)
                for lane in range(RUNS):
                    source = sources[loop, clock, lane]
                    taken = nothing
                    if source >= 0:
                        taken = (outputs[source, loops[loop, 1] + bit] >> np.uint64(lane)) & one
                    word |= taken << np.uint64(lane)
                nets[input_nets[loops[loop, 0] + bit]] = word
        for gate in range(kinds.shape[0]):
            kind = kinds[gate]
            a = nets[operands[gate, 0]]
            b = nets[operands[gate, 1]]
            if kind == 1:
                value = a & b
            elif kind == 5:
                value = a ^ b
            elif kind == 3:
                value = a | b
            elif kind == 0:
                value = ~a
            elif kind == 9:
                value = a ^ ((a ^ b) & nets[operands[gate, 2]])
            elif kind == 2:
                value = ~(a & b)
            elif kind == 4:
                value = ~(a | b)
            elif kind == 6:
                value = ~(a ^ b)
            elif kind == 7:
                value = a & ~b
            else:
                value = a | ~b
            nets[first_gate + gate] = value
        for bit in range(output_nets.shape[0]):
            outputs[clock, bit] = nets[output_nets[bit]]
        for bit in range(state_nets.shape[0]):
            held[bit] = nets[next_nets[bit]]
