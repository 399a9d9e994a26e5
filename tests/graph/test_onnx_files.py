"""ONNX files that cannot be trusted: damaged, cut off, pointing outside their folder."""

from __future__ import annotations

import os
from contextlib import suppress

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.experiment import Experiment, run_experiment
from simhw.graph.frontends.onnx import load_onnx, read_file
from simhw.graph.frontends.torch_export import import_module
from simhw.models.user_files import network_of


def model(opset=17, weight=None):
    weight = np.arange(12, dtype=np.float32).reshape(3, 4) if weight is None else weight
    nodes = [helper.make_node("MatMul", ["x", "w"], ["t"]), helper.make_node("Relu", ["t"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "model.onnx")


def test_what_is_refused_before_anything_is_read(path):
    with pytest.raises(InputError, match="does not exist"):
        read_file(path)
    onnx.save(model(10), path)
    with pytest.raises(InputError, match="has opset 10, must be at least 11"):
        read_file(path)
    with open(path, "wb") as file:
        file.write(b"not a model at all")
    with pytest.raises(InputError, match=r"cannot be read as ONNX|has opset 0"):
        read_file(path)
    with open(path, "wb"):
        pass
    with pytest.raises(InputError, match="has opset 0"):
        read_file(path)


def test_a_tensor_shorter_than_its_shape(path):
    made = model()
    made.graph.initializer[0].raw_data = made.graph.initializer[0].raw_data[:-1]
    onnx.save(made, path)
    with pytest.raises(InputError, match="has 47 bytes for shape"):
        read_file(path)
    made.graph.initializer[0].dims[0] = 2**40
    onnx.save(made, path)
    with pytest.raises(InputError, match="less than 16 GiB"):
        read_file(path)
    made.graph.initializer[0].dims[0] = -3
    onnx.save(made, path)
    with pytest.raises(InputError, match="less than 16 GiB"):
        read_file(path)


def external(path, tmp_path, **entries):
    """Write a model whose weight lies in weights.bin; entries replace those of the tensor."""
    (tmp_path / "weights.bin").unlink(missing_ok=True)  # onnx appends to it
    made = model()
    onnx.save(made, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    made = onnx.load(path, load_external_data=False)
    tensor = made.graph.initializer[0]
    wanted = {entry.key: entry.value for entry in tensor.external_data} | entries
    del tensor.external_data[:]
    for key, value in wanted.items():
        tensor.external_data.add(key=key, value=value)
    onnx.save(made, path)
    return (tmp_path / "weights.bin").stat().st_size


def test_external_data(path, tmp_path):
    size = external(path, tmp_path)
    x = np.ones((2, 3), np.float32)
    wanted = x @ np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(run_float(import_module(load_onnx(path), x), x), wanted)
    (tmp_path.parent / "outside.bin").write_bytes(b"\0" * 64)
    for entries, message in (
        ({"location": "../outside.bin"}, "must lie in the folder"),
        ({"location": str(tmp_path.parent / "outside.bin")}, "must lie in the folder"),
        ({"location": "none.bin"}, "cannot be read"),
        ({"location": "."}, "must lie in the folder"),
        ({"offset": str(size - 4)}, "the data are cut off"),
        ({"length": "8"}, "the data are cut off"),
        ({"length": "-1"}, "the data are cut off"),
        ({"offset": "three"}, "cannot be read"),
    ):
        external(path, tmp_path, **entries)
        with pytest.raises(InputError, match=message):
            read_file(path)
    external(path, tmp_path, location="link.bin")
    os.symlink(tmp_path.parent / "outside.bin", tmp_path / "link.bin")
    with pytest.raises(InputError, match="must lie in the folder"):
        read_file(path)


def test_a_weight_that_is_not_finite(path):
    weight = np.ones((3, 4), np.float32)
    weight[1, 2] = np.nan
    onnx.save(model(weight=weight), path)
    with pytest.raises(InputError, match="holds NaN or infinity"):
        import_module(load_onnx(path), np.ones((2, 3), np.float32))


SOUND = model().SerializeToString()


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_files_end_in_a_clear_error(tmp_path, data):
    """Bytes changed, cut out and put in: a module or one sentence, never another exception."""
    changed = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        match data.draw(st.integers(0, 2)):
            case 0:
                changed[at] = data.draw(st.integers(0, 255))
            case 1:
                del changed[at : at + data.draw(st.integers(1, 20))]
            case 2:
                changed[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        if not changed:
            break
    file = tmp_path / "mutated.onnx"
    file.write_bytes(bytes(changed))
    with suppress(InputError):  # any other exception fails
        load_onnx(str(file))


def test_data_files(path, tmp_path):
    onnx.save(model(), path)
    with pytest.raises(InputError, match=r"has no data of its own; add --data FILE.npz with inputs"):
        network_of(path, None)
    data = str(tmp_path / "data.npz")
    np.savez(data, inputs=np.ones((4, 3), np.float32), targets=np.asarray([3, 3, 3, 0]))
    network = network_of(path, data)
    dataset = network.dataset(None, None)
    logits = network.load()(torch.from_numpy(dataset.inputs)).numpy()
    assert network.metric.evaluate(logits, dataset) == {"top1": 0.75}
    with pytest.raises(InputError, match="has no output 'z'; it has y"):
        network_of(f"{path}:z", data)


def test_a_file_for_one_sample(path, tmp_path):
    """Its reshape fixes the first axis: it runs sample by sample, with the results of ONNX Runtime on each."""
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["x", "s"], ["r"]),
            helper.make_node("MatMul", ["r", "w"], ["t"]),
            helper.make_node("Softmax", ["t"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 3])],
        [onnx.ValueInfoProto(name="y")],
        [
            numpy_helper.from_array(np.asarray([1, 6]), "s"),
            numpy_helper.from_array(np.linspace(-1, 1, 24, dtype=np.float32).reshape(6, 4), "w"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    x = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)
    data = str(tmp_path / "data.npz")
    np.savez(data, inputs=x)
    session = onnxruntime.InferenceSession(path)
    wanted = np.concatenate([session.run(None, {"x": x[i : i + 1]})[0] for i in range(5)])
    graph = import_module(load_onnx(path), x)
    assert graph.one_sample
    np.testing.assert_allclose(run_float(graph, x), wanted, rtol=1e-6, atol=1e-6)
    (row,) = run_experiment(Experiment(model=path, data=data, datapaths=("w8a8_int8",), scheme="w8a8_static_min_max"))
    assert row.samples == 5
    assert row.sqnr_db > 20  # softmax of codes of 8 bits


def test_data_of_several_inputs(path, tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["y"])],
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "ab"],
        [onnx.ValueInfoProto(name="y")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    data = str(tmp_path / "data.npz")
    np.savez(data, a=np.ones((4, 3), np.float32))
    with pytest.raises(InputError, match="must hold a, b"):
        network_of(path, data)
    np.savez(data, a=np.ones((4, 3), np.float32), b=np.ones((3, 3), np.float32))
    with pytest.raises(InputError, match="give the same number of each"):
        network_of(path, data)
    np.savez(data, a=np.ones((4, 3), np.float32), b=np.full((4, 3), 2, np.float32))
    network = network_of(path, data)
    inputs = network.dataset(2, None).inputs
    np.testing.assert_array_equal(run_float(import_module(network.load(), inputs), inputs), np.full((2, 3), 3.0))
