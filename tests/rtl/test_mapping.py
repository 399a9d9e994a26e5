"""Mapped netlists equal their circuits, by simulation and by SAT; mapping is deterministic."""

import re

import numpy as np
import pytest

from simhw.circuits import Circuit
from simhw.errors import InputError
from simhw.pes import get_circuit
from simhw.rtl.activity import measure_activity
from simhw.rtl.liberty import read_library
from simhw.rtl.mapped_proof import prove_mapped
from simhw.rtl.mapping import Goal, map_circuit
from simhw.rtl.prove import Verdict


def random_codes(circuit: Circuit, cycles: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    return {port.name: generator.integers(0, 1 << port.bits, cycles) for port in circuit.inputs}


def definition(circuit: Circuit, codes: dict[str, np.ndarray], cycles: int) -> dict[str, list[int]]:
    """Outputs clock by clock, by the circuit's step alone."""
    state = {port.name: np.zeros(1, np.int64) for port in circuit.state}
    seen: dict[str, list[int]] = {port.name: [] for port in circuit.outputs}
    for cycle in range(cycles):
        after = circuit.step({**{name: values[cycle : cycle + 1] for name, values in codes.items()}, **state})
        state = {port.name: after[port.name] for port in circuit.state}
        for name in seen:
            seen[name].append(int(after[name][0]))
    return seen


@pytest.mark.parametrize("goal", Goal)
@pytest.mark.parametrize(("pe", "variant"), [("mixpe_w4a8", None), ("int8_mac", "booth"), ("fp4_mac", None)])
def test_simulation_equals_definition(sg13g2, pe, variant, goal):
    circuit = get_circuit(pe, variant)
    netlist = map_circuit(circuit, sg13g2, goal).netlist
    codes = random_codes(circuit, 400)
    results = measure_activity(netlist, sg13g2, codes).results
    expected = definition(circuit, codes, 399)
    registers = {port.name for port in circuit.state}
    for name, values in expected.items():
        # The inputs of a cycle are taken at its end: a register shows in the next cycle what a step makes of it.
        assert results[name][1 if name in registers else 0 :][:399].tolist() == values


def test_asap7_equals_definition(asap7):
    circuit = get_circuit("mixpe_w4a8")
    netlist = map_circuit(circuit, asap7, Goal.SPEED).netlist
    codes = random_codes(circuit, 300)
    results = measure_activity(netlist, asap7, codes).results
    assert results["total"][1:].tolist() == definition(circuit, codes, 299)["total"]


@pytest.mark.parametrize(("pe", "variant"), [("int4_mac", None), ("mixpe_w4a8", None), ("mixpe_w4a8", "booth")])
def test_sat_proves_the_netlist(sg13g2, pe, variant):
    circuit = get_circuit(pe, variant)
    assert prove_mapped(circuit, map_circuit(circuit, sg13g2).netlist.verilog, sg13g2) is Verdict.PROVEN


def test_nothing_is_decided_with_registers_that_keep_the_inverse(asap7):
    circuit = get_circuit("int4_mac")
    assert prove_mapped(circuit, map_circuit(circuit, asap7, Goal.SPEED).netlist.verilog, asap7) is Verdict.UNDECIDED


def test_sat_finds_a_wrong_cell(sg13g2):
    circuit = get_circuit("int4_mac")
    verilog = map_circuit(circuit, sg13g2).netlist.verilog
    # Both cells have the pins A and B; their outputs are X and Y.
    wrong = re.sub(r"sg13g2_xor2_1 (\S+ \([^;]*?)\.X\(", r"sg13g2_xnor2_1 \1.Y(", verilog, count=1)
    assert wrong != verilog
    assert prove_mapped(circuit, wrong, sg13g2) is Verdict.COUNTEREXAMPLE
    assert prove_mapped(circuit, verilog, sg13g2, limit_s=0.01) is Verdict.UNDECIDED


def test_mapping_is_deterministic(sg13g2):
    circuit = get_circuit("mixpe_w4a8")
    first, again = map_circuit(circuit, sg13g2), map_circuit(circuit, sg13g2)
    assert first == again
    assert first.netlist.verilog == again.netlist.verilog


def test_area_is_the_sum_of_the_cells(sg13g2):
    netlist = map_circuit(get_circuit("int4_mac"), sg13g2).netlist
    named = re.findall(r"^  (sg13g2_\w+) ", netlist.verilog, re.MULTILINE)
    assert {name: named.count(name) for name in set(named)} == netlist.cells
    area = sum(sg13g2.cell(name).area_um2 for name in named)
    assert netlist.area_um2(sg13g2) == pytest.approx(area)
    assert len(netlist.flip_flops) == 4 + 4 + 2 + 20


def test_speed_is_faster_and_area_smaller(sg13g2):
    from simhw.rtl.timing import time_netlist

    circuit = get_circuit("int8_mac")
    small, fast = (map_circuit(circuit, sg13g2, goal).netlist for goal in Goal)
    assert small.area_um2(sg13g2) < fast.area_um2(sg13g2)
    assert time_netlist(fast, sg13g2).period_ps < 0.8 * time_netlist(small, sg13g2).period_ps


def test_own_timing_agrees_with_abc(sg13g2):
    from simhw.rtl.timing import time_netlist

    mapping = map_circuit(get_circuit("int8_mac"), sg13g2)
    timing = time_netlist(mapping.netlist, sg13g2)
    setup = max(timing.look_up(table, 100.0, 48.0) for table in timing.tables.flip_flops.setup[0])
    gates = timing.period_ps - timing.register_delay_ps.max() - setup
    # ABC takes one slew for both edges and its own driver for registers.
    assert gates == pytest.approx(mapping.gate_delay_ps, rel=0.1)


def test_cells_that_are_missing(toy, tmp_path):
    text = toy.files[0].excerpt({"INV", "BUF", "NAND2", "XOR2"})
    (tmp_path / "gates.lib").write_text(text)
    circuit = get_circuit("int4_mac")
    with pytest.raises(InputError, match="no usable flip-flop"):
        map_circuit(circuit, read_library([tmp_path / "gates.lib"]))
    with pytest.raises(InputError, match="no usable buffer"):
        map_circuit(circuit, toy, dont_use=["BUF"])
