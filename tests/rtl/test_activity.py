"""Timing, events and energies of tiny netlists, computed by hand from the toy library's constant tables."""

import numpy as np
import pytest

from simhw.errors import InputError
from simhw.pes import get_circuit
from simhw.rtl.activity import WARM_UP, measure_activity
from simhw.rtl.cell_tables import pack_tables
from simhw.rtl.mapped import Instance, MappedNetlist
from simhw.rtl.mapping import map_circuit
from simhw.rtl.operands import gaussian_stream
from simhw.rtl.timing import time_netlist

A, N, Y, Q = 2, 3, 4, 5
COUNTED = 10


def netlist(gates, *, source=A, inputs=True):
    """Gates between input ``a`` and a register that takes net Y; or a register that feeds itself through them."""
    return MappedNetlist(
        name="tiny",
        nets=6,
        inputs={"a": (A,)} if inputs else {},
        outputs={"q": (Q,)},
        gates=tuple(Instance(cell=cell, inputs=pins, output=output) for cell, pins, output in gates),
        flip_flops=(Instance(cell="DFF", inputs=(0, Y), output=source if not inputs else Q),),
    )


HAZARD = netlist([("INV", (A,), N), ("NAND2", (A, N), Y)])
"""y = not (a and not a): always 1, but for 10 ps after a rises."""


def alternating():
    return {"a": np.arange(WARM_UP + COUNTED) % 2}


def test_a_glitch_is_counted(toy):
    activity = measure_activity(HAZARD, toy, alternating())
    assert activity.cycles == COUNTED
    # a and its inverse change in each cycle; y falls 4 ps after a rises and comes back 4 ps after the inverse (10 ps).
    assert activity.transitions.tolist() == [0, 0, 10, 10, 10, 0]
    assert activity.zero_delay_transitions.tolist() == [0, 0, 10, 10, 0, 0]


def test_its_energy(toy):
    activity = measure_activity(HAZARD, toy, alternating())
    # C V^2 / 2 at 2 V: a feeds INV (1 fF) and NAND2 (3), its inverse a NAND2, y the register's D (2).
    assert activity.energy.nets_fj == pytest.approx((10 * 4 + 10 * 3 + 10 * 2) * 2 / COUNTED)
    assert activity.zero_delay_energy.nets_fj == pytest.approx((10 * 4 + 10 * 3) * 2 / COUNTED)
    # Outputs: 10 of INV at 1 fJ, 10 of NAND2 at 4. Falling a leaves NAND2 alone, and so does the inverse: 0.4 each.
    # D falls and rises five times, the mean over both halves of the clock: 0.2 and 0.4.
    assert activity.energy.cells_fj == pytest.approx((10 * 1 + 10 * 4 + 5 * 0.8 + 5 * 0.6) / COUNTED)
    assert activity.zero_delay_energy.cells_fj == pytest.approx((10 * 1 + 5 * 0.8) / COUNTED)
    # D = Q = 1: neither condition holds, so the energies without condition; and the clock pin's 0.5 fF at 2 V.
    assert activity.energy.clock_fj == pytest.approx(0.125 + 0.0625 + 0.5 * 4)
    assert activity.energy.total_fj == pytest.approx(18 + 5.7 + 2.1875)


def test_a_pulse_shorter_than_the_gate_is_swallowed(toy):
    short = netlist([("BUF", (A,), N), ("XOR2", (A, N), Y)])  # 20 ps apart, the gate takes 30
    activity = measure_activity(short, toy, alternating())
    assert activity.transitions.tolist() == [0, 0, 10, 10, 0, 0]


def test_registers(toy):
    toggling = netlist([("INV", (A,), Y)], inputs=False)  # a register that feeds its inverse back to itself
    activity = measure_activity(
        MappedNetlist(**{**vars(toggling), "inputs": {"idle": (N,)}}), toy, {"idle": np.zeros(WARM_UP + 4, int)}
    )
    assert activity.transitions.tolist() == [0, 0, 4, 0, 4, 0]
    # Two rising (0.5 fJ) and two falling outputs (0.25); INV 4 times 1; D falls (0.2) after Q rose, and rises (0.4).
    assert activity.energy.cells_fj == pytest.approx((2 * 0.5 + 2 * 0.25 + 4 * 1 + 2 * 0.2 + 2 * 0.4) / 4)
    # D & !Q, then !D & Q: the rising clock takes nothing then, beyond the output's. It falls with D = !Q again.
    assert activity.energy.clock_fj == pytest.approx((2 * 1 + 2 * 2) / 4 + 2)
    assert activity.zero_delay_energy == activity.energy


def test_period_of_a_loop(toy):
    loop = netlist([("INV", (A,), N), ("NAND2", (A, N), Y)], inputs=False)
    timing = time_netlist(loop, toy)
    # Register: rise 7, fall 6. Inverse: rise 6 + 10, fall 7 + 10. NAND2: rise 17 + 4, setup 3; fall 16 + 4, setup 4.
    assert timing.period_ps == 24
    assert timing.critical == (Y, N, A)
    assert timing.load_ff.tolist() == [0, 0, 4, 3, 2, 0]


