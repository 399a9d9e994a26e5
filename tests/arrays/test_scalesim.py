"""Every column of every row recorded from scalesim 3.0.0, and what the tool gets wrong."""

import csv
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.arrays import Gemm, schedule
from simhw.arrays.convolution import Convolution
from simhw.arrays.scalesim import ScalesimLayer, scalesim_compute, scalesim_memory
from simhw.errors import InputError
from simhw.layer_plan import ArraySettings, plan_layer
from simhw.memory import Dram, Memory, Precision, Sram

DATAFLOWS = {"os": "output_stationary", "ws": "weight_stationary", "is": "input_stationary"}
BUFFERS = {"ifmap_kb": 64, "filter_kb": 64, "ofmap_kb": 64}


@pytest.fixture(scope="module")
def recorded(golden):
    with (golden / "scalesim.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _layer(row):
    names = ("ifmap_h", "ifmap_w", "filt_h", "filt_w", "channels", "num_filters", "stride_h", "stride_w")
    return ScalesimLayer(
        **{field: int(row[name]) for field, name in zip(ScalesimLayer.__dataclass_fields__, names, strict=True)}
    )


def _differences(row, found):
    for name, value in asdict(found).items():
        text = f"{value:.6f}" if isinstance(value, float) else str(value)
        if text != row[name]:
            yield name, text, row[name]


def test_every_column_that_needs_no_memory(recorded):
    rows = [row for row in recorded if row["status"] == "ok"]
    assert len(rows) > 300
    assert {row["bw_mode"] for row in rows} == {"CALC", "USER"}
    for row in rows:
        array = {"rows": int(row["array_rows"]), "columns": int(row["array_cols"])}
        found = scalesim_compute(_layer(row), dataflow=DATAFLOWS[row["dataflow"]], **array)
        assert not list(_differences(row, found)), row


def test_every_column_of_memory(recorded):
    rows = [row for row in recorded if row["status"] == "ok" and row["bw_mode"] == "CALC"]
    assert len(rows) > 250
    for row in rows:
        found = scalesim_memory(
            _layer(row),
            dataflow=DATAFLOWS[row["dataflow"]],
            rows=int(row["array_rows"]),
            columns=int(row["array_cols"]),
            ifmap_kb=int(row["ifmap_sram_kB"]),
            filter_kb=int(row["filter_sram_kB"]),
            ofmap_kb=int(row["ofmap_sram_kB"]),
        )
        assert not list(_differences(row, found)), row


def test_the_recorded_columns_are_all_covered(recorded):
    gemm = Gemm(m=9, n=9, k=9)
    fields = {*asdict(_compute(gemm)), *asdict(_memory(gemm))}
    outputs = list(recorded[0])[list(recorded[0]).index("compute_cycles") :]
    assert fields == set(outputs) - {"status"}


def _compute(gemm, dataflow="output_stationary"):
    return scalesim_compute(ScalesimLayer.of_gemm(gemm), dataflow=dataflow, rows=8, columns=8)


def _memory(gemm, dataflow="output_stationary", **buffers):
    layer = ScalesimLayer.of_gemm(gemm)
    return scalesim_memory(layer, dataflow=dataflow, rows=8, columns=8, **{**BUFFERS, **buffers})


# Deviations: each names what the tool does and what simhw does instead (docs/scalesim.md has the list).


@given(
    m=st.integers(1, 60), n=st.integers(1, 60), k=st.integers(1, 60), dataflow=st.sampled_from(list(DATAFLOWS.values()))
)
def test_the_total_is_one_cycle_short(m, n, k, dataflow):
    gemm = Gemm(m=m, n=n, k=k)
    true = schedule(gemm, dataflow=dataflow, rows=8, columns=8).cycles
    assert _compute(gemm, dataflow).compute_cycles == true
    assert _memory(gemm, dataflow).total_cycles == true - 1


def test_utilization_can_exceed_one_there_and_not_here():
    gemm = Gemm(m=8, n=1, k=1)
    layer = ScalesimLayer.of_gemm(gemm)
    found = scalesim_memory(layer, dataflow="output_stationary", rows=1, columns=1, **BUFFERS)
    assert found.overall_util_pct == pytest.approx(100 * 8 / 7)
    assert schedule(gemm, dataflow="output_stationary", rows=1, columns=1).utilization == 1


def test_one_cycle_on_one_pe_crashes_the_tool_only():
    gemm = Gemm(m=1, n=1, k=1)
    layer = ScalesimLayer.of_gemm(gemm)
    with pytest.raises(InputError, match="takes one cycle, which SCALE-Sim reports as 0 and divides by"):
        scalesim_memory(layer, dataflow="output_stationary", rows=1, columns=1, **BUFFERS)
    assert schedule(gemm, dataflow="output_stationary", rows=1, columns=1).cycles == 1


def test_output_writes_are_inflated_output_stationary():
    gemm = Gemm(m=16, n=16, k=4)
    true = schedule(gemm, dataflow="output_stationary", rows=8, columns=8).sram_output_writes
    assert (true, _compute(gemm).sram_ofmap_writes) == (256, 256 + 4 * (8 + 8))


@pytest.mark.parametrize("dataflow", ["weight_stationary", "input_stationary"])
def test_partial_sums_are_never_read_back_there(dataflow):
    """Outputs of 4 folds along k: the tool writes four times what it should and reads nothing."""
    gemm = Gemm(m=64, n=64, k=32)
    found = _memory(gemm, dataflow, ofmap_kb=1)
    assert found.dram_ofmap_writes >= 4 * 64 * 64
    here = schedule(gemm, dataflow=dataflow, rows=8, columns=8)
    assert here.sram_output_reads == 3 * 64 * 64
    buffers = {name: Sram(kib=1) for name in ("activation", "weight", "output")}
    tiling = plan_layer(
        gemm, ArraySettings(dataflow=dataflow, rows=8, columns=8), Precision(), Memory(**buffers)
    ).tiling
    assert tiling.partial_read_words == tiling.partial_write_words
    assert tiling.output_words == 64 * 64


def test_padding_does_not_exist_there():
    """conv5_x of ResNet-18: 7 x 7 pixels with padding, 5 x 5 without."""
    sizes = {"channels": 512, "filters": 512, "filter_height": 3, "filter_width": 3}
    here = Convolution(height=7, width=7, padding=(1, 1), **sizes)
    there = ScalesimLayer(ifmap_height=7, ifmap_width=7, **sizes)
    assert (here.gemm.m, there.gemm.m) == (49, 25)


def test_output_sizes_are_rounded_up_there():
    """conv1 of ResNet-18 without padding: 109 whole windows, and one that hangs over the edge."""
    sizes = {"channels": 3, "filters": 64, "filter_height": 7, "filter_width": 7}
    here = Convolution(height=224, width=224, stride=(2, 2), **sizes)
    there = ScalesimLayer(ifmap_height=224, ifmap_width=224, stride_height=2, stride_width=2, **sizes)
    assert (here.output_height, there.output_height) == (109, 110)


def test_weight_stationary_utilization_is_divided_by_too_much_there():
    gemm = Gemm(m=10, n=8, k=8)
    found = _compute(gemm, "weight_stationary")
    true = schedule(gemm, dataflow="weight_stationary", rows=8, columns=8)
    assert found.compute_util_pct == pytest.approx(100 * 10 / (true.cycles + 8 - 1))
    assert true.utilization == 10 / true.cycles


def test_dram_writes_count_padding_of_lines_there():
    """128 x 768 x 768 on 8 x 8 writes 98,304 outputs; the tool counts words that no line holds."""
    gemm = Gemm(m=128, n=768, k=768)
    assert _memory(gemm).dram_ofmap_writes == 98_304 + 7
    array = ArraySettings(rows=8, columns=8)
    assert plan_layer(gemm, array, Precision(), Memory()).tiling.output_words == 98_304


def test_more_memory_reads_more_there():
    """Filter words of a 33 x 95 x 70 GEMM: more at 12 KiB than at 8; here cycles never grow with memory."""
    gemm = Gemm(m=33, n=95, k=70)
    reads = [_memory(gemm, filter_kb=kib).dram_filter_reads for kib in (8, 12)]
    assert reads == [6780, 7150]
    array, dram = ArraySettings(rows=8, columns=8), Dram(bits_per_cycle=32)
    small, large = (
        plan_layer(gemm, array, Precision(), Memory(weight=Sram(kib=kib), dram=dram)).total_cycles for kib in (8, 12)
    )
    assert large <= small


@settings(max_examples=40)
@given(
    m=st.integers(1, 40),
    n=st.integers(1, 40),
    k=st.integers(1, 40),
    dataflow=st.sampled_from(list(DATAFLOWS.values())),
)
def test_what_fits_is_read_once(m, n, k, dataflow):
    found = _memory(Gemm(m=m, n=n, k=k), dataflow)
    assert (found.dram_ifmap_reads, found.dram_filter_reads) == (m * k, k * n)
    assert found.stall_cycles == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ifmap_height": 0}, "layer ifmap_height is 0, must be an integer of at least 1"),
        ({"filter_height": 9}, "layer filter_height is 9, the ifmap has 8 and SCALE-Sim knows no padding"),
    ],
)
def test_impossible_layers_are_refused(change, message):
    sizes = {"ifmap_height": 8, "ifmap_width": 8, "filter_height": 3, "filter_width": 3, "channels": 1, "filters": 1}
    with pytest.raises(InputError, match=message):
        ScalesimLayer(**{**sizes, **change})


def test_what_the_tool_lacks_is_refused():
    with pytest.raises(InputError, match="gemm batch is 2, SCALE-Sim knows only 1"):
        ScalesimLayer.of_gemm(Gemm(m=2, n=2, k=2, batch=2))
    with pytest.raises(InputError, match="ifmap_kb is 0, must be an integer of at least 1"):
        _memory(Gemm(m=2, n=2, k=2), ifmap_kb=0)
    with pytest.raises(InputError, match="moves more than 2147483648 words"):
        _memory(Gemm(m=100_000, n=100_000, k=100_000))
