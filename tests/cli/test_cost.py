"""``simhw cost``: its columns, its sums, SCALE-Sim's columns, and every refusal."""

import csv
import io

import pytest

import simhw.cli
from simhw.cost_table import ENERGY_PARTS

HEAD = "name,m,n,k,compute_cycles,stall_cycles,total_cycles,utilization,sram_reads,sram_writes,dram_reads,dram_writes"
GEMMS = "name,m,n,k\nffn,128,768,768\ntiny,1,1,1\ntall,3000,32,64\n"
CONVOLUTIONS = (
    "name,kind,height,width,channels,filters,filter_height,filter_width,stride,padding,groups\n"
    "conv1,conv,224,224,3,64,7,7,2,3,1\nmid,depthwise,14,14,96,96,3,3,1,1,\nwide,conv,8,9,4,8,3,1,2x1,1x0,2\n"
)


@pytest.fixture
def cost(tmp_path, capsys):
    def run(table, *options):
        path = tmp_path / "layers.csv"
        path.write_text(table)
        assert simhw.cli.main(["cost", "--gemms", str(path), *options]) == 0
        return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))

    return run


@pytest.fixture
def refused(tmp_path, capsys):
    def run(*options, table=None):
        if table is not None:
            path = tmp_path / "layers.csv"
            path.write_text(table)
            options = ("--gemms", str(path), *options)
        assert simhw.cli.main(["cost", *options]) == 2
        return capsys.readouterr().err

    return run


def test_columns_and_formulas(cost):
    rows = cost(GEMMS, "--dataflow", "output_stationary", "--rows", "32", "--columns", "32", "--csv", "-")
    assert ",".join(rows[0]).startswith(HEAD)
    first = rows[0]
    assert [first[name] for name in ("name", "m", "n", "k")] == ["ffn", "128", "768", "768"]
    assert (first["compute_cycles"], first["stall_cycles"], first["total_cycles"]) == ("79680", "0", "79680")
    assert int(first["sram_reads"]) == 128 * 768 * 24 + 768 * 768 * 4
    assert int(first["sram_writes"]) == 128 * 768
    assert int(first["dram_reads"]) == 128 * 768 + 768 * 768
    assert int(first["dram_writes"]) == 128 * 768
    assert float(first["utilization"]) == 128 * 768 * 768 / (79680 * 1024)
    assert (first["overlap"], first["dataflow"], first["pe"]) == ("per_fold", "output_stationary", "int8_mac")


@pytest.mark.parametrize("pe", ["int8_mac", "mixpe_w4a8", "mxfp4_dot", "w4a8_dequantize_first", "fp16_mac"])
@pytest.mark.parametrize("dataflow", ["output_stationary", "weight_stationary", "input_stationary"])
def test_the_total_is_the_sum_of_the_parts(cost, pe, dataflow):
    for row in cost(GEMMS, "--pe", pe, "--dataflow", dataflow, "--bandwidth", "16"):
        parts = [float(row[f"energy_{part}_pj"]) for part in ENERGY_PARTS]
        assert float(row["energy_total_pj"]) == sum(parts)
        assert min(parts) >= 0
        assert int(row["total_cycles"]) == int(row["compute_cycles"]) + int(row["stall_cycles"])
        words = int(row["dram_reads"]) + int(row["dram_writes"])
        assert int(row["total_cycles"]) >= words / 16 / (8 if pe == "mxfp4_dot" else 4)


@pytest.mark.parametrize(
    ("overlap", "cycles"), [("none", 127_872), ("per_fold", 127_872), ("double_buffered", 73_822), ("once", 73_822)]
)
def test_overlap_is_a_choice_that_every_row_states(cost, overlap, cycles):
    row = cost(GEMMS, "--dataflow", "weight_stationary", "--overlap", overlap)[0]
    assert (int(row["compute_cycles"]), row["overlap"]) == (cycles, overlap)


def test_convolutions(cost):
    rows = cost(CONVOLUTIONS)
    sizes = [tuple(int(row[name]) for name in ("m", "n", "k", "batch")) for row in rows]
    assert sizes == [(112 * 112, 64, 147, 1), (196, 1, 9, 96), (4 * 9, 4, 6, 2)]


