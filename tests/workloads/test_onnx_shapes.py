"""Layers of ONNX files against modules that torch counts itself, and files that are refused."""

from __future__ import annotations

import numpy as np
import pytest

from simhw.arrays import Gemm
from simhw.errors import InputError
from simhw.workloads import Inference, WorkKind
from simhw.workloads.functions import function_work
from simhw.workloads.onnx_shapes import VECTOR_FUNCTIONS, read_onnx

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def save(path, nodes, inputs, outputs, weights):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name, sizes in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name, sizes in outputs.items()],
        [numpy_helper.from_array(np.zeros(sizes, np.float32), name) for name, sizes in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    return str(path)


def products(shape):
    work = shape.work(Inference())
    gemms = [step.layer if isinstance(step.layer, Gemm) else step.layer.gemm for step in work if step.layer is not None]
    return [(gemm.m, gemm.n, gemm.k, gemm.batch) for gemm in gemms]


def test_convolutions_and_products(tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], group=8, auto_pad="SAME_UPPER"),
        helper.make_node("ConvTranspose", ["c", "w3"], ["d"], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "w4", "bias"], ["y"], transB=1),
    ]
    path = save(
        tmp_path / "conv.onnx",
        nodes,
        {"x": ["n", 3, 32, 32]},
        {"y": ["n", 10]},
        {"w1": (8, 3, 3, 3), "w2": (8, 1, 3, 3), "w3": (8, 4, 2, 2), "w4": (10, 4), "bias": (10,)},
    )
    shape = read_onnx(path, {"n": 2})
    assert products(shape) == [(512, 8, 27, 1), (512, 1, 9, 8), (512, 16, 8, 1), (2, 10, 4, 1)]
    assert shape.left_out == {"Flatten": 1}
    assert shape.parameters == 8 * 27 + 8 * 9 + 8 * 16 + 40 + 10
    relu = next(step for step in shape.work(Inference()) if step.function == "relu")
    assert relu.elements == 2 * 8 * 16 * 16


def test_attention_is_told_from_weights(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["q"]),
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "t"], ["s"]),
        helper.make_node("Softmax", ["s"], ["p"]),
        helper.make_node("MatMul", ["p", "x"], ["y"]),
    ]
    path = save(tmp_path / "a.onnx", nodes, {"x": ["b", "t", 16]}, {"y": ["b", "t", 16]}, {"w": (16, 16)})
    shape = read_onnx(path, {"b": 3, "t": 5})
    assert products(shape) == [(15, 16, 16, 1), (5, 5, 16, 3), (5, 16, 5, 3)]
    kinds = [step.kind for step in shape.work(Inference())]
    assert kinds == [WorkKind.WEIGHTS, WorkKind.ATTENTION, WorkKind.VECTOR, WorkKind.ATTENTION]


def test_uneven_padding_keeps_the_number_of_outputs(tmp_path):
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER", strides=[2, 2])]
    path = save(tmp_path / "s.onnx", nodes, {"x": [1, 3, 224, 224]}, {"y": [1, 4, 112, 112]}, {"w": (4, 3, 3, 3)})
    assert products(read_onnx(path)) == [(112 * 112, 4, 27, 1)]


def test_a_recurrent_layer_is_one_product_per_step(tmp_path):
    nodes = [helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=4)]
    path = save(tmp_path / "r.onnx", nodes, {"x": [7, 2, 3]}, {"y": [7, 1, 2, 4]}, {"w": (1, 16, 3), "r": (1, 16, 4)})
    (step,) = read_onnx(path).work(Inference())
    assert (step.count, step.layer) == (7, Gemm(m=2, n=16, k=7))


def test_external_weights_are_not_needed(tmp_path):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    path = save(tmp_path / "e.onnx", nodes, {"x": [4, 64]}, {"y": [4, 128]}, {"w": (64, 128)})
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    assert products(read_onnx(path)) == [(4, 128, 64, 1)]


@pytest.mark.parametrize("function", sorted(set(VECTOR_FUNCTIONS.values())))
def test_every_function_has_work(function):
    assert function_work(function).operations > 0


def test_files_that_are_refused(tmp_path):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    path = save(tmp_path / "m.onnx", nodes, {"x": ["n", 4]}, {"y": ["n", 5]}, {"w": (4, 5)})
    with pytest.raises(InputError, match="leaves the size of n open; give it, as in --dim n=1"):
        read_onnx(path)
    with pytest.raises(InputError, match="has no dimension 'm'; its open sizes are n"):
        read_onnx(path, {"n": 1, "m": 2})
    with pytest.raises(InputError, match="dimension n is 0, must be an integer of at least 1"):
        read_onnx(path, {"n": 0})
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"\x00nonsense\xff" * 50)
    with pytest.raises(InputError, match="cannot be read as ONNX"):
        read_onnx(str(bad))
    moves = [helper.make_node("Flatten", ["x"], ["y"])]
    path = save(tmp_path / "f.onnx", moves, {"x": [2, 4]}, {"y": [2, 4]}, {})
    with pytest.raises(InputError, match="no layer that an array or a vector unit runs"):
        read_onnx(path)
    relu = read_onnx(save(tmp_path / "r.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": [2]}, {"y": [2]}, {}))
    with pytest.raises(InputError, match="has the sizes of its file"):
        relu.work(Inference(batch=2))
