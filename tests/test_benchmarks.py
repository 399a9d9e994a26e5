"""The benchmarks run and report every kernel that the README's tables name."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmark(monkeypatch):
    """Import a benchmark, which changes the environment for its process."""
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "SIMHW_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.syspath_prepend(str(ROOT))
    yield lambda name: importlib.import_module(f"benchmarks.{name}")
    for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
        del sys.modules[name]


def test_every_cast_is_measured(benchmark, capsys):
    casts = benchmark("casts")
    rows = casts.rows(elements=1 << 15, rounds=2)
    assert [row.kernel.split(" -> ")[1] for row in rows] == [*casts.CASTS, *casts.BLOCKS]
    for row in rows:
        assert row.speed > 0
        assert row.ratio > 0
        assert row.goal in (0.25, 0.5)
        assert all(ratio > 0 for ratio in row.peers.values())
    assert {"torch to()", "ml_dtypes astype"} <= set(rows[0].peers)
    assert capsys.readouterr().out == ""


def test_layers_are_measured_and_written_as_markdown(benchmark):
    gemm, measure = benchmark("gemm"), benchmark("measure")
    gemm.layer_peers = lambda _: {}
    rows = list(gemm.rows(1, ((9, 70, 128),)))
    assert [row.kernel for row in rows] == [*(name for name, *_ in gemm.KERNELS), gemm.TABLE]
    assert all(row.ratio > 0 and row.path and row.size == "9 x 70 x 128" for row in rows)
    text = measure.markdown("Layers", "sgemm", rows)
    assert text.count("\n") == 4 + len(rows)
    assert "| int8 x int8 exact | 9 x 70 x 128 |" in text
    assert ">= 3.00" in text


def test_networks_are_measured_beside_torch(benchmark, capsys):
    (line,) = benchmark("networks").measure("fashion_resnet", ("w8a8_int8",), samples=4, tokens=None, rounds=1)
    name, datapath, ratio = line.strip("| ").split(" | ")[:3]
    assert (name, datapath) == ("fashion_resnet", "w8a8_int8")
    assert float(ratio) > 0
    assert capsys.readouterr().out == line + "\n"


def test_both_softmaxes_are_measured(benchmark):
    (row,) = benchmark("softmax").rows(lengths=(1 << 10,), rounds=2)
    assert row["length"] == 1 << 10
    assert all(row[name] > 0 for name in ("two_pass", "three_pass", "torch"))
    assert row["over_three_pass"] == row["two_pass"] / row["three_pass"]
