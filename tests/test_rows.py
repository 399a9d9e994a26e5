"""The row as data: what it derives, that JSON and CSV give back what went in, and what it refuses."""

import csv
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.rows import ENERGY_PARTS, LayerRow, Row, by_model, from_json, to_csv, to_json

ENERGY = {"multiply": 1.5, "accumulate": 2.0, "dequantize": 0.25, "vector": 0.0, "sram": 8.0, "dram": 64.0}


def layer(**changes):
    values = {
        "name": "layers.0.attention.query",
        "operator": "linear",
        "m": 64,
        "n": 128,
        "k": 256,
        "batch": 1,
        "sqnr_db": 31.5,
        "max_error": 0.125,
        "max_error_index": (0, 5, 17),
        "cycles": 4321,
        "utilization": 0.75,
        "words": {"sram_read_activations": 10, "dram_weights": 3},
        "energy_pj": ENERGY,
        "kernel": "exact_integer",
        "overflows": 2,
    }
    return LayerRow(**values | changes)


def row(**changes):
    values = {
        "model": "tiny_llama",
        "datapath": "w4a8_mixpe",
        "scheme": "uint4_group128_int8_token",
        "pe": "mixpe",
        "accumulator": "exact",
        "accumulator_bits": 32,
        "samples": 8,
        "unit": "token",
        "units": 1016,
        "rows": 32,
        "columns": 16,
        "dataflow": "output_stationary",
        "overlap": "none",
        "technology": "horowitz_45nm",
        "metric_name": "perplexity",
        "metric": 46.5,
        "metric_float": 45.25,
        "metric_higher_is_better": False,
        "metrics": {"perplexity": 46.5, "bits_per_byte": 1.7},
        "sqnr_db": 25.5,
        "cycles": 12_345_678,
        "speedup": 2.0,
        "energy_pj": ENERGY,
        "energy_ratio": 3.5,
        "area_um2": 250_000.0,
        "saturations": 0,
        "seconds": 1.5,
        "layers": (layer(), layer(name="head", sqnr_db=12.25, overflows=3)),
    }
    return Row(**values | changes)


def test_derived_figures():
    assert row().metric_change == 1.25
    assert row().energy_total_pj == 75.75
    assert row().overflows == 5
    assert (row().worst_layer, row().worst_layer_sqnr_db) == ("head", 12.25)


@pytest.mark.parametrize("layers", [(), (layer(sqnr_db=math.inf),)])
def test_without_any_error_no_layer_is_worst(layers):
    assert (row(layers=layers).worst_layer, row(layers=layers).worst_layer_sqnr_db) == (None, math.inf)


def test_a_layer_without_a_number_is_the_worst():
    layers = (layer(sqnr_db=-3.0), layer(name="broken", sqnr_db=math.nan), layer(sqnr_db=5.0))
    assert row(layers=layers).worst_layer == "broken"


ROW_NAMES = """
    model datapath scheme pe accumulator accumulator_bits samples unit units rows columns dataflow overlap
    technology dram dram_static_source clock_mhz metric_name metric metric_float metric_change
    metric_higher_is_better metrics sqnr_db
    worst_layer worst_layer_sqnr_db cycles speedup energy_pj energy_total_pj energy_ratio area_um2 overflows
    saturations seconds layers
"""
LAYER_NAMES = """
    name operator m n k batch sqnr_db max_error max_error_index cycles utilization words energy_pj kernel
    overflows
"""


def test_the_names_that_others_read():
    data = row().to_dict()
    assert list(data) == ROW_NAMES.split()
    assert list(data["layers"][0]) == LAYER_NAMES.split()
    assert list(data["energy_pj"]) == list(ENERGY_PARTS) == list(data["layers"][0]["energy_pj"])
    assert data["energy_total_pj"] == 75.75


def test_files_from_before_leakage_and_standby_are_read():
    """Six parts, and no word on DRAM and clock: what is missing is 0, or the value of that time."""
    now = row(energy_pj={**ENERGY, "leakage": 0.5, "static": 2.0}, dram="ddr4", dram_static_source="x", clock_mhz=250.0)
    data = now.to_dict()
    assert data["energy_total_pj"] == 75.75 + 2.5
    assert Row.from_dict(data) == now
    for name in ("dram", "dram_static_source", "clock_mhz", "energy_total_pj"):
        del data[name]
    for energy in (data["energy_pj"], *(each["energy_pj"] for each in data["layers"])):
        del energy["leakage"], energy["static"]
    old = Row.from_dict(data)
    assert old == row()
    assert (old.energy_total_pj, old.energy_pj["leakage"], old.energy_pj["static"]) == (75.75, 0, 0)
    with pytest.raises(InputError, match="clock_mhz is 'fast', must be a number"):
        row(clock_mhz="fast")


