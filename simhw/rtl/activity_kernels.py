"""The loop over events of a gate simulation with delays, and beside it what happens were there none.

An event is a net that changes. A gate whose output no longer equals the function of its inputs schedules an event after
its delay, and takes it back if the inputs return before (a pulse shorter than the delay is swallowed). So a gate
has at most one event under way, and the queue is a heap of drivers: gates, then registers, then input bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

Bits = NDArray[np.uint8]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

CELLS, CELLS_ZERO_DELAY, CLOCK = range(3)
"""Places in the energies that ``simulate`` returns."""


@kernel
def before(times: Floats, a: int, b: int) -> bool:
    """Return whether driver ``a`` is due before ``b``; of equal times the lower number."""
    return times[a] < times[b] or (times[a] == times[b] and a < b)


@kernel
def sift_up(heap: Integers, at: Integers, times: Floats, i: int) -> None:
    """Move entry ``i`` towards the root until its parent is due before it."""
    while i > 0:
        parent = (i - 1) >> 1
        if not before(times, heap[i], heap[parent]):
            return
        heap[i], heap[parent] = heap[parent], heap[i]
        at[heap[i]], at[heap[parent]] = i, parent
        i = parent


@kernel
def sift_down(heap: Integers, at: Integers, times: Floats, size: int, i: int) -> None:
    """Move entry ``i`` away from the root until it is due before its children."""
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and before(times, heap[child + 1], heap[child]):
            child += 1
        if not before(times, heap[child], heap[i]):
            return
        heap[i], heap[child] = heap[child], heap[i]
        at[heap[i]], at[heap[child]] = i, child
        i = child


@kernel
def push(heap: Integers, at: Integers, times: Floats, size: int, driver: int) -> int:
    """Add a driver; return the new size."""
    heap[size], at[driver] = driver, size
    sift_up(heap, at, times, size)
    return size + 1


@kernel
def remove(heap: Integers, at: Integers, times: Floats, size: int, driver: int) -> int:
    """Take a driver out, wherever it is; return the new size."""
    i, size = at[driver], size - 1
    last = heap[size]
    at[driver] = -1
    if last != driver:
        heap[i], at[last] = last, i
        sift_up(heap, at, times, i)
        sift_down(heap, at, times, size, at[last])
    return size


@kernel
def zero_delay_energy(
    old: int, new: int, inputs: int, truth: Bits, truth_at: int, energy: Floats, instance_at: int
) -> float:
    """Return the energy inside a gate whose inputs go from ``old`` to ``new`` at once.

    The inputs are taken to change one after the other. Where the output changes, the mean over the inputs that
    could have caused it counts; where it does not, what the inputs take that leave it alone.
    """
    states, state = 1 << inputs, old
    after = truth[truth_at + new]
    changes = truth[truth_at + old] != after
    caused, causes, passive = 0.0, 0, 0.0
    for pin in range(inputs):
        if (old ^ new) >> pin & 1:
            previous = truth[truth_at + state]
            state ^= 1 << pin
            value = energy[instance_at + pin * states + state]
            if truth[truth_at + state] == previous:
                passive += value
            elif truth[truth_at + state] == after:
                caused += value
                causes += 1
    if changes and causes:
        return caused / causes
    return 0.0 if changes else passive


@kernel
def simulate(
    stimulus: Bits,
    warm_up: int,
    input_nets: Integers,
    kinds: Integers,
    pins: Integers,
    outputs: Integers,
    inputs: Integers,
    truth_at: Integers,
    truth: Bits,
    instance_at: Integers,
    delay: Floats,
    energy: Floats,
    fan_out_at: Integers,
    fan_out: Integers,
    fan_out_pin: Integers,
    register_data: Integers,
    register_outputs: Integers,
    register_inverted: Integers,
    register_delay: Floats,
    output_energy: Floats,
    clock_energy: Floats,
    data_energy: Floats,
    nets: int,
    watched: Integers,
) -> tuple[Integers, Integers, Floats, Bits]:
    """Run one clock cycle per row of ``stimulus``; the first ``warm_up`` are not counted.

    Returns:
        Transitions of each net; the same without delays; energies (``CELLS``, ``CELLS_ZERO_DELAY``, ``CLOCK``); the
        value of each watched net at the end of each cycle.
    """
    gates, registers = len(kinds), len(register_data)
    drivers = gates + registers + len(input_nets)
    driven = np.concatenate((outputs, register_outputs, input_nets))
    values = np.zeros(nets, np.uint8)
    values[1] = 1
    for r in range(registers):
        values[register_outputs[r]] = register_inverted[r]
    states, settled_states = np.zeros(gates, np.int64), np.zeros(gates, np.int64)
    for gate in range(gates):
        for pin in range(inputs[kinds[gate]]):
            states[gate] |= np.int64(values[pins[gate, pin]]) << pin
        values[outputs[gate]] = truth[truth_at[kinds[gate]] + states[gate]]
    settled_states[:] = states
    settled = values.copy()
    transitions, zero_delay = np.zeros(nets, np.int64), np.zeros(nets, np.int64)
    energies = np.zeros(3)
    heap, at = np.zeros(drivers, np.int64), np.full(drivers, -1, np.int64)
    times, waiting = np.zeros(drivers), np.zeros(drivers)
    seen = np.zeros((len(stimulus), len(watched)), np.uint8)
    size = 0
    for cycle in range(len(stimulus)):
        if cycle == warm_up:
            transitions[:] = 0
            zero_delay[:] = 0
            energies[:] = 0.0
        for r in range(registers):
            data, output = values[register_data[r]], values[register_outputs[r]]
            energies[CLOCK] += clock_energy[r, 1, data, output]
            after = data ^ register_inverted[r]
            if after != output:
                driver = gates + r
                times[driver], waiting[driver] = register_delay[r, after], output_energy[r, after]
                energies[CELLS_ZERO_DELAY] += output_energy[r, after]
                size = push(heap, at, times, size, driver)
        for i in range(len(input_nets)):
            if stimulus[cycle, i] != values[input_nets[i]]:
                driver = gates + registers + i
                times[driver], waiting[driver] = 0.0, 0.0
                size = push(heap, at, times, size, driver)
        while size:
            driver = heap[0]
            time, net = times[driver], driven[driver]
            size = remove(heap, at, times, size, driver)
            values[net] ^= 1
            transitions[net] += 1
            energies[CELLS] += waiting[driver]
            for f in range(fan_out_at[net], fan_out_at[net + 1]):
                fed, pin = fan_out[f], fan_out_pin[f]
                if fed >= gates:
                    energies[CELLS] += data_energy[fed - gates, values[net], values[register_outputs[fed - gates]]]
                    continue
                old = states[fed]
                new = old ^ (1 << pin)
                states[fed] = new
                kind = kinds[fed]
                arc = instance_at[fed] + (pin << inputs[kind]) + new
                if truth[truth_at[kind] + old] == truth[truth_at[kind] + new]:
                    energies[CELLS] += energy[arc]
                elif at[fed] >= 0:
                    size = remove(heap, at, times, size, fed)
                else:
                    times[fed], waiting[fed] = time + max(delay[arc], 0.0), energy[arc]
                    size = push(heap, at, times, size, fed)
        for net in range(nets):
            if values[net] != settled[net]:
                zero_delay[net] += 1
                for f in range(fan_out_at[net], fan_out_at[net + 1]):
                    r = fan_out[f] - gates
                    if r >= 0:
                        energies[CELLS_ZERO_DELAY] += data_energy[r, values[net], values[register_outputs[r]]]
                settled[net] = values[net]
        for gate in range(gates):
            if states[gate] != settled_states[gate]:
                kind = kinds[gate]
                energies[CELLS_ZERO_DELAY] += zero_delay_energy(
                    settled_states[gate],
                    states[gate],
                    inputs[kind],
                    truth,
                    truth_at[kind],
                    energy,
                    instance_at[gate],
                )
                settled_states[gate] = states[gate]
        for r in range(registers):
            energies[CLOCK] += clock_energy[r, 0, values[register_data[r]], values[register_outputs[r]]]
        for i in range(len(watched)):
            seen[cycle, i] = values[watched[i]]
    return transitions, zero_delay, energies, seen
