"""Cost of a step against closed forms written out here, and what must hold for every machine."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.arrays import Overlap, VectorOverlap, dataflow_names
from simhw.costs import CostTable, load_table, table_names
from simhw.execution import Step
from simhw.formats import get_element_format
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import DEFAULT_DATAPATHS, get_datapath
from simhw.gemm.operand import Storage
from simhw.graph.ops import operators
from simhw.layer_cost import Cost, accumulator_bits, area_um2, step_cost, step_costs
from simhw.machine import Machine, Quantizers
from simhw.pes import get_pe
from simhw.rows import ENERGY_PARTS

TABLE = load_table("horowitz_45nm")
FP32_ADD_PJ, FP32_MULTIPLY_PJ = 0.9, 3.7  # Horowitz, ISSCC 2014
KIB = 8192  # bits


def plain(name: str) -> Storage:
    return Storage(format=name, bits=get_element_format(name).bits)


def rows_of(name: str) -> Storage:
    """One fp32 scale per row."""
    return Storage(format=name, bits=get_element_format(name).bits, row_scale_bits=32)


def groups_of(name: str, size: int, scale_bits: int = 16, zero_bits: int = 4) -> Storage:
    bits = get_element_format(name).bits
    return Storage(
        format=name, bits=bits, group_size=size, group_scale_bits=scale_bits + zero_bits, zero_points=zero_bits > 0
    )


STORED = {
    "fp32": (plain("fp32"), plain("fp32")),
    "fp16": (plain("fp16"), plain("fp16")),
    "bf16": (plain("bf16"), plain("bf16")),
    "w8a8_int8": (rows_of("int8"), rows_of("int8")),
    "w4a8_dequantize_first": (rows_of("int8"), groups_of("uint4", 16)),
    "w4a8_mixpe": (rows_of("int8"), groups_of("uint4", 16)),
    "w4a16_mixpe": (plain("fp16"), groups_of("uint4", 16)),
    "fp8_e4m3_fp32": (rows_of("e4m3"), rows_of("e4m3")),
    "hopper_e4m3_fp32": (rows_of("e4m3"), rows_of("e4m3")),
    "mxfp8": (groups_of("e4m3", 32, 8, 0), groups_of("e4m3", 32, 8, 0)),
    "mxfp4": (groups_of("e2m1", 32, 8, 0), groups_of("e2m1", 32, 8, 0)),
    "nvfp4": (groups_of("e2m1", 16, 8, 0), groups_of("e2m1", 16, 8, 0)),
}


def gemm(datapath: str, m: int, n: int, k: int, batch: int = 1, attention: bool = False) -> Step:
    activation, weight = STORED[datapath]
    return Step(
        label="layer",
        operator=operators()["attention_scores" if attention else "linear"],
        m=m,
        n=n,
        k=k,
        batch=batch,
        elements=batch * m * k,
        activation=activation,
        weight=rows_of("int8") if attention and weight.group_size == 16 and weight.bits == 4 else weight,
        attention=attention,
    )


def cost(step: Step, datapath: str, machine: Machine) -> Cost:
    record = get_datapath(datapath)
    return step_cost(step, record, machine, accumulator_bits(record, [step]))


sizes = st.integers(1, 200)


@pytest.mark.parametrize("datapath", DEFAULT_DATAPATHS)
@given(data=st.data(), m=sizes, n=sizes, k=st.integers(32, 300), batch=st.integers(1, 3), side=st.integers(1, 70))
def test_every_part_of_every_machine(datapath: str, data: st.DataObject, m: int, n: int, k: int, batch: int, side: int):
    machine = Machine(
        rows=side,
        columns=data.draw(st.integers(1, 70)),
        dataflow=data.draw(st.sampled_from(dataflow_names())),
        overlap=data.draw(st.sampled_from(Overlap)),
        technology=data.draw(st.sampled_from(table_names())),
    )
    found = cost(gemm(datapath, m, n, k, batch), datapath, machine)
    assert set(found.energy_pj) == set(ENERGY_PARTS)
    assert all(0 <= part < math.inf for part in found.energy_pj.values())
    assert found.energy_pj["multiply"] > 0
    assert found.cycles >= batch * m * n * k / (machine.rows * machine.columns)
    assert 0 < found.utilization <= 1
    assert all(isinstance(count, int) and count >= 0 for count in found.words.values())


@pytest.mark.parametrize("datapath", ["fp32", "w8a8_int8", "mxfp4"])
@given(
    m=sizes,
    n=sizes,
    k=st.integers(32, 200),
    batch=st.integers(1, 3),
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
)
def test_cycles_are_the_closed_forms(datapath: str, m: int, n: int, k: int, batch: int, rows: int, columns: int):
    """SCALE-Sim: folds times (stream + fill), every fold charged as if full."""
    step = gemm(datapath, m, n, k, batch)
    outputs = Machine(rows=rows, columns=columns, dataflow="output_stationary")
    folds = batch * math.ceil(m / rows) * math.ceil(n / columns)
    assert cost(step, datapath, outputs).cycles == folds * (k + rows + columns - 2)
    weights = Machine(rows=rows, columns=columns, dataflow="weight_stationary")
    block = {"mxfp4": 32}.get(datapath, k)
    k_folds = sum(math.ceil(min(block, k - start) / rows) for start in range(0, k, block))
    folds = batch * k_folds * math.ceil(n / columns)
    assert cost(step, datapath, weights).cycles == folds * (m + 2 * rows + columns - 2)


def test_int8_keys_take_two_passes_on_mixpe():
    machine = Machine(rows=8, columns=8)
    one = cost(gemm("w4a8_mixpe", 8, 8, 64), "w4a8_mixpe", machine)
    two = cost(gemm("w4a8_mixpe", 8, 8, 64, attention=True), "w4a8_mixpe", machine)
    assert (one.cycles, two.cycles) == (64 + 14, 2 * 64 + 14)
    assert two.energy_pj["multiply"] == 2 * one.energy_pj["multiply"]


@pytest.mark.parametrize("datapath", DEFAULT_DATAPATHS)
def test_array_energy_is_products_times_price(datapath: str):
    step, machine = gemm(datapath, 10, 20, 64, 3), Machine(rows=8, columns=8)
    pe, record = get_pe(get_datapath(datapath).pe), get_datapath(datapath)
    bits = accumulator_bits(record, [step])
    found = cost(step, datapath, machine)
    assert found.energy_pj["multiply"] == pytest.approx(3 * 10 * 20 * 64 * TABLE.total_energy_pj(pe.multiply_parts))
    parts = pe.accumulate_parts(bits)
    assert found.energy_pj["accumulate"] == pytest.approx(3 * 10 * 20 * 64 * TABLE.total_energy_pj(parts))


def test_memory_energy_of_an_int8_layer():
    """Output-stationary 8 x 8: 2 row folds, 3 column folds; 32 bits of scale per row of each operand; fp16 results."""
    found = cost(gemm("w8a8_int8", 10, 20, 64), "w8a8_int8", Machine(rows=8, columns=8))
    activations, weights, results = 10 * 64 * 3, 20 * 64 * 2, 10 * 20
    share = 8 + 32 / 64
    sram = (
        activations * share * TABLE.sram_pj_per_bit(256, write=False)
        + weights * share * TABLE.sram_pj_per_bit(128, write=False)
        + results * 16 * TABLE.sram_pj_per_bit(128, write=True)
    )
    assert found.energy_pj["sram"] == pytest.approx(sram)
    assert found.energy_pj["dram"] == pytest.approx(20 * (64 * 8 + 32) * 1300 / 64)  # 1300 pJ per 64 bits
    assert found.energy_pj["vector"] == pytest.approx(10 * 64 * (FP32_ADD_PJ + FP32_MULTIPLY_PJ))
    assert found.words["sram_activation_reads"] == activations
    assert found.words["dram_weight_bits"] == 20 * (64 * 8 + 32)


def test_partial_sums_of_a_weight_stationary_layer_move_in_32_bits():
    step = gemm("fp16", 10, 8, 64)
    found = cost(step, "fp16", Machine(rows=8, columns=8, dataflow="weight_stationary"))
    once = cost(gemm("fp16", 10, 8, 64), "fp16", Machine(rows=64, columns=8, dataflow="weight_stationary"))
    write, read = TABLE.sram_pj_per_bit(128, write=True), TABLE.sram_pj_per_bit(128, write=False)
    assert found.energy_pj["sram"] - once.energy_pj["sram"] == pytest.approx(7 * 80 * 32 * (write + read))


@pytest.mark.parametrize(("k", "size"), [(64, 16), (70, 16), (5, 5)])
def test_group_weights_carry_scales_and_zero_points(k: int, size: int):
    step = gemm("w4a8_mixpe", 1, 20, k)
    step.weight = groups_of("uint4", size)
    found = cost(step, "w4a8_mixpe", Machine())
    assert found.words["dram_weight_bits"] == 20 * (4 * k + math.ceil(k / size) * (16 + 4))


def test_only_what_exceeds_its_buffer_crosses_to_dram():
    machine = Machine(activation_kib=1, weight_kib=1, output_kib=1)
    fits = cost(gemm("fp16", 8, 8, 64), "fp16", machine).words  # 8 x 64 x 16 bits = 1 KiB
    assert (fits["dram_activation_bits"], fits["dram_weight_bits"], fits["dram_output_bits"]) == (0, KIB, 0)
    more = cost(gemm("fp16", 9, 64, 64), "fp16", machine).words
    assert more["dram_activation_bits"] == 9 * 64 * 16
    assert more["dram_output_bits"] == 9 * 64 * 16
    keys = cost(gemm("fp16", 8, 8, 64, attention=True), "fp16", machine).words
    assert keys["dram_weight_bits"] == 0  # keys are results of an earlier step and fit
    assert cost(gemm("fp16", 8, 9, 64, attention=True), "fp16", machine).words["dram_weight_bits"] == 9 * 64 * 16


@pytest.mark.parametrize("technology", table_names())
@given(m=sizes, n=sizes, k=st.integers(32, 300), wide=st.booleans())
def test_wider_formats_never_take_less_memory_energy(technology: str, m: int, n: int, k: int, wide: bool):
    machine = Machine(technology=technology, dataflow=dataflow_names()[wide])
    step = gemm("fp32", m, n, k)

    def memory(name: str, datapath_name: str) -> float:
        step.activation = step.weight = plain(name)
        datapath = get_datapath(datapath_name)
        found = step_cost(step, datapath, machine, accumulator_bits(datapath, [step]))
        return found.energy_pj["sram"] + found.energy_pj["dram"]

    narrow = memory("int8", "w8a8_int8"), memory("e4m3", "fp8_e4m3_fp32")
    assert narrow[0] == narrow[1] < memory("fp16", "fp16") == memory("bf16", "bf16") < memory("fp32", "fp32")


def vector_step(name: str, elements: int) -> Step:
    return Step(label="step", operator=operators()[name], elements=elements)


@pytest.mark.parametrize("name", ["relu", "softmax", "rms_norm", "gelu", "add"])
@given(elements=st.integers(1, 10**6), columns=st.integers(1, 64), lanes=st.integers(1, 8))
def test_vector_steps(name: str, elements: int, columns: int, lanes: int):
    work = operators()[name].work
    machine = Machine(columns=columns, lanes_per_column=lanes)
    found = cost(vector_step(name, elements), "w8a8_int8", machine)
    assert found.cycles == math.ceil(elements * work.passes / (columns * lanes))
    assert 0 < found.utilization <= 1
    energy = elements * (work.adds * FP32_ADD_PJ + work.multiplies * FP32_MULTIPLY_PJ)
    assert found.energy_pj["vector"] == pytest.approx(energy)
    assert sum(found.energy_pj.values()) == found.energy_pj["vector"]


PIPELINED = VectorOverlap.PIPELINED


@given(m=sizes, n=sizes, k=sizes, columns=st.integers(1, 64), lanes=st.integers(1, 8))
def test_quantizing_activations_takes_the_vector_unit(m: int, n: int, k: int, columns: int, lanes: int):
    port = Machine(columns=columns, lanes_per_column=lanes)
    machine = replace(port, quantizers=Quantizers.VECTOR_UNIT)
    found = cost(gemm("w8a8_int8", m, n, k), "w8a8_int8", machine)
    at_port = cost(gemm("w8a8_int8", m, n, k), "w8a8_int8", port)
    assert (at_port.vector_cycles, at_port.cycles) == (0, found.array_cycles)
    assert found.vector_cycles == math.ceil(m * k / (columns * lanes))
    assert found.cycles == found.array_cycles + found.vector_cycles
    assert cost(gemm("fp16", m, n, k), "fp16", machine).vector_cycles == 0
    assert found.utilization == pytest.approx(m * n * k / (found.cycles * 32 * columns))


@pytest.mark.parametrize("name", ["softmax", "gelu"])
@pytest.mark.parametrize("dataflow", dataflow_names())
@given(m=sizes, n=sizes, elements=st.integers(1, 10**5))
def test_vector_steps_run_beside_the_array(name: str, dataflow: str, m: int, n: int, elements: int):
    """Never less than the slower of both, never more than one after the other; every step hides only once."""
    steps = [gemm("fp16", m, n, 64), vector_step(name, elements), vector_step("relu", elements), gemm("fp16", m, n, 64)]
    record, machine = get_datapath("fp16"), Machine(rows=8, columns=8, dataflow=dataflow)
    apart = step_costs(steps, record, machine, 32)
    beside = step_costs(steps, record, replace(machine, vector_overlap=PIPELINED), 32)
    assert [c.cycles for c in apart] == [c.array_cycles + c.vector_cycles for c in apart]
    for one, other in zip(apart, beside, strict=True):
        assert (one.array_cycles, one.vector_cycles) == (other.array_cycles, other.vector_cycles)
        assert one.energy_pj == other.energy_pj
        assert other.cycles <= one.cycles
    array, vector = beside[0].array_cycles, beside[1].vector_cycles + beside[2].vector_cycles
    assert max(array, vector) <= sum(c.cycles for c in beside[:3]) <= array + vector
    assert beside[3].cycles == array


def test_the_name_of_the_conventions_says_what_departs():
    machine = Machine(overlap=Overlap.ONCE)
    assert machine.overlap_name == "once"
    other = replace(machine, vector_overlap=PIPELINED, quantizers=Quantizers.VECTOR_UNIT)
    assert other.overlap_name == "once, vector unit pipelined, quantization on the vector unit"


def test_rows_of_a_softmax_come_later_than_single_results():
    """64 x 64 scores on 8 x 8 PEs: 64 tiles, 8 times whole rows; weight-stationary whole rows come at the end."""
    elements = 64 * 64
    found = {}
    for dataflow in ("output_stationary", "weight_stationary"):
        machine = Machine(rows=8, columns=8, dataflow=dataflow, vector_overlap=PIPELINED)
        for name in ("softmax", "relu"):
            steps = [gemm("fp16", 64, 64, 64), vector_step(name, elements)]
            found[dataflow, name] = step_costs(steps, get_datapath("fp16"), machine, 32)[1].cycles
    own = elements // 32
    assert found["output_stationary", "relu"] == own // 64
    assert found["output_stationary", "softmax"] == 3 * own // 8
    assert found["weight_stationary", "relu"] == own // 8  # one part for each of 8 folds of columns
    assert found["weight_stationary", "softmax"] == 3 * own


def widths(datapath: Datapath, *steps: Step) -> int:
    return accumulator_bits(datapath, [vector_step("relu", 3), *steps])


def test_accumulators_are_as_wide_as_the_widest_sum():
    """128 products of uint4 x int8 and their zero point: 20 bits; 128 products of int8 x int8: 2^21 needs 23."""
    layer = gemm("w4a8_mixpe", 4, 4, 256)
    layer.weight = groups_of("uint4", 128)
    keys = gemm("w4a8_mixpe", 4, 4, 128, attention=True)
    assert widths(get_datapath("w4a8_mixpe"), layer) == 20
    assert widths(get_datapath("w4a8_mixpe"), layer, keys) == 23
    assert widths(get_datapath("w4a8_mixpe", accumulator_bits=18), layer, keys) == 18
    assert widths(get_datapath("w8a8_int8"), gemm("w8a8_int8", 4, 4, 256)) == 32
    assert widths(get_datapath("fp16"), gemm("fp16", 4, 4, 256)) == 32


def test_area_is_that_of_the_pes_and_what_they_share():
    step = gemm("w8a8_int8", 4, 4, 64)
    datapath, bits = get_datapath("w8a8_int8"), 32
    one = get_pe("int8_mac").area_um2(TABLE, bits)
    for rows, columns in ((4, 8), (16, 16)):
        machine = Machine(rows=rows, columns=columns)
        assert area_um2(datapath, machine, [step], bits) == pytest.approx(rows * columns * one)
    grouped = gemm("w4a8_mixpe", 4, 4, 64)
    pes = 32 * 32 * get_pe("mixpe_w4a8").area_um2(TABLE, 20)
    assert area_um2(get_datapath("w4a8_mixpe"), Machine(), [grouped], 20) > pes


def test_a_machine_has_the_table_of_its_technology():
    found = Machine(technology="jouppi_7nm").table
    assert isinstance(found, CostTable)
    assert found.node_nm == 7
