"""Whole runs of both shipped networks, small: rows that add up, and settings that are refused before anything runs."""

from __future__ import annotations

import math

import pytest
import torch

import simhw
from simhw.catalog import get_network
from simhw.errors import InputError
from simhw.experiment import Experiment, default_models, run_experiment
from simhw.gemm.datapaths import DEFAULT_DATAPATHS
from simhw.rows import ENERGY_PARTS, Row, from_json, to_json

SHIPPED = ("fashion_resnet", "tiny_llama")


@pytest.fixture(scope="module")
def all_rows() -> list[Row]:
    return simhw.run(samples=2)


@pytest.fixture(scope="module", params=SHIPPED)
def rows(request: pytest.FixtureRequest, all_rows: list[Row]) -> dict[str, Row]:
    return {row.datapath: row for row in all_rows if row.model == request.param}


def test_default_is_both_networks_on_twelve_datapaths(all_rows: list[Row]):
    assert default_models() == SHIPPED
    assert [(row.model, row.datapath) for row in all_rows] == [(m, d) for m in SHIPPED for d in DEFAULT_DATAPATHS]


def test_totals_are_sums_over_layers(rows: dict[str, Row]):
    for row in rows.values():
        assert row.cycles == sum(layer.cycles for layer in row.layers)
        assert row.overflows == sum(layer.overflows for layer in row.layers) == 0
        for part in ENERGY_PARTS:
            assert row.energy_pj[part] == pytest.approx(sum(layer.energy_pj[part] for layer in row.layers), rel=1e-12)
        assert row.energy_total_pj == pytest.approx(sum(row.energy_pj.values()), rel=1e-12)


def test_layers_are_the_same_steps_in_every_row(rows: dict[str, Row]):
    names = [layer.name for layer in rows["fp32"].layers]
    assert len(set(names)) == len(names)
    for row in rows.values():
        assert [(x.name, x.m, x.n, x.k, x.batch) for x in row.layers] == [
            (x.name, x.m, x.n, x.k, x.batch) for x in rows["fp32"].layers
        ]
        for layer in row.layers:
            assert (layer.kernel != "") == (layer.k > 0)
            assert layer.max_error_index[0] in (0, 1)
            assert layer.sqnr_db > -math.inf


def test_weights_and_products_are_those_of_the_module(rows: dict[str, Row]):
    """Linear layers and convolutions of the torch module, by name, with its own sizes."""
    row = rows["fp16"]
    layers = {layer.name: layer for layer in row.layers}
    for name, part in get_network(row.model).load().named_modules():
        if isinstance(part, torch.nn.Linear | torch.nn.Conv2d):
            weight = part.weight.detach().numpy()
            assert (layers[name].n, layers[name].k) == (weight.shape[0], weight[0].size)


def test_baseline_has_ratio_one(rows: dict[str, Row]):
    base = rows["fp16"]
    assert base.speedup == 1
    assert base.energy_ratio == pytest.approx(1, rel=1e-12)
    for row in rows.values():
        assert row.speedup == pytest.approx(base.cycles / row.cycles, rel=1e-12)
        assert row.energy_ratio == pytest.approx(base.energy_total_pj / row.energy_total_pj, rel=1e-12)


def test_metrics_are_those_of_the_float_network(rows: dict[str, Row]):
    network = get_network(rows["fp32"].model)
    dataset = network.dataset(2, None)
    with torch.no_grad():
        logits = network.load()(torch.from_numpy(dataset.inputs)).numpy()
    expected = network.metric.evaluate(logits, dataset)[network.metric.name]
    for row in rows.values():
        assert (row.metric_name, row.metric_higher_is_better) == (network.metric.name, network.metric.higher_is_better)
        assert row.metric_float == pytest.approx(expected, rel=1e-5)  # float32 sums in another order
        assert row.metrics[row.metric_name] == row.metric
        assert (row.samples, row.units, row.unit) == (2, dataset.units, dataset.unit)
    assert rows["fp32"].metric == pytest.approx(expected, rel=1e-4)