def no_constant(token):
    raise AssertionError(f"{token} is not JSON")


def test_json_is_strict_and_gives_back_the_rows():
    rows = [
        row(),
        row(
            sqnr_db=math.inf,
            speedup=None,
            energy_ratio=None,
            accumulator_bits=None,
            layers=[layer(sqnr_db=math.inf)],
        ),
        row(metric=math.inf, sqnr_db=-math.inf),
    ]
    data = json.loads(to_json(rows), parse_constant=no_constant)
    assert data[1]["sqnr_db"] is None
    assert data[1]["layers"][0]["sqnr_db"] is None
    assert (data[2]["metric"], data[2]["metric_change"], data[2]["sqnr_db"]) == (None, None, "-inf")
    assert from_json(to_json(rows)) == rows


def test_nan_travels_as_text():
    text = to_json([row(metric=math.nan, layers=[layer(sqnr_db=math.nan)])])
    data = json.loads(text, parse_constant=no_constant)
    assert (data[0]["metric"], data[0]["metric_change"], data[0]["worst_layer_sqnr_db"]) == (
        "nan",
        "nan",
        "nan",
    )
    (back,) = from_json(text)
    assert math.isnan(back.metric)
    assert math.isnan(back.layers[0].sqnr_db)


numbers = st.floats(allow_nan=False)
# A lone carriage return would need quotes in CSV that Python's writer only gives for its own line ending.
names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)
energies = st.fixed_dictionaries({part: st.floats(0, 1e300) for part in ENERGY_PARTS})
counts = st.integers(0, 10**18)
layers = st.builds(
    layer,
    name=names,
    m=counts,
    sqnr_db=numbers,
    max_error=numbers,
    max_error_index=st.lists(counts, max_size=3),
    words=st.dictionaries(names, counts, max_size=3),
    energy_pj=energies,
)
any_row = st.builds(
    row,
    model=names,
    accumulator_bits=st.none() | counts,
    metric=st.floats(-1e300, 1e300) | st.just(math.inf),
    metric_float=st.floats(-1e300, 1e300),
    metrics=st.dictionaries(names, numbers, max_size=3),
    sqnr_db=numbers,
    speedup=st.none() | st.floats(1e-9, 1e300),
    energy_pj=energies,
    layers=st.lists(layers, max_size=3),
)


@given(st.lists(any_row, max_size=3))
def test_json_round_trip(rows):
    text = to_json(rows)
    json.loads(text, parse_constant=no_constant)
    assert from_json(text) == rows


def test_the_empty_list():
    assert from_json(to_json([])) == []
    assert len(to_csv([]).splitlines()) == 1


def test_plain_types_inside():
    made = row(
        cycles=np.int64(7),
        metric=np.float32(0.5),
        metric_higher_is_better=np.bool_(True),
        layers=[layer(max_error_index=[np.int64(3)])],
    )
    assert type(made.cycles) is int
    assert type(made.metric) is float
    assert made.metric_higher_is_better is True
    assert type(made.layers) is tuple
    assert made.layers[0].max_error_index == (3,)
    assert from_json(to_json([made])) == [made]


def test_a_row_does_not_share_its_mappings():
    given_energy = dict(ENERGY)
    made = row(energy_pj=given_energy)
    given_energy["sram"] = 0.0
    assert made.energy_pj["sram"] == 8.0


def test_json_objects_have_no_order():
    data = row().to_dict()
    data["energy_pj"] = dict(reversed(data["energy_pj"].items()))
    assert Row.from_dict(data) == row()


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_is_flat():
    lines = read_csv(
        to_csv(
            [
                row(model='a "quoted", name'),
                row(
                    metric_name="top1",
                    metric_higher_is_better=True,
                    metrics={"top1": 0.5},
                    sqnr_db=math.inf,
                    speedup=None,
                ),
            ]
        )
    )
    assert lines[0]["model"] == 'a "quoted", name'
    assert [float(lines[0][f"energy_{part}_pj"]) for part in ENERGY_PARTS] == [*ENERGY.values(), 0, 0]
    assert float(lines[0]["energy_total_pj"]) == 75.75
    assert lines[0]["cycles"] == "12345678"
    assert (lines[0]["metrics_bits_per_byte"], lines[1]["metrics_bits_per_byte"]) == ("1.7", "")
    assert (lines[0]["metrics_top1"], lines[1]["metrics_top1"]) == ("", "0.5")
    assert (lines[0]["metric_higher_is_better"], lines[1]["metric_higher_is_better"]) == ("false", "true")
    assert (lines[0]["sqnr_db"], lines[1]["sqnr_db"], lines[1]["speedup"]) == ("25.5", "inf", "")
    assert "layers" not in lines[0]
    assert not any("{" in cell or "[" in cell for line in lines for cell in line.values())


