"""The command line: what goes to stdout, one sentence for bad input, result files whole or untouched."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simhw.catalog import ENTRIES, entries
from simhw.cli import main
from simhw.rows import from_json

SMALL = ["run", "--model", "fashion_resnet", "--samples", "2", "--datapath", "fp16", "--datapath", "w4a8_mixpe"]
INTERFACE = {
    "model", "datapath", "metric_name", "metric", "metric_float", "sqnr_db", "cycles", "energy_pj", "energy_total_pj",
    "area_um2", "layers",
}  # fmt: skip
LAYER_INTERFACE = {"name", "operator", "m", "n", "k", "sqnr_db", "cycles", "energy_pj"}

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def simhw(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "simhw", *arguments], capture_output=True, text=True, check=False)


def test_help_and_version(capsys: Output):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in ("explain", "list", "models", "run"))
    assert main(["run", "--help"]) == 0
    assert "--accumulator-bits" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert "0.1.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["list"], ["list", "datapaths"], ["explain", "e4m3"]]
)
def test_what_only_reads_needs_neither_torch_nor_numba(arguments: list[str]):
    program = (
        "import sys; from simhw.cli import main; code = main(sys.argv[1:]);"
        "print([m for m in ('torch', 'numba', 'matplotlib') if m in sys.modules], code, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert result.stderr == "[] 0\n"


def test_list_shows_every_kind(capsys: Output):
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    for kind in ENTRIES:
        assert f"{kind}:\n" in text
    for name in ("tiny_llama", "w4a8_mixpe", "mxfp4_dot", "horowitz_45nm", "output_stationary", "round_to_nearest"):
        assert f"\n  {name} " in text


@pytest.mark.parametrize("kind", ENTRIES)
def test_list_of_one_kind(kind: str, capsys: Output):
    assert main(["list", kind]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(entries(kind))
    assert all(len(line.split()) > 1 for line in lines)


EXPLAINED = {
    "e4m3": ["format e4m3", "448", "2^-9", "OCP 8-bit Floating Point"],
    "int4": ["format int4", "-8"],
    "nvfp4": ["format nvfp4", "16 consecutive elements share one scale", "datapath nvfp4", "scheme nvfp4"],
    "w4a8_mixpe": ["datapath w4a8_mixpe", "as wide as a group needs", "scheme w4a8_mixpe", "groups of 128"],
    "w8a8_static_mse": ["scheme w8a8_static_mse", "range mse"],
    "w4a16_mixpe": ["fp16, cast without a scale", "int8, granularity row, symmetric, dynamic"],
    "mxfp4": ["format mxfp4", "mxfp4, with the blocks and scales of the format"],
    "mixpe_w4a8": ["PE mixpe_w4a8", "int8 x uint4", "20 bit: worst case of 128 products", "at least 12"],
    "horowitz_45nm": ["technology horowitz_45nm", "45 nm, 0.9 V", "integer_multiply a_bits=8, b_bits=8: 0.2 energy_pj"],
    "tiny_llama": ["model tiny_llama", "perplexity", "CC0-1.0"],
    "output_stationary": ["each PE keeps one output"],
    "round_to_nearest": ["Round to nearest"],
    "softmax": ["vector", "softmax.int"],
    "e5m10": ["format e5m10", "5 exponent, 10 mantissa bits"],
}


@pytest.mark.parametrize("name", EXPLAINED)
def test_explain(name: str, capsys: Output):
    assert main(["explain", name]) == 0
    text = capsys.readouterr().out
    assert [words for words in EXPLAINED[name] if words not in text] == []


def test_json_alone_on_stdout(capsys: Output):
    assert main([*SMALL, "--json", "-"]) == 0
    output = capsys.readouterr()
    data = json.loads(output.out)
    assert [row["datapath"] for row in data] == ["fp16", "w4a8_mixpe"]
    for row in data:
        assert set(row) >= INTERFACE
        assert all(set(layer) >= LAYER_INTERFACE for layer in row["layers"])
        assert row["energy_total_pj"] == pytest.approx(sum(row["energy_pj"].values()))
    assert "w4a8_mixpe" in output.err


def test_csv_alone_on_stdout(capsys: Output):
    assert main([*SMALL, "--csv", "-"]) == 0
    output = capsys.readouterr()
    lines = list(csv.DictReader(io.StringIO(output.out)))
    assert [line["datapath"] for line in lines] == ["fp16", "w4a8_mixpe"]
    assert all(float(line["energy_total_pj"]) > 0 for line in lines)
    assert "w4a8_mixpe" in output.err


def test_stdout_of_a_process_is_json_and_progress_is_not():
    result = simhw(*SMALL, "--json", "-")
    assert result.returncode == 0
    assert [row.datapath for row in from_json(result.stdout)] == ["fp16", "w4a8_mixpe"]


def test_files_and_the_table(capsys: Output, tmp_path: Path):
    assert main([*SMALL, "--json", "a.json", "--csv", "b.csv", "--html", "c.html"]) == 0
    output = capsys.readouterr()
    assert all(name in output.out for name in ("fashion_resnet", "fp16", "w4a8_mixpe", "speed-up"))
    assert output.err == ""
    rows = from_json((tmp_path / "a.json").read_text())
    assert len((tmp_path / "b.csv").read_text().splitlines()) == 1 + len(rows)
    page = (tmp_path / "c.html").read_text()
    assert "w4a8_mixpe" in page
    assert "https://" not in page.replace("https://www.w3.org", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.csv", "c.html"]


def test_overflows_are_told(capsys: Output):
    assert main([*SMALL, "--accumulator-bits", "13", "--json", "-"]) == 0
    output = capsys.readouterr()
    count = from_json(output.out)[1].overflows
    assert count > 0
    told = f"simhw: {count:,} group sums of fashion_resnet on w4a8_mixpe did not fit the accumulator (integer 13 bit"
    assert told in output.err


def test_another_accumulator_is_named_and_counted(capsys: Output):
    arguments = ["run", "--model", "fashion_resnet", "--samples", "2", "--datapath", "w8a8_int8"]
    assert main([*arguments, "--accumulator", "int16_saturate", "--json", "-"]) == 0
    output = capsys.readouterr()
    (row,) = from_json(output.out)
    assert row.overflows > 0
    assert "accumulator integer 16 bit, saturating" in " ".join(output.err.split())
    assert (
        "group sums of fashion_resnet on w8a8_int8 did not fit the accumulator (integer 16 bit, saturating)"
        in output.err
    )


REFUSED = [
    (
        ["run", "--datapath", "w8a8_int8", "--accumulator", "int12_saturate"],
        "'int12_saturate' with 12 bits, one product",
    ),
    (["run", "--accumulator", "fp18"], "accumulator is 'fp18', which is not known; nearest: fp16"),
    (["run", "--accumulator", "exact", "--accumulator-bits", "20"], "'exact' and accumulator_bits 20, give one"),
    (["run", "--model", "resnet"], "model is 'resnet', which is not known; nearest: fashion_resnet"),
    (["run", "--datapath", "w4a8"], "datapath is 'w4a8', which is not known; nearest: lut_w4a8, w4a8_mixpe"),
    (["run", "--scheme", "int8"], "scheme is 'int8', which is not known"),
    (["run", "--dataflow", "os"], "dataflow is 'os', which is not known"),
    (["run", "--technology", "7nm"], "'7nm', which is not known"),
    (["run", "--overlap", "all"], "overlap is 'all', must be one of none, per_fold"),
    (["run", "--rows", "0"], "rows is 0, must be an integer of at least 1"),
    (["run", "--samples", "0"], "samples is 0, must be 1.."),
    (["run", "--model", "tiny_llama", "--tokens", "0"], "tokens is 0, must be 1.."),
    (["run", "--model", "fashion_resnet", "--tokens", "5"], "tokens is 5, but fashion_resnet classifies images"),
    (["run", "--samples", "5", "--tokens", "5"], "--samples and --tokens were both given, only one is allowed"),
    ([*SMALL, "--group-size", "0"], "group size is 0, must be at least 1"),
    ([*SMALL, "--group-size", "-8"], "group size is -8, must be at least 1"),
    ([*SMALL, "--group-size", "577"], "group size is 577, must be 1..576 (the longest sum of fashion_resnet)"),
    (
        [*SMALL, "--accumulator-bits", "11"],
        "accumulator_bits is 11, must be 12..64; one product of int8 x uint4 needs 12",
    ),
    ([*SMALL, "--scheme", "mxfp4"], "scheme mxfp4 has blocks of 32, datapath fp16 takes no blocks"),
    ([*SMALL, "--scheme", "bf16"], "operand formats are bf16 and bf16, datapath fp16 takes fp16 and fp16"),
    ([*SMALL, "--json", "no/such/folder.json"], "the folder"),
    ([*SMALL, "--csv", "."], "output file is '.', which is a folder; name a file inside it"),
    ([*SMALL, "--json", "-", "--csv", "-"], "--json - and --csv - were both given"),
    ([*SMALL, "--json", "x", "--csv", "./x"], "two of them are the same"),
    ([*SMALL, "--html", "-"], "the page goes to a file only"),
    (["list", "networks"], "kind is 'networks', must be one of models, datapaths, schemes, formats"),
    (["explain", "e4m333"], "entry is 'e4m333', which is not known; nearest: e4m3"),
    (["models", "fetch", "gpt5"], "model is 'gpt5', which comes from no package"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[" ".join(a[-4:]) for a, _ in REFUSED])
def test_bad_input_is_one_sentence_and_changes_nothing(
    arguments: list[str], message: str, capsys: Output, tmp_path: Path
):
    result = tmp_path / "rows.json"
    result.write_text("older")
    asked = ["--html", "rows.json"] if arguments[0] == "run" and "--html" not in arguments else []
    assert main([*arguments, *asked]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert message in output.err
    *before, sentence = output.err.splitlines()
    assert sentence.startswith("simhw: ")
    assert before == (["fetching gpt5 ..."] if "fetch" in arguments else [])
    assert result.read_text() == "older"
    assert list(tmp_path.iterdir()) == [result]


@pytest.mark.parametrize("arguments", [["nope"], ["run", "--nope"], ["run", "--rows", "many"], ["list", "a", "b"], []])
def test_usage_errors(arguments: list[str], capsys: Output):
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "Usage: simhw" in output.err


def test_settings_of_a_later_network_are_checked_first(capsys: Output, monkeypatch: pytest.MonkeyPatch):
    def never(*_: object) -> object:
        raise AssertionError("something ran")

    monkeypatch.setattr("simhw.experiment.run_experiment", never)
    assert main(["run", "--model", "tiny_llama", "--model", "fashion_resnet", "--tokens", "8"]) == 2
    assert "fashion_resnet classifies images" in capsys.readouterr().err


@pytest.mark.parametrize("place", [0, 1])
def test_debug_shows_the_traceback_wherever_it_stands(place: int):
    arguments = ["list", "nothing"]
    arguments.insert(2 * place, "--debug")
    result = simhw(*arguments)
    assert result.returncode != 0
    assert "Traceback" in result.stderr
    assert "InputError: kind is 'nothing'" in result.stderr


def test_a_damaged_weights_file(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch):
    from simhw.models import fashion_resnet

    truncated = tmp_path / "truncated.safetensors"
    truncated.write_bytes(fashion_resnet.WEIGHTS.read_bytes()[:1000])
    monkeypatch.setattr(fashion_resnet, "WEIGHTS", truncated)
    assert main([*SMALL, "--json", "rows.json"]) == 2
    output = capsys.readouterr()
    assert output.err.startswith("simhw: weights")
    assert "truncated.safetensors" in output.err
    assert not (tmp_path / "rows.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_costs_no_result(capsys: Output, tmp_path: Path):
    """The table is printed before files are written, so a long run is not lost."""
    (tmp_path / "full.json").symlink_to("/dev/full")
    assert main([*SMALL, "--json", "full.json"]) == 2
    output = capsys.readouterr()
    assert "w4a8_mixpe" in output.out
    assert "simhw: output file 'full.json' was not written: no space left" in output.err


@pytest.mark.skipif(os.name != "posix", reason="sends an interrupt as a terminal does")
def test_an_interrupt_leaves_older_results(tmp_path: Path):
    """Ctrl-C while layers run; the program sends it to itself, so that it comes at a certain place."""
    result = tmp_path / "rows.json"
    result.write_text("older")
    program = (
        "import os, signal, sys\n"
        "import simhw.products\n"
        "def interrupt(*_, **__): os.kill(os.getpid(), signal.SIGINT)\n"
        "simhw.products.multiply = interrupt\n"
        "from simhw.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, *SMALL, "--json", "rows.json"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 2
    assert process.stderr.strip() == "simhw: interrupted; no result file is half-written; run the command again"
    assert process.stdout == ""
    assert result.read_text() == "older"
    assert list(tmp_path.iterdir()) == [result]