def test_less_bandwidth_stalls(cost):
    stalls = [int(cost(GEMMS, "--bandwidth", words)[0]["stall_cycles"]) for words in ("64", "8", "1")]
    assert 0 < stalls[0] < stalls[1] < stalls[2]


def test_compat_has_the_columns_of_the_recorded_table(cost, golden):
    with (golden / "scalesim.csv").open(newline="") as file:
        recorded = next(csv.reader(file))
    buffers = ("--ifmap-kb", "64", "--filter-kb", "64", "--ofmap-kb", "64")
    rows = cost("name,m,n,k\nL,8,8,8\n", "--compat", "scalesim3", "--rows", "3", "--columns", "5", *buffers)
    assert list(rows[0]) == recorded
    found = [
        rows[0][name] for name in ("compute_cycles", "total_cycles", "total_cycles_incl_prefetch", "dram_ofmap_writes")
    ]
    assert found == ["84", "83", "161", "64"]


def test_like_repeats_the_recorded_table(golden, capsys):
    path = golden / "scalesim.csv"
    assert simhw.cli.main(["cost", "--like", str(path), "--csv", "-"]) == 0
    found = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    with path.open(newline="") as file:
        recorded = list(csv.DictReader(file))
    assert [list(row) for row in found[:1]] == [list(row) for row in recorded[:1]]
    assert len(found) == len(recorded)
    for mine, theirs in zip(found, recorded, strict=True):
        if theirs["bw_mode"] == "CALC":
            assert mine == theirs
        else:  # stalls and DRAM of this mode are faulty in the tool and left empty
            assert {name: value for name, value in mine.items() if value} == {
                name: value for name, value in theirs.items() if mine[name]
            }
            assert mine["compute_cycles"]
            assert not mine["stall_cycles"]


def test_scalesim_files_are_read(cost, tmp_path):
    topology = (
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
        "Conv1, 224, 224, 7, 7, 3, 64, 2,\nConv2DP, 14, 14, 3, 3, 5, 1, 1,\n"
    )
    config = tmp_path / "scale.cfg"
    config.write_text(
        "[general]\nrun_name = x\n[architecture_presets]\nArrayHeight: 16\nArrayWidth: 8\nIfmapSramSzkB: 64\n"
        "FilterSramSzkB: 32\nOfmapSramSzkB: 16\nDataflow : ws\n"
    )
    rows = cost(topology, "--config", str(config))
    assert [row["m"] for row in rows] == [str(109 * 109), "144"]
    assert (rows[0]["rows"], rows[0]["columns"], rows[0]["dataflow"]) == ("16", "8", "weight_stationary")
    assert (rows[0]["ifmap_kb"], rows[0]["filter_kb"], rows[0]["ofmap_kb"]) == ("64", "32", "16")
    rows = cost(topology, "--config", str(config), "--compat", "scalesim3", "--rows", "4")
    assert [row["M"] for row in rows] == [str(110 * 110)] + ["144"] * 5  # depthwise: one layer per channel
    assert [row["layer_name"] for row in rows][1:3] == ["Conv2DPChannel_0", "Conv2DPChannel_1"]
    assert (rows[0]["array_rows"], rows[0]["array_cols"], rows[0]["dataflow"]) == ("4", "8", "ws")
    assert cost("Layer, M, N, K,\na, 3, 4, 5,\n")[0]["k"] == "5"


