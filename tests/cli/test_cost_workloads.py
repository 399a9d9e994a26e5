"""``simhw cost --workload``: names, files, ONNX, and what does not go together."""

import csv
import io

import pytest

import simhw.cli


@pytest.fixture
def cost(capsys):
    def run(*options):
        assert simhw.cli.main(["cost", *options]) == 0
        return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))

    return run


def test_phases(cost):
    rows = cost(
        "--workload", "llama2_7b", "--phase", "inference", "--tokens", "8", "--generate", "2", "--pe", "mixpe_w4a8"
    )
    assert {row["phase"] for row in rows} == {"prefill", "decode", ""}
    assert (rows[-1]["name"], rows[-1]["kind"]) == ("total", "all")
    assert int(rows[-1]["total_cycles"]) == sum(int(row["total_cycles"]) for row in rows[:-1])
    assert {row["overlap"] for row in rows if row["kind"] == "weights"} == {"per_fold"}


def test_an_image_network_needs_nothing_more(cost):
    rows = cost("--workload", "resnet18", "--dataflow", "weight_stationary", "--batch", "2")
    assert sum(int(row["macs"]) for row in rows[:-1]) == int(rows[-1]["macs"]) == 2 * 1_814_073_344


def test_onnx_files(tmp_path, capsys):
    onnx = pytest.importorskip("onnx")
    x, y = (onnx.helper.make_tensor_value_info(name, 1, ["n", 4]) for name in "xy")
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["h"]), onnx.helper.make_node("Identity", ["h"], ["y"])]
    weight = onnx.helper.make_tensor("w", 1, [4, 4], [0.0] * 16)
    path = str(tmp_path / "net.onnx")
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [x], [y], [weight])), path)
    assert simhw.cli.main(["cost", "--workload", path, "--dim", "n=3"]) == 0
    seen = capsys.readouterr()
    assert [row["m"] for row in csv.DictReader(io.StringIO(seen.out))] == ["3", ""]
    assert "only move values, not counted: Identity 1" in seen.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--workload", "lama2_7b"), "workload is 'lama2_7b', which is not known"),
        (("--workload", "llama2_7b"), "llama2_7b needs the number of tokens"),
        (("--workload", "vit_b", "--gemms", "x.csv"), "--gemms and --workload were both given"),
        (("--phase", "decode"), "--phase belongs to a workload; add --workload NAME"),
        (("--workload", "vit_b", "--dim", "n=1"), "--dim sets the size of an ONNX file's dimension"),
        (("--workload", "x.onnx", "--dim", "n"), "dim is 'n', must be NAME=SIZE"),
        (("--workload", "vit_b", "--compat", "scalesim3"), "--workload was given together with --compat"),
        (("--workload", "vit_b", "--batch", "0"), "batch is 0, must be an integer of at least 1"),
        (("--workload", "vit_b", "--rows", "0"), "rows is 0"),
    ],
)
def test_what_does_not_go_together(options, message, capsys):
    assert simhw.cli.main(["cost", *options]) == 2
    assert message in capsys.readouterr().err


def test_list_and_explain(capsys):
    assert simhw.cli.main(["list", "workloads"]) == 0
    assert "mixtral_8x7b" in capsys.readouterr().out
    for name, line in (
        ("llama3_8b", "65,536 keys and values per token"),
        ("mamba_2_8b", "none: a state of fixed size"),
        ("bert_base", "multiply-accumulates of 512 tokens"),
        ("resnet50", "4,089,184,256 multiply-accumulates per image"),
    ):
        assert simhw.cli.main(["explain", name]) == 0
        assert line in capsys.readouterr().out