def test_more_bits_are_more_accurate_and_cost_more(rows: dict[str, Row]):
    order = ["fp32", "fp16", "bf16", "w8a8_int8", "mxfp8", "nvfp4", "mxfp4"]
    noise = [rows[name].sqnr_db for name in order]
    assert noise == sorted(noise, reverse=True)
    for wide, narrow in (("fp32", "fp16"), ("fp16", "w8a8_int8"), ("w8a8_int8", "w4a8_mixpe"), ("mxfp8", "mxfp4")):
        assert rows[wide].energy_total_pj > rows[narrow].energy_total_pj
    assert rows["fp32"].area_um2 > rows["fp16"].area_um2 > rows["w8a8_int8"].area_um2


def test_dequantizing_after_the_group_loses_no_more_than_before(rows: dict[str, Row]):
    """W4A8 dequantized first rounds weights to int8 a second time."""
    assert abs(rows["w4a8_mixpe"].sqnr_db - rows["w4a8_dequantize_first"].sqnr_db) < 3
    assert rows["w4a8_mixpe"].energy_pj["multiply"] < rows["w4a8_dequantize_first"].energy_pj["multiply"]


def test_rows_travel_as_json(all_rows: list[Row]):
    assert from_json(to_json(all_rows)) == all_rows


def one(datapath: str, model: str = "fashion_resnet", **settings: object) -> Row:
    (row,) = run_experiment(Experiment(model=model, datapaths=(datapath,), samples=1, **settings))  # type: ignore[arg-type]
    return row


def test_a_run_can_be_repeated():
    first, second = one("w4a8_mixpe"), one("w4a8_mixpe")
    same = {**first.to_dict(), "seconds": 0}
    assert same == {**second.to_dict(), "seconds": 0}


def test_machine_settings_reach_the_costs():
    small, large = one("w8a8_int8", rows=8, columns=16), one("w8a8_int8", rows=64, columns=64)
    assert small.cycles > large.cycles
    assert small.area_um2 * 32 == pytest.approx(large.area_um2)
    assert (small.rows, small.columns) == (8, 16)
    other = one("w8a8_int8", technology="jouppi_7nm", dataflow="weight_stationary", overlap="double_buffered")
    assert (other.technology, other.dataflow, other.overlap) == ("jouppi_7nm", "weight_stationary", "double_buffered")
    assert other.energy_pj["multiply"] < small.energy_pj["multiply"]


@pytest.mark.parametrize("scheme", ["w8a8_static_min_max", "w8a8_static_percentile", "w8a8_per_tensor"])
def test_schemes_can_be_chosen_apart(scheme: str):
    row = one("w8a8_int8", scheme=scheme)
    assert row.scheme == scheme
    assert 10 < row.sqnr_db < one("w8a8_int8").sqnr_db


def test_static_ranges_of_short_sequences():
    settings = {"model": "tiny_llama", "datapaths": ("w8a8_int8",), "scheme": "w8a8_static_min_max", "tokens": 9}
    (row,) = run_experiment(Experiment(**settings))  # type: ignore[arg-type]
    assert (row.units, row.samples) == (9, 1)
    assert row.sqnr_db > 10


def test_group_size_and_accumulator_width_go_where_they_belong():
    settings = {"model": "fashion_resnet", "group_size": 32, "accumulator_bits": 16}
    pairs = Experiment(datapaths=("fp16", "w8a8_int8", "w4a8_mixpe"), **settings).arithmetic()  # type: ignore[arg-type]
    assert [scheme.weight.group_size for _, scheme in pairs] == [None, None, 32]
    assert [datapath.accumulator.name for datapath, _ in pairs] == ["fp32 sequential"] + 2 * [
        "integer 16 bit, wrapping"
    ]
    narrow = one("w4a8_mixpe", group_size=32, accumulator_bits=13)
    assert narrow.accumulator_bits == 13
    assert narrow.overflows == sum(layer.overflows for layer in narrow.layers) > 0
    assert narrow.sqnr_db < one("w4a8_mixpe", group_size=32).sqnr_db
    assert one("w4a8_mixpe", accumulator_bits=40).sqnr_db == one("w4a8_mixpe").sqnr_db


def test_smaller_groups_are_more_accurate():
    noise = [one("w4a8_mixpe", group_size=size).sqnr_db for size in (144, 16, 1)]
    assert noise == sorted(noise)


def test_weight_stationary_chains_reach_the_rounding():
    """Rounding accumulators sum as many k in one chain as the array has rows."""
    narrow, wide = (one("fp32", dataflow="weight_stationary", rows=rows) for rows in (2, 1024))
    assert narrow.sqnr_db != wide.sqnr_db
    assert wide.sqnr_db == one("fp32").sqnr_db


