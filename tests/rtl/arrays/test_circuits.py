"""Arrays as circuits: one clock from any state equals the definition; Verilog; sizes and PEs that are refused."""

import numpy as np
import pytest

from simhw.arrays import Overlap
from simhw.errors import InputError
from simhw.pes import circuit_names, get_circuit
from simhw.rtl.arrays import Dequantizer, Problem, check_array, run_gemms, systolic_array
from simhw.rtl.arrays.bench import array_netlist, simulate_netlist
from simhw.rtl.arrays.emulated import emulate
from simhw.rtl.arrays.stage import integer_stage
from simhw.rtl.netlist import gates_of
from simhw.rtl.rtlil import export, rtlil, verilog
from simhw.rtl.simulation import simulate
from simhw.rtl.stimuli import random_vectors
from simhw.rtl.yosys import run_yosys

DATAFLOWS = ("output_stationary", "weight_stationary")
SIZES = [(1, 1), (2, 3), (3, 2)]


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize(("rows", "columns"), SIZES)
@pytest.mark.parametrize(
    ("pe", "options"),
    [("int4_mac", {}), ("mixpe_w4a8", {"dequantizer": Dequantizer.INTEGER, "group_size": 8})],
)
def test_one_clock_from_any_state(make_array, pe, options, rows, columns, dataflow):
    """Every register and output, after random and corner codes in all registers and inputs."""
    array = make_array(pe, rows=rows, columns=columns, dataflow=dataflow, **options)
    batch = random_vectors(array.circuit, 2000, {}, np.random.default_rng(0))
    expected, got = array.circuit.step(batch), simulate(array_netlist(array), batch)
    assert expected.keys() == got.keys()
    for name, codes in expected.items():
        assert (got[name] == codes).all(), name


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("dequantizer", [Dequantizer.INTEGER, Dequantizer.FLOAT])
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_parts_alone(make_array, dataflow, dequantizer, part):
    array = make_array("mixpe_w4a8", rows=2, columns=2, dataflow=dataflow, dequantizer=dequantizer, group_size=8)
    circuit = array.circuit.parts[part]
    batch = random_vectors(circuit, 20_000, {}, np.random.default_rng(1))
    expected, got = circuit.step(batch), simulate(gates_of(rtlil(circuit), circuit), batch)
    for name, codes in expected.items():
        assert (got[name] == codes).all(), name


def test_a_pe_is_described_once_however_many_there_are():
    small, large = (rtlil(systolic_array("int8_mac", rows=size, columns=size).circuit) for size in (2, 6))
    assert small.count("module \\int8_mac\n") == large.count("module \\int8_mac\n") == 1
    assert (small.count("cell \\int8_mac "), large.count("cell \\int8_mac ")) == (4, 36)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_verilog_read_back_computes_the_same(make_array, make_problems, tmp_path, dataflow):
    array = make_array(
        "mixpe_w4a8", rows=2, columns=2, dataflow=dataflow, dequantizer=Dequantizer.INTEGER, group_size=8
    )
    path = export(array.circuit, tmp_path / "out")
    assert path.read_text() == verilog(array.circuit)
    passes = ["read_verilog in.v", "proc", f"hierarchy -top {array.circuit.name}", "write_rtlil out.il"]
    text = run_yosys(passes, {"in.v": path.read_text()}, ["out.il"], what="read Verilog")["out.il"]
    gates = gates_of(text, array.circuit)
    reports = check_array(array, make_problems(array, 32, longest=12), simulator=simulate_netlist(gates))
    assert all(report.equal for report in reports)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("pe", sorted(circuit_names()))
def test_every_pe_makes_an_array(pe, dataflow):
    """Ports of the array are those of its PEs: a lane per row and operand from the left, per column from above."""
    array = systolic_array(pe, rows=2, columns=3, dataflow=dataflow)
    names = {port.name for port in array.circuit.inputs}
    assert names >= {f"{name}_{row}" for name in array.element.activation for row in range(2)}
    assert names >= {f"{port.name}_{column}" for port in array.element.entering_ports for column in range(3)}
    assert names >= set(array.element.settings)


def test_circuits_that_are_no_pe_are_refused():
    for pe, variant in (("bit_serial_booth", "encoder"), ("mixpe_w4a8", "integer_dequantizer")):
        with pytest.raises(InputError, match="PEs of an array take operands that they hand on, first and enable"):
            systolic_array(pe, rows=2, columns=1, variant=variant)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("pe", ["w4a8_dequantize_first", "bitfusion", "bit_serial", "bit_serial_booth", "nvfp4_dot"])
