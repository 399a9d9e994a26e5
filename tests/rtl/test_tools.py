"""Netlists, simulation, comparison, Verilog: what they say of circuits that are right, wrong and ill-formed."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from simhw.circuits import Port
from simhw.errors import InputError
from simhw.pes import get_circuit
from simhw.rtl import yosys
from simhw.rtl.check import check_circuit
from simhw.rtl.faults import faults
from simhw.rtl.netlist import Gate, dependences, gates_of, netlist
from simhw.rtl.rtlil import export, rtlil, verilog
from simhw.rtl.simulation import simulate
from simhw.rtl.stimuli import operand_groups
from simhw.rtl.yosys import run_yosys

MAC = get_circuit("int4_mac")


def _random(circuit, count, seed=0):
    rng = np.random.default_rng(seed)
    return {port.name: rng.integers(0, 1 << port.bits, count) for port in (*circuit.inputs, *circuit.state)}


def _slow(gates, codes, lane):
    """Evaluate gates one by one on Python integers."""
    values = [0, 1, *[0] * (gates.first_gate - 2)]
    for name, nets in (*gates.inputs.items(), *gates.state.items()):
        for bit, net in enumerate(nets):
            values[net] = int(codes[name][lane]) >> bit & 1 if name in codes else 0
    for kind, (a, b, s) in zip(gates.kinds, gates.operands, strict=True):
        x, y, z = values[a], values[b], values[s]
        values.append(
            {
                Gate.NOT: 1 - x, Gate.AND: x & y, Gate.NAND: 1 - (x & y), Gate.OR: x | y, Gate.NOR: 1 - (x | y),
                Gate.XOR: x ^ y, Gate.XNOR: 1 - (x ^ y), Gate.ANDNOT: x & (1 - y), Gate.ORNOT: x | (1 - y),
                Gate.MUX: y if z else x,
            }[Gate(kind)]
        )  # fmt: skip
    results = {**gates.next_state, **gates.outputs}
    return {name: sum(values[net] << bit for bit, net in enumerate(nets)) for name, nets in results.items()}


@pytest.mark.parametrize("count", [1, 63, 64, 1023, 1025, 20000])
def test_bit_slices_equal_single_bits(count):
    gates = netlist(MAC)
    # Every kind of gate: the netlist itself, and faulty ones with the kinds that it does not have.
    kinds = gates.kinds.copy()
    kinds[: 4 * len(Gate)] = list(Gate) * 4
    for found in (gates, replace(gates, kinds=kinds)):
        codes = _random(MAC, count, seed=count)
        got = simulate(found, codes)
        for lane in {0, count // 2, count - 1}:
            assert {name: int(values[lane]) for name, values in got.items()} == _slow(found, codes, lane)


def test_gates_stand_behind_what_feeds_them():
    gates = netlist(MAC)
    assert (gates.operands < (gates.first_gate + np.arange(gates.gates))[:, None]).all()
    assert sum(gates.count().values()) == gates.gates
    assert 5 < gates.levels < 40


def test_the_reset_clears_all_registers():
    codes = {**_random(MAC, 100), "rst": np.ones(100, np.int64)}
    got = simulate(netlist(MAC), codes)
    assert all((got[port.name] == 0).all() for port in MAC.state)


def test_ports_are_checked():
    gates, codes = netlist(MAC), _random(MAC, 10)
    with pytest.raises(InputError, match=r"\['weight'\] not given, \['weights'\] not known"):
        simulate(gates, {("weights" if name == "weight" else name): values for name, values in codes.items()})
    with pytest.raises(InputError, match=r"weight has shape \(9,\), other ports have \(10,\)"):
        simulate(gates, {**codes, "weight": codes["weight"][:9]})
    with pytest.raises(InputError, match=r"weight was given 16..16, its codes are 0..15"):
        simulate(gates, {**codes, "weight": np.full(10, 16)})


def test_dependences_follow_the_wires():
    found = dependences(netlist(MAC))
    assert found["activation_q"] == {"activation", "rst"}
    assert found["total"] == {"activation_q", "weight_q", "first_q", "enable_q", "total", "rst"}
    groups = {group.results: {port.name for port in group.ports} for group in operand_groups(MAC, netlist(MAC))}
    assert groups["activation_out", "total", "weight_out"] == {"activation_q", "weight_q", "first_q", "enable_q"}


def test_the_smallest_disagreement_is_reported():
    wrong = next(f.netlist for f in faults(netlist(MAC)) if not check_circuit(MAC, gates=f.netlist).equal)
    report = check_circuit(MAC, gates=wrong)
    found = report.disagreement
    batch = {name: np.array([code]) for name, code in found.given.items() if name != "rst"}
    assert int(MAC.step(batch)[found.port][0]) == found.expected or "rst" in found.given
    assert found.expected != found.got
    assert f"expected {found.expected:#x}, got {found.got:#x}" in str(report)
    assert check_circuit(MAC, gates=wrong) == report


def test_a_definition_that_is_wrong_in_one_place_is_noticed():
    """One pair of operands of 256, in clocks that count, gives a sum that is one too large."""

    def step(codes):
        found = MAC.step(codes)
        at = (codes["activation_q"] == 8) & (codes["weight_q"] == 8) & (codes["enable_q"] == 1)
        return {**found, "total": found["total"] ^ at}

    report = check_circuit(replace(MAC, step=step), vectors=16)
    assert report.disagreement.given["activation_q"] == report.disagreement.given["weight_q"] == 8


def test_state_that_is_not_declared_is_refused():
    with pytest.raises(InputError, match="holds 30 bits in registers, 29 are declared"):
        netlist(replace(MAC, state=tuple(port for port in MAC.state if port.name != "first_q")))
    with pytest.raises(InputError, match="state sum of int4_mac has 3 bits, the netlist has 0 register bits"):
        netlist(replace(MAC, state=(*MAC.state, Port(name="sum", bits=3, meaning=""))))


def test_errors_of_yosys_show_its_last_words():
    with pytest.raises(InputError, match=r"yosys failed to read nothing; the end of its log:\n(.|\n)*No such command"):
        run_yosys(["read_nothing"], {}, what="read nothing")
    with pytest.raises(InputError, match=r"reduce int4_mac to gates(.|\n)*ERROR"):
        gates_of("module \\foo\n  cell $add $1\n    connect \\A \\b\n  end\nend\n", MAC)
    with pytest.raises(InputError, match="int4_mac is 0 modules after flattening"):
        gates_of("", MAC)
    with pytest.raises(TimeoutError, match=r"take a nap took more than 0.1 s"):
        run_yosys(["exec -- sleep 3"], {}, what="take a nap", limit_s=0.1)


def test_yosys_is_the_same_every_time(tmp_path):
    circuit = get_circuit("mixpe_w4a8")
    first, second = (export(circuit, tmp_path / name) for name in ("a", "b"))
    assert first.name == "mixpe_w4a8.v"
    assert first.read_text() == second.read_text() == verilog(circuit)
    assert rtlil(circuit) == rtlil(get_circuit("mixpe_w4a8"))


def test_verilog_names_ports_and_no_machine():
    text = verilog(get_circuit("mixpe_w4a8", "multiplier", accumulator_bits=24))
    assert re.search(r"^module mixpe_w4a8_multiplier\(", text, re.MULTILINE)
    assert "accumulator_bits = 24" in text
    assert "output [23:0] total;" in text
    assert "$signed(" in text
    assert " * " in text
    for word in ("/work", "/tmp", "site-packages", "Yosys", "20[0-9][0-9]-", ".py"):
        assert not re.search(word, text), word


def test_exported_verilog_is_the_circuit():
    """Read back by Yosys as Verilog, reduced to gates, compared with the definition."""
    circuit = get_circuit("mixpe_w4a8", "booth")
    passes = ["read_verilog in.v", "proc", f"hierarchy -top {circuit.name}", "write_rtlil out.il"]
    text = run_yosys(passes, {"in.v": verilog(circuit)}, ["out.il"], what="read Verilog")["out.il"]
    assert check_circuit(circuit, gates=gates_of(text, circuit)).equal


def test_without_the_extra_the_sentence_names_it(monkeypatch):
    monkeypatch.setattr("simhw.circuits.base.find_spec", lambda name: None if name == "pyosys" else True)
    for job in (lambda: rtlil(MAC), MAC.build, lambda: yosys.run_yosys([], {}, what="do nothing")):
        with pytest.raises(InputError, match=r"circuits need pyosys, not installed; run: pip install 'simhw\[rtl\]'"):
            job()


def test_records_of_circuits_need_no_amaranth():
    code = (
        "import sys; from simhw.pes import circuit_names, get_circuit\n"
        "for name, variants in circuit_names().items():\n"
        "    for variant in variants: get_circuit(name, variant)\n"
        "print([name for name in ('amaranth', 'pyosys', 'bitwuzla', 'z3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
