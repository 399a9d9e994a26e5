"""Recordings of runs: equal where runs are equal, and the first place where they are not, found by hand as well."""

from __future__ import annotations

import json
import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.catalog import get_method, get_scheme
from simhw.cli import main
from simhw.errors import InputError
from simhw.execution import Arithmetic
from simhw.executor import execute
from simhw.gemm.datapaths import get_datapath
from simhw.graph.base import Graph, Node, Ref
from simhw.recording import Recorder, first_difference, read_recording, ulps

X = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)
WEIGHT = np.random.default_rng(1).standard_normal((5, 8)).astype(np.float32)


def network(weight: np.ndarray = WEIGHT) -> Graph:
    nodes = (
        Node(name="flat", operator="view", args=(Ref("x"), (-1, 8))),
        Node(name="dense", operator="linear", args=(Ref("flat"), Ref("w")), label="dense", source="net.py:3"),
        Node(name="relu", operator="relu", args=(Ref("dense"),), label="relu"),
    )
    return Graph(inputs=("x",), nodes=nodes, outputs=("relu",), constants={"w": weight})


def record(folder: Path, graph: Graph, datapath: str = "fp16", batch: int = 2) -> Path:
    chosen = get_datapath(datapath)
    arithmetic = Arithmetic(datapath=chosen, scheme=get_scheme(chosen.scheme), method=get_method())
    recorder = Recorder(folder, {"output": chosen.output})
    execute(graph, X, arithmetic, batch=batch, compare=False, observe=recorder)
    recorder.close()
    return folder


def test_a_run_recorded_twice_is_equal(tmp_path: Path):
    a, b = (record(tmp_path / name, network()) for name in "ab")
    assert first_difference(a, b) is None
    about, steps = read_recording(a)
    assert about == {"output": get_datapath("fp16").output}
    assert [(step.label, step.operator, len(step.files)) for step in steps] == [
        ("dense", "linear", 3),
        ("relu", "relu", 3),
    ]
    assert main(["diff", str(a), str(b)]) == 0


def test_the_first_element_that_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a = record(tmp_path / "a", network())
    changed = WEIGHT.copy()
    changed[3] *= np.float32(2)  # output 3 doubles, exactly
    b = record(tmp_path / "b", network(changed))
    found = first_difference(a, b)
    assert found is not None
    assert (found.label, found.operator, found.source, found.index) == ("dense", "linear", "net.py:3", (0, 3))
    assert found.second == 2 * found.first
    assert (found.unequal, found.elements) == (2, 10)  # one of five outputs of two samples
    with pytest.raises(SystemExit, match="1"):
        main(["diff", str(a), str(b)])
    assert "first difference: linear dense (net.py:3)" in capsys.readouterr().out


def test_samples_are_counted_over_batches(tmp_path: Path):
    """A value changed in the third file of a step, by one unit in the last place of fp16."""
    a, b = (record(tmp_path / name, network()) for name in "ab")
    file = read_recording(b)[1][0].files[2]
    values = np.load(file)
    values[1, 4] = np.nextafter(np.float16(values[1, 4]), np.float16(np.inf))
    np.save(file, values)
    found = first_difference(a, b)
    assert found is not None
    assert (found.index, found.ulps, found.unit, found.unequal) == ((5, 4), 1, get_datapath("fp16").output, 1)


def test_other_steps_and_shapes(tmp_path: Path):
    a = record(tmp_path / "a", network())
    shorter = Graph(inputs=("x",), nodes=network().nodes[:2], outputs=("dense",), constants={"w": WEIGHT})
    found = first_difference(a, record(tmp_path / "b", shorter))
    assert found is not None
    assert found.label == "relu"
    assert "2 steps against 1" in found.reason
    found = first_difference(a, record(tmp_path / "c", network(WEIGHT[:4])))
    assert found is not None
    assert "(2, 5) float32 against (2, 4) float32" in found.reason
    found = first_difference(a, record(tmp_path / "d", network(), batch=6))
    assert found is not None
    assert "(2, 5)" in found.reason


def test_bad_recordings(tmp_path: Path):
    a, b = (record(tmp_path / name, network()) for name in "ab")
    with pytest.raises(InputError, match="holds a recording already"):
        Recorder(a, {})
    with pytest.raises(InputError, match="is no recording"):
        first_difference(a, tmp_path / "missing")
    read_recording(b)[1][0].files[0].write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be read"):
        first_difference(a, b)
    index = json.loads((b / "steps.json").read_text())
    index["steps"][0]["files"] = ["../a/" + name for name in index["steps"][0]["files"]]
    (b / "steps.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="cannot be read"):  # names in the index cannot leave the folder
        first_difference(a, b)


@given(st.floats(width=16), st.integers(0, 200))
def test_ulps_against_steps_of_nextafter(start: float, steps: int):
    value = np.float16(start)
    if np.isnan(value):
        assert ulps(start, 1.0, "fp16") is None
        return
    stop = value
    for _ in range(steps):
        stop = np.nextafter(stop, np.float16(np.inf))
    crossed_zero = np.signbit(value) and not np.signbit(stop)  # -0 and 0 are two codes, one step of nextafter
    reached = steps if np.isfinite(stop) else ulps(start, float(stop), "fp16")
    assert ulps(start, float(stop), "fp16") == reached + crossed_zero * np.isfinite(stop)


def test_ulps_of_other_formats():
    assert ulps(1.0, float(np.nextafter(np.float32(1), np.float32(2)))) == 1
    assert ulps(1.0, 1.0 + 2.0**-7, "bf16") == int(ml_dtypes.finfo(ml_dtypes.bfloat16).eps == 2.0**-7)
    assert ulps(1.0, 1.0 + 2.0**-12, "fp16") is None
    assert ulps(1.0, 2.0, "int8") is None
    assert ulps(math.nan, 1.0) is None