@given(st.lists(any_row, min_size=1, max_size=3))
def test_csv_floats_are_exact(rows):
    for made, line in zip(rows, read_csv(to_csv(rows)), strict=True):
        assert float(line["metric"]) == made.metric
        assert float(line["energy_total_pj"]) == made.energy_total_pj
        assert float(line["energy_dram_pj"]) == made.energy_pj["dram"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cycles": -1}, r"Row\.cycles is -1, must be a whole number >= 0"),
        ({"cycles": 1.5}, r"Row\.cycles is 1\.5, must be a whole number"),
        ({"cycles": True}, r"Row\.cycles is True, must be a whole number"),
        ({"metric": "good"}, r"Row\.metric is 'good', must be a number"),
        ({"metric": None}, r"Row\.metric is None, must be a number"),
        ({"metric_higher_is_better": 1}, r"metric_higher_is_better is 1, must be true or false"),
        ({"model": 3}, r"Row\.model is 3, must be a text"),
        ({"metrics": [1.0]}, r"Row\.metrics is \[1\.0\], must be a mapping"),
        ({"metrics": {"top1": "x"}}, r"Row\.metrics is .*, must be a number"),
        ({"speedup": math.inf}, r"Row\.speedup is inf, must be a finite number, or None"),
        ({"accumulator_bits": 31.0}, r"accumulator_bits is 31\.0, must be a whole number"),
        ({"layers": "all"}, r"Row\.layers is 'all', must be a list"),
        ({"layers": [{}]}, r"Row\.layers is .*, must be a LayerRow"),
        ({"layers": 5}, r"Row\.layers is 5, must be a list"),
        ({"energy_pj": {"multiply": 1.0}}, r"energy_pj is .*for each of multiply, accumulate, dequantize"),
        ({"energy_pj": ENERGY | {"leak": 1.0}}, r"energy_pj is .*for each of"),
        ({"energy_pj": ENERGY | {"sram": -1.0}}, r"energy_pj is .*finite number >= 0"),
        ({"energy_pj": ENERGY | {"sram": math.nan}}, r"energy_pj is .*finite number >= 0"),
    ],
)
def test_refused_values(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        row(**changes)


def test_refused_values_in_a_layer():
    with pytest.raises(InputError, match=r"LayerRow\.max_error_index is \(1\.5,\), must be a whole number"):
        layer(max_error_index=(1.5,))
    with pytest.raises(InputError, match=r"energy_pj is \{\}, must give"):
        layer(energy_pj={})


def without(key):
    return {name: value for name, value in row().to_dict().items() if name != key}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (without("cycles"), r"Row has no 'cycles'; its fields are: model, datapath"),
        (row().to_dict() | {"cycels": 1}, r"Row knows no 'cycels'; its fields are: model"),
        (
            row().to_dict() | {"energy_total_pj": 75.0},
            r"energy_total_pj is 75\.0, but the row's own fields give 75\.75",
        ),
        (row().to_dict() | {"worst_layer": "x"}, r"worst_layer is 'x', but the row's own fields give 'head'"),
        (row().to_dict() | {"overflows": None}, r"overflows is None, but the row's own fields give 5"),
        (row().to_dict() | {"cycles": None}, r"Row\.cycles is None, must be a whole number"),
        (row().to_dict() | {"layers": [{"name": "x"}]}, r"LayerRow has no 'operator'"),
        (row().to_dict() | {"layers": [1]}, r"Row\.layers is \(1,\), must be a LayerRow"),
    ],
)
def test_refused_json_data(data, sentence):
    with pytest.raises(InputError, match=sentence):
        Row.from_dict(data)


def test_derived_figures_may_be_left_out():
    assert Row.from_dict(without("energy_total_pj")) == row()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[{", r"result file is not JSON \(.*line 1.*\); give a file that 'simhw run --json' wrote"),
        ('[{"metric": NaN}]', r"not JSON \(it holds NaN\)"),
        ("{}", "holds no list of rows"),
        ("[1]", "holds no list of rows"),
    ],
)
def test_refused_files(text, sentence):
    with pytest.raises(InputError, match=sentence):
        from_json(text)


def test_rows_are_frozen():
    with pytest.raises(AttributeError):
        row().cycles = 1


def test_rows_by_network_keep_their_order():
    rows = [row(model=model, datapath=datapath) for model, datapath in [("b", "2"), ("a", "1"), ("b", "1")]]
    groups = by_model(rows)
    assert list(groups) == ["b", "a"]
    assert groups["b"] == [rows[0], rows[2]]
