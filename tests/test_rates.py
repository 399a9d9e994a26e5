"""Cost of PEs that are faster or slower than one product per cycle: fused, serial, and serial by the data."""

import math

import numpy as np
import pytest

from simhw.arrays import Gemm, schedule
from simhw.catalog import get_network
from simhw.costs import load_table
from simhw.errors import InputError
from simhw.execution import Step
from simhw.experiment import run
from simhw.formats import get_element_format
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.operand import Storage
from simhw.graph.ops import operators
from simhw.layer_cost import accumulator_bits, step_cost
from simhw.machine import Machine
from simhw.pes import get_pe

TABLE = load_table("horowitz_45nm")
STORED = {"int8_shifted": 8}
"""Bits in memory, where the format of the operand has more."""
M, N, K = 100, 70, 130


def step(datapath, **changes):
    a, w = (
        Storage(format=name, bits=STORED.get(name, get_element_format(name).bits), row_scale_bits=32)
        for name in (datapath.activation, datapath.weight)
    )
    return Step(
        label="layer",
        operator=operators()["linear"],
        m=M,
        n=N,
        k=K,
        batch=1,
        elements=M * K,
        activation=a,
        weight=w,
        **changes,
    )


def cost(name, **changes):
    datapath = get_datapath(name)
    one = step(datapath, **changes)
    bits = accumulator_bits(datapath, [one])
    return step_cost(one, datapath, Machine(), bits), get_pe(datapath.pe), bits


@pytest.mark.parametrize(
    ("name", "lanes", "passes", "reads"),
    [
        ("bitfusion_w8a8", 1, 1, 1),
        ("bitfusion_w4a8", 2, 1, 1),
        ("bitfusion_w4a4", 4, 1, 1),
        ("bit_serial_w8a8", 16, 8, 1),
        ("bit_serial_w8a4", 16, 4, 1),
        ("lut_w2a8", 2, 1, 1),
        ("tender_w8a8", 1, 4, 4),
    ],
)
def test_cycles_and_energy_follow_the_rate(name, lanes, passes, reads):
    found, pe, bits = cost(name)
    folds = math.ceil(M / 32) * math.ceil(N / 32)
    assert found.cycles == folds * (math.ceil(K / lanes) * passes + 32 + 32 - 2)
    cycles = M * N * K * passes / lanes
    assert found.energy_pj["multiply"] == pytest.approx(cycles * pe.multiply_energy_pj(TABLE))
    assert found.energy_pj["accumulate"] == pytest.approx(cycles * pe.accumulate_energy_pj(TABLE, bits))
    assert found.words["sram_activation_reads"] == M * K * math.ceil(N / 32) * reads
    assert found.words["sram_weight_reads"] == N * K * math.ceil(M / 32)


def test_without_the_weights_their_worst_case_is_charged():
    found, _, _ = cost("booth_serial_w8a8")
    plan = schedule(Gemm(m=M, n=N, k=K), dataflow="output_stationary", rows=32, columns=32, passes=4)
    assert found.cycles == plan.cycles


def test_cycles_and_energy_follow_the_weights():
    cycles = np.random.default_rng(0).integers(1, 4, (1, N, K)).astype(np.uint8)
    found, pe, bits = cost("booth_serial_w8a8", weight_cycles=cycles)
    streams = [int(cycles[0, left : left + 32].max(axis=0).sum()) for left in range(0, N, 32)]
    assert found.cycles == math.ceil(M / 32) * sum(stream + 62 for stream in streams)
    work = M * int(cycles.sum())
    assert found.energy_pj["multiply"] == pytest.approx(work * pe.multiply_energy_pj(TABLE))
    assert found.energy_pj["accumulate"] == pytest.approx(work * pe.accumulate_energy_pj(TABLE, bits))
    assert found.utilization == pytest.approx(work / (found.cycles * 1024))


def booth_terms(value):
    """Radix-4 Booth digits that are not zero: digit i is, where bits 2i-1..2i+1 are all equal."""
    bits = [value >> place & 1 for place in range(8)]
    below = [0, *bits]
    return sum(not below[2 * i] == below[2 * i + 1] == below[2 * i + 2] for i in range(4))


def test_a_network_is_charged_for_its_own_weights():
    (row,) = run(models=["fashion_resnet"], datapaths=["booth_serial_w8a8"], samples=1, rows=4, columns=4)
    layer = next(layer for layer in row.layers if layer.name == "classifier")
    weights = get_network("fashion_resnet").load().classifier.weight.detach().numpy()
    scale = np.abs(weights).max(axis=1, keepdims=True) / np.float32(127)
    codes = np.clip(np.rint(weights / scale), -127, 127).astype(int)
    terms = np.array([[max(booth_terms(int(code)), 1) for code in line] for line in codes])
    expected = sum(int(terms[left : left + 4].max(axis=0).sum()) + 6 for left in range(0, 10, 4))
    assert (layer.m, layer.n, layer.k) == (1, 10, 64)
    assert layer.cycles == expected


def test_a_pe_without_the_widths_of_a_step_is_refused():
    datapath = get_datapath("w4a4_int4")
    wide = step(get_datapath("w8a8_int8"))
    with pytest.raises(InputError, match="operands have 8 x 8 bits, int4_mac executes 4 x 4"):
        step_cost(wide, datapath, Machine(), 20)
