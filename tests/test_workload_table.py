"""Costs of whole inferences: sums, phases, memoised layers, precision of keys and values, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw import CostSettings, load_shape, workload_cost
from simhw.arrays import Gemm, VectorOverlap
from simhw.cost_table import ENERGY_PARTS, cost_rows
from simhw.errors import InputError
from simhw.layer_files import NamedLayer
from simhw.workload_table import SUMS
from simhw.workloads import Inference, Phase, shape_of_file

LLAMA = load_shape("llama2_7b")
TINY = """
kind = "transformer"
description = "tiny"
source = "made for this test"
layers = 3
width = 32
heads = 4
kv_heads = 2
head_width = 8
hidden = 48
activation = "silu"
gated = true
norm = "rms_norm"
bias = false
rotary = true
decoder = true
vocabulary = 64
"""


@pytest.fixture
def tiny(tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(TINY)
    return shape_of_file(str(file))


def by_name(rows):
    return {row["name"]: row for row in rows}


def test_rows_are_layers_times_their_count():
    machine = CostSettings(bandwidth=32, vector_lanes=128)
    rows = by_name(workload_cost(LLAMA, machine, tokens=100))
    (alone,) = cost_rows([NamedLayer(name="x", layer=Gemm(m=100, n=11008, k=4096))], machine)
    row = rows["gate_up"]
    assert row["count"] == 64
    for name in ("compute_cycles", "stall_cycles", "total_cycles", "dram_reads", "sram_writes"):
        assert row[name] == 64 * alone[name]
    assert row["energy_total_pj"] == pytest.approx(64 * alone["energy_total_pj"])
    assert row["utilization"] == row["macs"] / (row["total_cycles"] * 1024)


@pytest.mark.parametrize(
    "pe", ["int8_mac", "mixpe_w4a8", "w4a8_dequantize_first", "mxfp4_dot", "fp16_mac", "bitfusion"]
)
@pytest.mark.parametrize("phase", [{"tokens": 20}, {"phase": "decode", "context": 33}])
def test_the_last_row_is_the_sum(tiny, pe, phase):
    *rows, total = workload_cost(tiny, CostSettings(pe=pe, rows=8, columns=8), batch=2, **phase)
    assert total["name"] == "total"
    for name in SUMS:
        assert total[name] == pytest.approx(sum(row[name] for row in rows), rel=1e-12), name
    parts = sum(total[f"energy_{part}_pj"] for part in ENERGY_PARTS)
    assert parts == pytest.approx(total["energy_total_pj"], rel=1e-12)
    assert all(list(row) == list(total) for row in rows)
    inference = Inference(**{**phase, "phase": Phase(phase.get("phase", "prefill"))}, batch=2)
    assert total["macs"] == tiny.macs(inference)


@settings(max_examples=15, deadline=None)
@given(tokens=st.integers(1, 30), generate=st.integers(1, 6), batch=st.integers(1, 3))
def test_an_inference_is_its_prefill_and_every_step_behind_it(tmp_path_factory, tokens, generate, batch):
    file = tmp_path_factory.mktemp("shapes") / "tiny.toml"
    file.write_text(TINY)
    shape, machine = shape_of_file(str(file)), CostSettings(rows=4, columns=4)
    whole = workload_cost(shape, machine, phase="inference", tokens=tokens, generate=generate, batch=batch)[-1]
    parts = [workload_cost(shape, machine, tokens=tokens, batch=batch)[-1]]
    parts += [
        workload_cost(shape, machine, phase="decode", context=tokens + step, batch=batch)[-1]
        for step in range(generate)
    ]
    for name in SUMS:
        assert whole[name] == pytest.approx(sum(part[name] for part in parts), rel=1e-12), name
    assert whole["kv_cache_bits"] == 2 * 3 * 2 * 8 * 8 * batch * (tokens + generate)


def test_keys_and_values_have_a_precision_of_their_own():
    rows = {
        bits: by_name(workload_cost(LLAMA, CostSettings(pe="bitfusion"), phase="decode", context=500, kv_bits=bits))
        for bits in (4, 8)
    }
    for name in ("scores", "values"):
        assert rows[4][name]["weight_bits"] == 4
        assert rows[4][name]["dram_weight_bits"] * 2 == rows[8][name]["dram_weight_bits"] == 32 * 32 * 501 * 128 * 8
        assert rows[4][name]["compute_cycles"] < rows[8][name]["compute_cycles"]
    assert rows[4]["key_value"]["output_bits"] == 4
    assert rows[4]["query"]["output_bits"] == 8
    assert rows[4]["total"]["kv_cache_bits"] * 2 == rows[8]["total"]["kv_cache_bits"]


def test_attention_has_no_weights_to_dequantize():
    machine = CostSettings(pe="w4a8_dequantize_first", group_size=128, scale_bits=16, zero_point_bits=4)
    rows = by_name(workload_cost(LLAMA, machine, tokens=64))
    assert rows["query"]["weight_bits"] == 4
    assert rows["query"]["dequantization"] == "before_multiply"
    assert (rows["scores"]["weight_bits"], rows["scores"]["dequantization"]) == (8, "after_accumulation")
    assert rows["scores"]["dram_scale_bits"] == 0 < rows["query"]["dram_scale_bits"]


def test_a_vector_unit_beside_the_array_hides_work():
    none, pipelined = (
        workload_cost(LLAMA, CostSettings(vector_lanes=16, vector_overlap=overlap), tokens=128)[-1]
        for overlap in VectorOverlap
    )
    assert pipelined["total_cycles"] < none["total_cycles"]
    assert pipelined["compute_cycles"] == none["compute_cycles"]
    assert pipelined["energy_total_pj"] == none["energy_total_pj"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"phase": "train"}, "phase is 'train', must be one of prefill, decode, inference"),
        ({"phase": "inference", "tokens": 4}, "an inference has tokens of input and tokens to generate"),
        ({"tokens": 4, "generate": 3}, "generate is 3 in the phase prefill"),
        ({"phase": "decode", "context": 3, "generate": -1}, "generate is -1, must be at least 0"),
        ({"phase": "decode", "tokens": 3}, "tokens is 3 in the phase decode"),
        ({"tokens": 4, "kv_bits": 3}, "int8_mac executes"),
        ({"tokens": 4, "batch": 2**50}, "2\\*\\*63"),
    ],
)
def test_inferences_that_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        workload_cost(LLAMA, CostSettings(), **arguments)
    with pytest.raises(InputError, match="kv_bits is 8, mxfp4_dot takes blocks of 4 bits"):
        workload_cost(LLAMA, CostSettings(pe="mxfp4_dot"), tokens=4, kv_bits=8)