def test_rows_go_to_a_file(cost, tmp_path):
    assert cost(GEMMS, "--csv", str(tmp_path / "out.csv")) == []
    assert (tmp_path / "out.csv").read_text().startswith(HEAD)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name,m,n,k\na,0,1,1\n", "line 2: gemm m is 0, must be an integer of at least 1"),
        ("name,m,n,k\na,1,-4,1\n", "line 2: gemm n is -4, must be an integer of at least 1"),
        ("name,m,n,k\n\na,1,1,x\n", "line 3: k is 'x', must be a whole number"),
        ("name,m,n,k\na,1\n", "line 2: the row has 2 cells, fewer than the header"),
        ("name,m,n\na,1,1\n", "the header lacks k"),
        ("name,m,n,k,z\na,1,1,1,1\n", "the header has the unknown column z"),
        ("name,m,n,k,k\na,1,1,1,1\n", "the header names a column twice"),
        ("name,m,n,k\n", "has a header and no layer"),
        ("", "is empty, a table of layers has a header and rows"),
        ("name,m,n,k\na,9999999999,9999999999,9999999999\n", "split the GEMM"),
        (CONVOLUTIONS.replace("conv1,conv", "conv1,dense"), "kind is 'dense', must be conv or depthwise"),
        (CONVOLUTIONS.replace("96,96,3,3,1,1,\n", "96,96,3,3,1,1,2\n"), "groups is 2 in a depthwise convolution of 96"),
    ],
)
def test_bad_tables_are_refused(refused, table, message):
    assert message in refused(table=table)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rows", "0"), "rows is 0, must be an integer of at least 1"),
        (("--columns", "-3"), "columns is -3, must be an integer of at least 1"),
        (("--bandwidth", "0"), "bandwidth is 0.0 words per cycle, must be greater than 0"),
        (("--bandwidth", "nan"), "bandwidth is nan words per cycle, must be greater than 0"),
        (("--latency", "-1"), "DRAM latency is -1 cycles, must be an integer of at least 0"),
        (("--ifmap-kb", "0"), "SRAM kib is 0, must be an integer of at least 1"),
        (("--ofmap-kb", "1", "--rows", "64", "--columns", "64"), "the output buffer has 1 KiB, which does not hold"),
        (("--overlap", "all"), "overlap is 'all', must be one of none, per_fold, double_buffered, once"),
        (("--dataflow", "row_stationary"), "dataflow is 'row_stationary', which is not known"),
        (("--pe", "int9_mac"), "pe is 'int9_mac', which is not known; nearest: int8_mac"),
        (("--technology", "tsmc"), "technology is 'tsmc', which is not known"),
        (("--pe", "mxfp4_dot", "--group-size", "64"), "group size is 64, the blocks of mxfp4_dot have 32"),
        (("--scale-bits", "16"), "scale_bits is 16, but no group size was given"),
        (("--compat", "scalesim2"), "compat is 'scalesim2', must be scalesim3"),
        (("--compat", "scalesim3", "--overlap", "once"), "overlap is 'once' together with --compat scalesim3"),
        (("--compat", "scalesim3", "--bandwidth", "4"), "--bandwidth was given together with --compat scalesim3"),
        (("--compat", "scalesim3", "--ofmap-kb", "0"), "ofmap_kb is 0, must be an integer of at least 1"),
        (("--like", "x.csv"), "--gemms and --like were both given, every row of x.csv states its own"),
    ],
)
def test_bad_options_are_refused(refused, options, message):
    assert message in refused(*options, table=GEMMS)


def test_missing_and_unreadable_files_are_refused(refused, tmp_path):
    assert "no layers were given, --gemms, --workload or --like must name them" in refused()
    assert "cannot be read (No such file or directory)" in refused("--gemms", str(tmp_path / "none.csv"))
    assert "cannot be read (No such file or directory)" in refused("--like", str(tmp_path / "none.csv"))
    assert "has no column dataflow" in refused("--like", _written(tmp_path, "a,b\n1,2\n"))
    config = _written(tmp_path, "[architecture_presets]\nArrayHeight: 16\n")
    assert "ArrayWidth".lower() in refused("--config", config, table=GEMMS)
    assert "has no section [architecture_presets]" in refused("--config", _written(tmp_path, "[x]\n"), table=GEMMS)
    padded = CONVOLUTIONS.replace("mid,depthwise", "mid,conv")
    assert "SCALE-Sim knows none of them" in refused("--compat", "scalesim3", table=padded)


def test_a_contradictory_recorded_row_is_refused(refused, golden, tmp_path):
    lines = (golden / "scalesim.csv").read_text().splitlines()
    wrong = lines[2].replace(",gemm,3,5,9,", ",gemm,3,5,8,")
    assert "line 2: M, N, K are (3, 5, 8)" in refused("--like", _written(tmp_path, f"{lines[0]}\n{wrong}\n"))


def _written(folder, text):
    path = folder / "given"
    path.write_text(text)
    return str(path)
