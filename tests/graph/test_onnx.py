"""Every operator of the ONNX front end, traced and run, against ONNX Runtime on the same node."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_models import joined, runtime, write

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.frontends.onnx import load_onnx
from simhw.graph.frontends.onnx.ops import functions
from simhw.graph.frontends.torch_export import import_module

SAMPLES = 3
OPSET = 21


def numbers(*shape, low=-2.0, high=2.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def ints(*values):
    return np.asarray(values, np.int64)


def execute(path, given):
    """Return what the imported graph makes of the inputs."""
    inputs = joined(given)
    return run_float(import_module(load_onnx(path), inputs), inputs)


X = numbers(SAMPLES, 6)
IMAGE = numbers(SAMPLES, 4, 8, 8, seed=1)
SIGNAL = numbers(SAMPLES, 4, 10, seed=2)
POSITIVE = numbers(SAMPLES, 6, low=0.2, high=3.0, seed=3)
ELEMENTWISE = {
    **{
        name: (name, X)
        for name in (
            "Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Exp", "Sin", "Cos", "Erf", "Relu", "LeakyRelu", "Elu",
            "Celu", "Selu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "Mish", "Gelu",
            "Identity", "Dropout",
        )
    },
    **{name: (name, POSITIVE) for name in ("Sqrt", "Reciprocal", "Log")},
}  # fmt: skip
LIKE = numbers(6, seed=4)
BINARY = ("Add", "Sub", "Mul", "Div", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")
CASES = [
    # operator, inputs, constants, attributes
    *((op, {"x": X}, {"w": LIKE}, {}) for op in BINARY),
    *((op, {"x": X}, {"w": np.float32(0.75)}, {}) for op in ("Add", "Sub", "Mul", "Div", "Equal")),
    *((op, {"x": X, "w": X[::-1].copy()}, {}, {}) for op in ("Add", "Sub", "Mul", "Div")),
    *((op, {"x": X}, {"w": LIKE}, {}) for op in ("Sum", "Min", "Max", "Mean")),
    ("Pow", {"x": X}, {"w": np.float32(2)}, {}),
    ("Pow", {"x": POSITIVE}, {"w": np.float32(0.5)}, {}),
    ("PRelu", {"x": X}, {"w": LIKE}, {}),
    ("PRelu", {"x": X}, {"w": np.float32([0.25])}, {}),
    ("Clip", {"x": X}, {"low": np.float32(-1), "high": np.float32(0.5)}, {}),
    ("Clip", {"x": X}, {"low": np.float32(-1)}, {}),
    ("Gelu", {"x": X}, {}, {"approximate": "tanh"}),
    ("HardSigmoid", {"x": X}, {}, {"alpha": 1 / 6, "beta": 0.5}),
    ("LeakyRelu", {"x": X}, {}, {"alpha": 0.3}),
    ("Cast", {"x": X}, {}, {"to": TensorProto.INT64}),
    ("Cast", {"x": X}, {}, {"to": TensorProto.BOOL}),
    # Shapes
    ("Reshape", {"x": IMAGE}, {"s": ints(0, -1, 16)}, {}),
    ("Flatten", {"x": IMAGE}, {}, {}),
    ("Squeeze", {"x": IMAGE[:, :1]}, {"a": ints(1)}, {}),
    ("Unsqueeze", {"x": X}, {"a": ints(1, -1)}, {}),
    ("Transpose", {"x": IMAGE}, {}, {"perm": [0, 2, 3, 1]}),
    ("Concat", {"x": X, "z": X[::-1].copy()}, {}, {"axis": -1}),
    ("Slice", {"x": IMAGE}, {"s": ints(1, 0), "e": ints(2**62, -1), "a": ints(2, 3), "t": ints(2, 1)}, {}),
    ("Slice", {"x": IMAGE}, {"s": ints(-1), "e": ints(-(2**62)), "a": ints(3), "t": ints(-2)}, {}),
    ("Gather", {"x": IMAGE}, {"i": ints(3, -1, 0)}, {"axis": 2}),
    ("Gather", {"x": IMAGE}, {"i": np.int64(2)}, {"axis": 1}),
    ("Gather", {"x": IMAGE}, {"i": np.asarray([[0, 1], [2, 3]])}, {"axis": 1}),
    ("GatherElements", {"x": X, "i": np.full((SAMPLES, 2), 4)}, {}, {"axis": 1}),
    ("Expand", {"x": IMAGE[:, :1]}, {"s": ints(1, 5, 8, 1)}, {}),
    ("Tile", {"x": X}, {"r": ints(1, 3)}, {}),
    ("Trilu", {"x": IMAGE}, {}, {"upper": 0}),
    ("Trilu", {"x": IMAGE}, {"k": np.int64(1)}, {"upper": 1}),
    ("Pad", {"x": IMAGE}, {"p": ints(0, 0, 1, 2, 0, 0, 3, 0), "v": np.float32(0.5)}, {}),
    ("Pad", {"x": IMAGE}, {"p": ints(0, 0, 1, 2, 0, 0, 3, 1)}, {"mode": "reflect"}),
    ("Pad", {"x": IMAGE}, {"p": ints(0, 0, 1, 2, 0, 0, 3, 1)}, {"mode": "edge"}),
    ("DepthToSpace", {"x": IMAGE}, {}, {"blocksize": 2}),
    ("DepthToSpace", {"x": IMAGE}, {}, {"blocksize": 2, "mode": "CRD"}),
    ("SpaceToDepth", {"x": IMAGE}, {}, {"blocksize": 2}),
    # Reductions
    *(
        (f"Reduce{kind}", {"x": IMAGE}, {"a": ints(-1, 1)}, {"keepdims": keep})
        for kind in ("Mean", "Sum", "Max", "Min", "L1", "L2", "SumSquare", "LogSumExp")
        for keep in (0, 1)
    ),
    ("Softmax", {"x": IMAGE}, {}, {"axis": 1}),
    ("LogSoftmax", {"x": IMAGE}, {}, {}),
    ("ArgMax", {"x": IMAGE}, {}, {"axis": 1, "keepdims": 0}),
    ("TopK", {"x": X}, {"k": ints(3)}, {}),
    ("CumSum", {"x": X}, {"a": np.int64(1)}, {}),
    # Windows
    ("Conv", {"x": IMAGE}, {"w": numbers(6, 4, 3, 3), "b": numbers(6)}, {"pads": [1, 1, 1, 1], "strides": [2, 1]}),
    ("Conv", {"x": IMAGE}, {"w": numbers(6, 2, 3, 2)}, {"group": 2, "pads": [0, 1, 2, 0], "dilations": [1, 2]}),
    ("Conv", {"x": IMAGE}, {"w": numbers(6, 4, 3, 3)}, {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("Conv", {"x": IMAGE}, {"w": numbers(6, 4, 2, 2)}, {"auto_pad": "SAME_LOWER"}),
    ("Conv", {"x": SIGNAL}, {"w": numbers(6, 4, 3), "b": numbers(6)}, {"pads": [1, 0]}),
    ("ConvTranspose", {"x": IMAGE}, {"w": numbers(4, 3, 2, 2), "b": numbers(3)}, {"strides": [2, 2]}),
    ("MaxPool", {"x": IMAGE}, {}, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ("MaxPool", {"x": IMAGE}, {}, {"kernel_shape": [3, 2], "pads": [0, 0, 1, 1]}),
    ("MaxPool", {"x": SIGNAL}, {}, {"kernel_shape": [2], "strides": [2]}),
    ("AveragePool", {"x": IMAGE}, {}, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    ("AveragePool", {"x": IMAGE}, {}, {"kernel_shape": [3, 3], "pads": [0, 0, 1, 1]}),
    ("AveragePool", {"x": IMAGE}, {}, {"kernel_shape": [3, 3], "pads": [0, 0, 1, 1], "count_include_pad": 1}),
    ("AveragePool", {"x": SIGNAL}, {}, {"kernel_shape": [2]}),
    ("GlobalAveragePool", {"x": IMAGE}, {}, {}),
    ("GlobalMaxPool", {"x": IMAGE}, {}, {}),
    ("Resize", {"x": IMAGE}, {"roi": np.float32([]), "s": np.float32([1, 1, 2, 2])}, {"mode": "nearest"}),
    (
        "Resize",
        {"x": IMAGE},
        {"roi": np.float32([]), "s": np.float32([1, 1, 1.5, 2])},
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    ("Resize", {"x": IMAGE}, {"roi": np.float32([]), "s": np.float32([1, 1, 2, 2])}, {"mode": "linear"}),
    # Products
    ("MatMul", {"x": X}, {"w": numbers(6, 5)}, {}),
    ("MatMul", {"x": IMAGE, "z": IMAGE[::-1].copy()}, {}, {}),
    ("Gemm", {"x": X}, {"w": numbers(6, 5), "b": numbers(5)}, {}),
    ("Gemm", {"x": X}, {"w": numbers(5, 6), "b": numbers(1, 5)}, {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Einsum", {"x": IMAGE, "z": IMAGE[::-1].copy()}, {}, {"equation": "bchw,bcvw->bchv"}),
    (
        "BatchNormalization",
        {"x": IMAGE},
        {"w": numbers(4), "b": numbers(4, seed=5), "m": numbers(4, seed=6), "v": numbers(4, low=0.1, high=2.0)},
        {"epsilon": 1e-3},
    ),
    ("InstanceNormalization", {"x": IMAGE}, {"w": numbers(4), "b": numbers(4, seed=5)}, {}),
    ("LayerNormalization", {"x": IMAGE}, {"w": numbers(8), "b": numbers(8, seed=5)}, {}),
    ("GroupNormalization", {"x": IMAGE}, {"w": numbers(4), "b": numbers(4, seed=5)}, {"num_groups": 2}),
]


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_functions_of_one_number(name, tmp_path):
    operator, x = ELEMENTWISE[name]
    path = write(tmp_path, [helper.make_node(operator, ["x"], ["y"])], {"x": x}, {})
    np.testing.assert_allclose(execute(path, {"x": x}), runtime(path, {"x": x}), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("case", range(len(CASES)), ids=[f"{case[0]}_{index}" for index, case in enumerate(CASES)])
def test_operators(case, tmp_path):
    operator, given, constants, attributes = CASES[case]
    outputs = ["y", "z2"] if operator == "TopK" else ["y"]
    order = [*given, *constants]
    if operator == "Concat":
        order = list(given)
    node = helper.make_node(operator, order, outputs, **attributes)
    path = write(tmp_path, [node], given, constants, 20 if operator == "Gelu" else OPSET)
    found, wanted = execute(path, given), runtime(path, given)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted.astype(np.float32), rtol=2e-5, atol=2e-5)


OLD = [
    # Operators whose attributes became inputs, in the form of opset 11.
    ("Squeeze", {"x": IMAGE[:, :1]}, {}, {"axes": [1]}),
    ("Unsqueeze", {"x": X}, {}, {"axes": [1]}),
    ("ReduceSum", {"x": IMAGE}, {}, {"axes": [1, 2], "keepdims": 0}),
    ("ReduceMean", {"x": IMAGE}, {}, {"axes": [-1]}),
    ("Softmax", {"x": IMAGE}, {}, {}),
    ("LogSoftmax", {"x": X}, {}, {}),
    ("BatchNormalization", {"x": IMAGE}, {"w": LIKE[:4], "b": LIKE[:4], "m": LIKE[:4], "v": POSITIVE[0, :4]}, {}),
]


@pytest.mark.parametrize("case", range(len(OLD)), ids=[case[0] for case in OLD])
def test_operators_of_opset_11(case, tmp_path):
    operator, given, constants, attributes = OLD[case]
    node = helper.make_node(operator, [*given, *constants], ["y"], **attributes)
    path = write(tmp_path, [node], given, constants, 11)
    np.testing.assert_allclose(execute(path, given), runtime(path, given), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_recurrent_layers(layer, directions, tmp_path):
    gates = {"LSTM": 4, "GRU": 3}[layer]
    weights = {
        "w": numbers(directions, gates * 5, 6, low=-0.5, high=0.5),
        "r": numbers(directions, gates * 5, 5, low=-0.5, high=0.5, seed=1),
        "b": numbers(directions, 2 * gates * 5, seed=2),
    }
    more = {"linear_before_reset": 1} if layer == "GRU" else {}
    direction = "bidirectional" if directions == 2 else "forward"
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node(layer, ["t", "w", "r", "b"], ["o"], hidden_size=5, direction=direction, **more),
        helper.make_node("Transpose", ["o"], ["y"], perm=[2, 0, 1, 3]),
    ]
    x = numbers(SAMPLES, 7, 6)
    path = write(tmp_path, nodes, {"x": x}, weights)
    np.testing.assert_allclose(execute(path, {"x": x}), runtime(path, {"x": x}), rtol=2e-5, atol=2e-6)


def test_where_split_and_the_logic(tmp_path):
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2),
        helper.make_node("Less", ["a", "b"], ["less"]),
        helper.make_node("Greater", ["a", "half"], ["more"]),
        helper.make_node("And", ["less", "more"], ["both"]),
        helper.make_node("Or", ["less", "more"], ["one"]),
        helper.make_node("Not", ["both"], ["no"]),
        helper.make_node("And", ["one", "no"], ["exclusive"]),
        helper.make_node("Where", ["exclusive", "a", "b"], ["w"]),
        helper.make_node("CastLike", ["exclusive", "w"], ["mask"]),
        helper.make_node("Add", ["w", "mask"], ["y"]),
    ]
    path = write(tmp_path, nodes, {"x": X}, {"half": np.float32(0.5)})
    np.testing.assert_array_equal(execute(path, {"x": X}), runtime(path, {"x": X}))


def test_sizes_that_the_file_computes_from_the_number_of_samples(tmp_path):
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["samples"], axis=0),
        helper.make_node("Mul", ["samples", "two"], ["double"]),
        helper.make_node("Div", ["double", "two"], ["again"]),
        helper.make_node("Unsqueeze", ["again", "axis"], ["first"]),
        helper.make_node("Concat", ["first", "rest"], ["sizes"], axis=0),
        helper.make_node("Equal", ["sizes", "minus"], ["wild"]),
        helper.make_node("Where", ["wild", "sizes", "sizes"], ["chosen"]),
        helper.make_node("Max", ["chosen", "ones"], ["wide"]),
        helper.make_node("ConstantOfShape", ["wide"], ["zeros"], value=numpy_helper.from_array(np.float32([2]))),
        helper.make_node("Reshape", ["x", "sizes"], ["halves"]),
        helper.make_node("Add", ["halves", "zeros"], ["y"]),
    ]
    constants = {
        "zero": np.int64(0),
        "two": np.int64(2),
        "axis": ints(0),
        "rest": ints(2, 3),
        "minus": ints(-1, -1, -1),
        "ones": ints(1, 1, 1),
    }
    path = write(tmp_path, nodes, {"x": X}, constants)
    np.testing.assert_array_equal(execute(path, {"x": X}), runtime(path, {"x": X}))


def test_size_and_known_shapes_are_constants(tmp_path):
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], start=1),
        helper.make_node("Cast", ["shape"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Sqrt", ["real"], ["root"]),
        helper.make_node("Div", ["x", "root"], ["y"]),
    ]
    path = write(tmp_path, nodes, {"x": X}, {})
    np.testing.assert_array_equal(execute(path, {"x": X}), runtime(path, {"x": X}))
    assert functions()["Size"](None, torch.zeros(2, 3)).item() == 6


def test_attention(tmp_path):
    q, k, v = (numbers(SAMPLES, 5, 12, seed=seed) for seed in range(3))
    given = {"q": q, "k": k[:, :, :6].copy(), "v": v[:, :, :6].copy()}
    node = helper.make_node("Attention", list(given), ["y"], q_num_heads=4, kv_num_heads=2, is_causal=1)
    path = write(tmp_path, [node], given, {}, 23)
    np.testing.assert_allclose(execute(path, given), runtime(path, given), rtol=2e-5, atol=2e-6)


def test_rms_norm_and_swish(tmp_path):
    """RMSNormalization against ONNX Runtime, Swish, which it may lack, against its formula."""
    node = helper.make_node("RMSNormalization", ["x", "w"], ["y"], epsilon=1e-3)
    path = write(tmp_path, [node], {"x": X}, {"w": LIKE}, 23)
    np.testing.assert_allclose(execute(path, {"x": X}), runtime(path, {"x": X}), rtol=2e-6, atol=2e-6)
    path = write(tmp_path, [helper.make_node("Swish", ["x"], ["y"], alpha=1.5)], {"x": X}, {}, 24)
    np.testing.assert_allclose(execute(path, {"x": X}), X / (1 + np.exp(-1.5 * X)), rtol=2e-6, atol=2e-6)


MICROSOFT = [
    ("Gelu", ["x"], {}, {}),
    ("BiasGelu", ["x", "w"], {"w": LIKE}, {}),
    ("FastGelu", ["x", "w"], {"w": LIKE}, {}),
    ("QuickGelu", ["x"], {}, {"alpha": 1.702}),
    ("FusedMatMul", ["x", "w"], {"w": numbers(5, 6)}, {"transB": 1, "alpha": 0.5}),
    ("SkipLayerNormalization", ["x", "x", "w", "b"], {"w": LIKE, "b": LIKE[::-1].copy()}, {"epsilon": 1e-5}),
    ("SkipSimplifiedLayerNormalization", ["x", "x", "w"], {"w": LIKE}, {"epsilon": 1e-5}),
]


@pytest.mark.parametrize("case", range(len(MICROSOFT)), ids=[case[0] for case in MICROSOFT])
def test_operators_of_onnx_runtime(case, tmp_path):
    operator, names, constants, attributes = MICROSOFT[case]
    x = numbers(SAMPLES, 2, 6)
    node = helper.make_node(operator, names, ["y"], domain="com.microsoft", **attributes)
    path = write(tmp_path, [node], {"x": x}, constants)
    np.testing.assert_allclose(execute(path, {"x": x}), runtime(path, {"x": x}), rtol=2e-3, atol=2e-4)


def test_a_constant_condition_runs_its_branch(tmp_path):
    def branch(factor):
        nodes = [
            helper.make_node("Constant", [], ["c"], value_float=factor),
            helper.make_node("Mul", ["x", "c"], ["z"]),
        ]
        return helper.make_graph(nodes, "branch", [], [onnx.ValueInfoProto(name="z")])

    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], start=1, end=2),
        helper.make_node("Equal", ["shape", "six"], ["is_six"]),
        helper.make_node("If", ["is_six"], ["y"], then_branch=branch(3.0), else_branch=branch(5.0)),
    ]
    path = write(tmp_path, nodes, {"x": X}, {"six": ints(6)})
    np.testing.assert_array_equal(execute(path, {"x": X}), X * 3)
    nodes[1:] = [
        helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
        helper.make_node("Greater", ["m", "half"], ["is_six"]),
        nodes[2],
    ]
    path = write(tmp_path, nodes, {"x": X}, {"half": np.float32(0.5)})
    with pytest.raises(InputError, match="its condition is computed from the input"):
        execute(path, {"x": X})


def test_labels_are_the_names_of_the_file(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["t"], name="/block.0/attn/MatMul"),
        helper.make_node("Relu", ["t"], ["r"], name="/block.0/attn"),
        helper.make_node("MatMul", ["r", "v"], ["y"], name="type"),
    ]
    path = write(tmp_path, nodes, {"x": X}, {"w": numbers(6, 6), "v": numbers(6, 2)})
    graph = import_module(load_onnx(path), X)
    assert [node.label for node in graph.nodes] == ["block.0.attn.MatMul", "block.0.attn_", "type_"]


def test_another_output(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["z"])]
    path = write(tmp_path, nodes, {"x": X}, {}, outputs=("y", "z"))
    np.testing.assert_array_equal(run_float(import_module(load_onnx(path, "z"), X), X), -X)
    with pytest.raises(InputError, match="has no output 'w'; it has y, z"):
        load_onnx(path, "w")


REFUSED = [
    ("Det", ["x"], {}, {}, "operator is not supported; add it to a file of simhw/graph/frontends/onnx/ops"),
    ("CumSum", ["x", "a"], {"a": np.int64(1)}, {"reverse": 1}, "exclusive or reversed"),
    ("CumSum", ["x", "a"], {"a": np.int64(0)}, {}, "combines different samples"),
    ("Resize", ["x", "r", "s"], {"r": np.float32([]), "s": np.float32([1, 1, 2, 2])}, {"mode": "cubic"}, "its mode is"),
    ("Reshape", ["x", "s"], {"s": ints(3, -1)}, {}, "accept any number of samples|combines different samples"),
    ("LeakyRelu", ["x"], {}, {"beta": 1.0}, "its attribute 'beta' is not supported"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)), ids=[case[0] for case in REFUSED])
def test_what_is_refused_names_the_node(case, tmp_path):
    operator, names, constants, attributes, message = REFUSED[case]
    node = helper.make_node(operator, names, ["y"], name="here", **attributes)
    path = write(tmp_path, [node], {"x": IMAGE}, constants)
    with pytest.raises(InputError, match=message) as error:
        execute(path, {"x": IMAGE})
    assert "here" in str(error.value) or "samples" in str(error.value)


def test_every_operator_has_a_test():
    here = {name for name, _ in ELEMENTWISE.values()} | {case[0] for case in (*CASES, *OLD)}
    here |= {f"com.microsoft.{case[0]}" for case in MICROSOFT}
    here |= {"LSTM", "GRU", "Where", "Split", "And", "Or", "Not", "CastLike", "Shape", "Size", "ConstantOfShape"}
    here |= {"Attention", "RMSNormalization", "Swish"}
    codes = {name for name in functions() if any(part in name for part in ("uantize", "QLinear", "Integer", "QGemm"))}
    # The last is ONNX Runtime's name of RMS norm; codes have tests of their own.
    assert functions().keys() - here - codes == {"SimplifiedLayerNormalization"}