def test_results_are_those_of_the_function(toy):
    wires = netlist([("INV", (A,), N), ("XOR2", (A, N), Y)])
    assert measure_activity(wires, toy, alternating()).results["q"].tolist() == [1] * (WARM_UP + COUNTED)
    follow = netlist([("BUF", (A,), Y)])
    values = np.random.default_rng(0).integers(0, 2, 50)
    # What stands at the input in one cycle is in the register in the next.
    assert measure_activity(follow, toy, {"a": values}).results["q"].tolist() == [0, *values[:-1]]


def test_supply_and_ground_are_added(asap7):
    net = MappedNetlist(
        name="one",
        nets=5,
        inputs={"a": (2,), "b": (3,)},
        outputs={"y": (4,)},
        gates=(Instance(cell="NAND2xp5_ASAP7_75t_R", inputs=(2, 3), output=4),),
        flip_flops=(),
    )
    tables = pack_tables(net, asap7)
    # A falls while B = 1 (state 0b10): the output rises. Energies in the file at 5 ps, 0.36 fF: VDD and VSS.
    shape = tables.shapes[tables.gates.energy[0b10]]
    assert tables.numbers[shape[4]] == pytest.approx(0.139613 - 0.0341296)
    # A falls while B = 0 (state 0b00): the output stays; the input's own energies.
    shape = tables.shapes[tables.gates.energy[0b00]]
    assert tables.numbers[shape[4]] == pytest.approx(0.0310148 - 0.0599528)


def reference_transitions(netlist, timing, codes, cycles):
    """Events one by one in a list, smallest time first; a pulse that ends before it comes out is taken back."""
    gates = timing.tables.gates
    kinds = timing.kinds.tolist()
    value = [0] * netlist.nets
    value[1] = 1
    for register, kind in zip(netlist.flip_flops, timing.register_kinds, strict=True):
        value[register.output] = int(timing.tables.flip_flops.inverted[kind])

    def function(gate):
        state = sum(value[net] << place for place, net in enumerate(netlist.gates[gate].inputs))
        return state, int(gates.truth[gates.truth_at[kinds[gate]] + state])

    for gate, instance in enumerate(netlist.gates):
        value[instance.output] = function(gate)[1]
    fed = {}
    for gate, instance in enumerate(netlist.gates):
        for pin, net in enumerate(instance.inputs):
            fed.setdefault(net, []).append((gate, pin))
    counts = [0] * netlist.nets
    for cycle in range(cycles):
        events = []  # (time, driver, net, value)
        for i, register in enumerate(netlist.flip_flops):
            after = value[timing.register_data[i]] ^ int(timing.tables.flip_flops.inverted[timing.register_kinds[i]])
            if after != value[register.output]:
                events.append((timing.register_delay_ps[i, after], len(kinds) + i, register.output, after))
        for name, array in codes.items():
            for place, net in enumerate(netlist.inputs[name]):
                if value[net] != int(array[cycle]) >> place & 1:
                    events.append((0.0, 10**9 + net, net, 1 - value[net]))
        while events:
            events.sort()
            time, _, net, new = events.pop(0)
            value[net] = new
            counts[net] += cycle >= WARM_UP
            for gate, pin in fed.get(net, []):
                state, after = function(gate)
                output = netlist.gates[gate].output
                waiting = [event for event in events if event[1] == gate]
                if waiting and after == value[output]:
                    events.remove(waiting[0])
                elif not waiting and after != value[output]:
                    states = 2 ** len(netlist.gates[gate].inputs)
                    delay = timing.delay_ps[timing.instance_at[gate] + pin * states + state]
                    events.append((time + max(delay, 0.0), gate, output, after))
    return counts


def test_events_equal_a_plain_simulation(sg13g2):
    circuit = get_circuit("mixpe_w4a8")
    netlist = map_circuit(circuit, sg13g2).netlist
    timing = time_netlist(netlist, sg13g2)
    codes = gaussian_stream(circuit, 60).codes
    activity = measure_activity(netlist, sg13g2, codes, timing)
    assert activity.transitions.tolist() == reference_transitions(netlist, timing, codes, 60)
    assert activity.transitions.sum() > 1.2 * activity.zero_delay_transitions.sum()


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ({}, "no codes for 'a'"),
        ({"a": [0] * 20, "b": [0] * 20}, "codes for 'b', which is no input"),
        ({"a": [0] * WARM_UP}, "must be as many for every input and more than 4"),
        ({"a": [0, 2] * 5}, "within 0..2, must be bit patterns of 1 bits"),
        ({"a": [0, -1] * 5}, "within -1..0"),
    ],
)
def test_refused(toy, codes, message):
    with pytest.raises(InputError, match=message):
        measure_activity(HAZARD, toy, codes)