def test_one_clock_from_any_state_with_other_operands(make_array, pe, dataflow):
    """Heads of columns, shared settings, several operands from each side."""
    array = make_array(pe, rows=2, columns=2, dataflow=dataflow)
    batch = random_vectors(array.circuit, 500, {}, np.random.default_rng(0))
    expected, got = array.circuit.step(batch), simulate(array_netlist(array), batch)
    assert expected.keys() == got.keys()
    for name, codes in expected.items():
        assert (got[name] == codes).all(), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "rows is 0, must be an integer of at least 1"),
        ({"columns": 0}, "columns is 0, must be an integer of at least 1"),
        ({"dataflow": "input_stationary"}, "has no array as a circuit; choose output_stationary or weight_stationary"),
        ({"dataflow": "output"}, "dataflow is 'output', which is not known"),
        ({"dequantizer": "integer"}, "dequantizer is 'integer', must be one of Dequantizer.NONE"),
        ({"dequantizer": Dequantizer.INTEGER}, "int8_mac has no groups to dequantize; leave the dequantizer out"),
        ({"pe": "mixpe_w4a16", "dequantizer": Dequantizer.INTEGER}, "mixpe_w4a16 has no dequantizer of this form"),
        ({"pe": "mixpe_w4a8", "dequantizer": Dequantizer.FLOAT, "group_size": 0}, "group size is 0"),
        ({"weight": "int4"}, "an operand is int4, int8_mac takes int8 there; leave the format out"),
        ({"pe": "bitfusion", "weight": "int3"}, "an operand is int3, the array of bitfusion takes int2, uint2, int4"),
        ({"pe": "bitfusion", "activation": "e4m3"}, "an operand is e4m3, the array of bitfusion takes"),
        ({"pe": "bit_serial", "activation": "uint8"}, "an operand is uint8, the array of bit_serial takes int2, int3"),
        ({"pe": "bit_serial_booth", "weight": "int3"}, "weights are int3, bit_serial_booth takes int8, int4, uint4"),
        (
            {"pe": "w4a8_dequantize_first", "weight": "int8"},
            "weights are int8, w4a8_dequantize_first takes uint4",
        ),
        ({"pe": "mxfp4_dot", "weight": "e4m3"}, "an operand is e4m3, mxfp4_dot takes e2m1 there"),
    ],
)
def test_arrays_that_cannot_be_are_refused(options, message):
    arguments = {"pe": "int8_mac", "rows": 2, "columns": 2, **options}
    with pytest.raises(InputError, match=message):
        systolic_array(arguments.pop("pe"), **arguments)


def test_gemms_that_do_not_fit_are_refused(make_array):
    plain = make_array("int4_mac", rows=2, columns=2)
    grouped = make_array(
        "mixpe_w4a8", rows=2, columns=2, dataflow="weight_stationary", dequantizer=Dequantizer.FLOAT, group_size=8
    )
    ones, codes = np.ones((2, 4), np.int64), {"scale": np.ones((2, 2), np.int64), "zero": np.ones((2, 2), np.int64)}
    with pytest.raises(InputError, match=r"shapes \(2, 4\) and \(2, 4\), must be \(m, k\) and \(k, n\)"):
        run_gemms(plain, [Problem(activations=ones, weights=ones)])
    with pytest.raises(InputError, match=r"group size is 2, .* has no dequantizer; leave it out"):
        run_gemms(plain, [Problem(activations=ones, weights=ones.T, group_size=2)])
    with pytest.raises(InputError, match=r"follow Overlap\.PER_FOLD or Overlap\.DOUBLE_BUFFERED"):
        run_gemms(plain, [Problem(activations=ones, weights=ones.T)], overlap=Overlap.NONE)
    with pytest.raises(InputError, match="has scales of groups; give one"):
        run_gemms(grouped, [Problem(activations=ones, weights=ones.T)])
    with pytest.raises(InputError, match=r"group size is 9, must be 1\.\.4: k is 4, the accumulators hold 8 products"):
        run_gemms(grouped, [Problem(activations=ones, weights=ones.T, group_size=9, scales=codes)])
    with pytest.raises(InputError, match="group size is 3, must be at most 2, the rows of a weight-stationary array"):
        run_gemms(grouped, [Problem(activations=ones, weights=ones.T, group_size=3, scales=codes)])
    with pytest.raises(InputError, match=r"scales are {}, must be \['scale', 'zero'\] of shape \(2, 2\)"):
        run_gemms(grouped, [Problem(activations=ones, weights=ones.T, group_size=2)])


def test_scales_beside_the_operands_are_checked(make_array):
    block = make_array("nvfp4_dot", rows=2, columns=2)
    head = make_array("w4a8_dequantize_first", rows=2, columns=2)
    ones = np.ones((2, 16), np.int64)
    with pytest.raises(InputError, match="group size is 8, must be 16, the block of this PE"):
        run_gemms(block, [Problem(activations=ones, weights=ones.T, group_size=8)])
    with pytest.raises(InputError, match=r"scales are {}, must be {'activation_scale': \(2, 1\), 'weight_scale'"):
        run_gemms(block, [Problem(activations=ones, weights=ones.T, group_size=16)])
    with pytest.raises(InputError, match=r"scales are {}, must be {'scale': \(4, 2\), 'zero': \(4, 2\)}"):
        run_gemms(head, [Problem(activations=ones, weights=ones.T, group_size=4)])


def test_scales_that_the_emulator_has_not_are_refused(make_array):
    array = make_array("mixpe_w4a8", rows=2, columns=2, dequantizer=Dequantizer.INTEGER, group_size=8)
    ones = np.ones((1, 4), np.int64)
    scales = {"scale": np.full((1, 1), 2), "scaled_zero": np.full((1, 1), 3)}
    with pytest.raises(InputError, match="a scaled zero point is no multiple of its scale"):
        emulate(array, Problem(activations=ones, weights=ones.T, group_size=4, scales=scales))
    with pytest.raises(InputError, match="int4_mac has no dequantizer of this form behind it"):
        integer_stage(get_circuit("int4_mac"), 8)