def test_progress_ends_where_it_said():
    seen: list[tuple[str, int, int]] = []
    experiment = Experiment(model="fashion_resnet", datapaths=("fp16", "w8a8_int8"), samples=1)
    list(run_experiment(experiment, lambda *state: seen.append(state)))
    assert seen[0] == ("fashion_resnet on fp16", 0, seen[-1][2])
    assert seen[-1][1] == seen[-1][2]
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def never(*_: object) -> object:
    raise AssertionError("something ran")


REFUSED = [
    ({"model": "resnet"}, "model is 'resnet', which is not known; nearest: fashion_resnet"),
    ({"datapaths": ("w8a8",)}, "datapath is 'w8a8', which is not known; nearest: w8a8_int8"),
    ({"datapaths": ()}, "no datapath was given, at least 1 is needed; see 'simhw list datapaths'"),
    ({"scheme": "int8"}, "scheme is 'int8', which is not known; nearest: .*see 'simhw list schemes'"),
    ({"dataflow": "row_stationary"}, "dataflow is 'row_stationary', which is not known; nearest: "),
    (
        {"overlap": "none", "vector_overlap": "pipelined"},
        "with 'none' nothing happens at the same time; choose per_fold",
    ),
    ({"quantizers": "some"}, "quantizers is 'some', must be one of port, vector_unit; choose one"),
    ({"vector_overlap": "some"}, "vector overlap is 'some', must be one of none, pipelined; choose one"),
    ({"overlap": "some"}, "overlap is 'some', must be one of none, per_fold, double_buffered, once; choose one"),
    ({"technology": "7nm"}, "is '7nm', which is not known; nearest: "),
    ({"rows": 0}, "rows is 0, must be an integer of at least 1"),
    ({"columns": -4}, "columns is -4, must be an integer of at least 1"),
    ({"group_size": 0}, "group size is 0, must be at least 1; the default is 128"),
    ({"group_size": -1}, "group size is -1, must be at least 1"),
    ({"datapaths": ("fp16",), "group_size": 32}, "scheme fp16 has no weight groups; choose a scheme with group-wise"),
    ({"accumulator_bits": 11}, r"accumulator_bits is 11, must be 12\.\.64; one product of int8 x uint4 needs 12"),
    ({"accumulator_bits": 65}, r"accumulator_bits is 65, must be 12\.\.64"),
    ({"datapaths": ("w8a8_int8",), "accumulator_bits": 15}, r"must be 16\.\.64; one product of int8 x int8 needs 16"),
    (
        {"datapaths": ("fp16",), "accumulator_bits": 20},
        "accumulator_bits is 20, fp16_mac has one of 32; give 32 or leave",
    ),
    (
        {"datapaths": ("hopper_e4m3_fp32",), "accumulator_bits": 22},
        "accumulator of hopper_e4m3_fp32 is aligned .* no such width; leave it out",
    ),
    ({"scheme": "mxfp4"}, "scheme mxfp4 has blocks of 32, datapath w4a8_mixpe takes no blocks; choose another scheme"),
    ({"scheme": "fp16"}, "operand formats are fp16 and fp16, datapath w4a8_mixpe takes int8 and int8 or uint4"),
    ({"samples": 0}, r"samples is 0, must be 1\.\."),
    ({"samples": 10**9}, r"samples is 1000000000, must be 1\.\."),
    ({"tokens": 5}, "tokens is 5, but fashion_resnet classifies images; give samples instead"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_refused_before_anything_runs(settings: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("simhw.experiment.execute", never)
    defaults: dict[str, object] = {"model": "fashion_resnet", "datapaths": ("w4a8_mixpe",)}
    experiment = Experiment(**{**defaults, **settings})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        list(run_experiment(experiment))


def test_a_group_longer_than_every_sum(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("simhw.experiment.execute", never)
    with pytest.raises(InputError, match=r"group size is 577, must be 1\.\.576 \(the longest sum of fashion_resnet\)"):
        one("w4a8_mixpe", group_size=577)


def test_a_fixed_width_may_be_stated():
    """32 bits of a floating-point accumulator are those it has."""
    stated = one("fp8_e4m3_fp32", accumulator_bits=32)
    assert stated.sqnr_db == one("fp8_e4m3_fp32").sqnr_db
    assert stated.accumulator == "fp32 sequential"
