"""Details of ONNX that are easily missed, each against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import model_of, on_datapath, runtime, write

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.frontends.onnx import load_onnx
from simhw.graph.frontends.torch_export import import_module

OWN = "com.microsoft"


def numbers(*shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


@pytest.fixture
def agree(tmp_path):
    """Import and run a model; return the largest difference to ONNX Runtime, on the reference and on int8."""

    def compare(nodes, given, constants, opset=21, datapath="w8a8_int8"):
        path = write(tmp_path, nodes, given, constants, opset)
        wanted = runtime(path, given).astype(np.float32)
        (x,) = given.values()
        graph = import_module(load_onnx(path), x)
        found = run_float(graph, x), on_datapath(graph, x, datapath).outputs
        assert found[0].shape == wanted.shape
        return tuple(float(np.abs(result - wanted).max()) for result in found)

    return compare


CODES = {"s": np.float32(0.02), "one": np.float32(1)}


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize("step", ["MaxPool", "Relu"])
def test_codes_stay_codes_in_pooling_and_relu(agree, kind, step):
    """Pooling with padding, and a product behind it that the datapath computes on the very codes."""
    zero = np.asarray(100 if kind == "uint8" else -20, kind)
    attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]} if step == "MaxPool" else {}
    if step == "Relu" and kind == "uint8":
        pytest.skip("ONNX Runtime has no Relu of uint8")
    constants = {**CODES, "z": zero, "w": np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 2, 2)}
    constants |= {"wz": np.int8(0), "ws": np.float32(0.0137)}  # no sum lies at a tie
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node(step, ["q"], ["p"], **attributes),
        helper.make_node("DequantizeLinear", ["p", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["dw"]),
        helper.make_node("Conv", ["d", "dw"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["qc"]),
        helper.make_node("DequantizeLinear", ["qc", "s", "z"], ["y"]),
    ]
    assert agree(nodes, {"x": numbers(2, 3, 6, 6)}, constants) == (0, 0)


@pytest.mark.parametrize("change", ["none", "scale", "zero"])
def test_a_bias_of_another_scale_is_not_joined(agree, change):
    constants = {
        "s": np.float32(0.02), "z": np.uint8(100), "w": np.arange(-12, 12, dtype=np.int8).reshape(4, 6),
        "ws": np.float32(0.01), "wz": np.int8(0), "b": np.arange(-300, 300, 150, dtype=np.int32),
        "bs": np.float32(0.001 if change == "scale" else np.float32(0.02) * np.float32(0.01)),
        "bz": np.int32(0), "ys": np.float32(0.05),
    }  # fmt: skip
    bias = ["b", "bs"] if change != "zero" else ["b", "bs", "bz"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["dw"]),
        helper.make_node("DequantizeLinear", bias, ["db"]),
        helper.make_node("Gemm", ["d", "dw", "db"], ["c"], transB=1),
        helper.make_node("QuantizeLinear", ["c", "ys", "z"], ["qc"]),
        helper.make_node("DequantizeLinear", ["qc", "ys", "z"], ["y"]),
    ]
    reference, datapath = agree(nodes, {"x": numbers(3, 6)}, constants)
    assert reference == 0
    assert datapath == 0


@pytest.mark.parametrize("channels", [4, 6, 300])
@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4])
def test_narrow_zero_points_of_many_channels(agree, kind, channels):
    scale = np.linspace(0.05, 0.4, channels, dtype=np.float32)
    zero = helper.make_tensor("z", kind, [channels], [1] * channels)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=1),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], axis=1),
    ]
    assert agree(nodes, {"x": numbers(3, channels, scale=4)}, {"s": scale, "z": zero}) == (0, 0)


def test_casts_wrap_and_keep_their_type(agree):
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64),
        helper.make_node("Cast", ["i"], ["q"], to=TensorProto.UINT8),
        helper.make_node("MatMulInteger", ["q", "w"], ["m"]),
        helper.make_node("Cast", ["m"], ["y"], to=TensorProto.FLOAT),
    ]
    x = np.round(numbers(3, 6, scale=300)).astype(np.float32)
    assert agree(nodes, {"x": x}, {"w": np.arange(-12, 12, dtype=np.int8).reshape(6, 4)}) == (0, 0)


def test_a_permutation_that_moves_nothing_is_no_transposition(agree):
    constants = {**CODES, "z": np.uint8(100), "w": np.arange(36, dtype=np.int8).reshape(6, 6), "wz": np.int8(0)}
    constants["w_turned"] = np.ones((6, 6), np.int8)  # a name that a rewrite might take
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "s", "wz"], ["dw"]),
        helper.make_node("DequantizeLinear", ["w_turned", "s", "wz"], ["dt"]),
        helper.make_node("Transpose", ["dw"], ["same"], perm=[0, 1]),
        helper.make_node("Gemm", ["d", "same"], ["a"], transB=1),
        helper.make_node("MatMul", ["d", "dw"], ["b"]),
        helper.make_node("MatMul", ["d", "dt"], ["c"]),
        helper.make_node("Sum", ["a", "b", "c"], ["y"]),
    ]
    assert agree(nodes, {"x": numbers(3, 6)}, constants)[0] < 1e-4


RESIZED = [
    {"nearest_mode": "floor"},
    {"nearest_mode": "ceil"},
    {"mode": "linear", "scales": [1, 1, 1.5, 1]},
    {"scales": [1, 1, 1.7, 1.6], "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    {"scales": [1, 2, 2, 1]},
    {"mode": "linear", "scales": [1, 1, 0.2, 1], "coordinate_transformation_mode": "pytorch_half_pixel"},
    {"mode": "linear"},
    {"scales": [1, 1, 2, 3]},
]


@pytest.mark.parametrize("case", range(len(RESIZED)))
def test_a_resize_is_right_or_refused(agree, case):
    attributes = {"scales": [1, 1, 2, 2], "mode": "nearest", **RESIZED[case]}
    constants = {"roi": np.float32([]), "f": np.float32(attributes.pop("scales"))}
    node = helper.make_node("Resize", ["x", "roi", "f"], ["y"], **attributes)
    if case < 6:
        with pytest.raises(InputError, match=r"its mode is|no whole lengths|first two axes|to one pixel"):
            agree([node], {"x": numbers(2, 3, 5, 5)}, constants)
    else:
        assert max(agree([node], {"x": numbers(2, 3, 5, 5)}, constants)) < 1e-6


@pytest.mark.parametrize("operator", ["SkipLayerNormalization", "SkipSimplifiedLayerNormalization"])
def test_the_small_default_of_epsilon(agree, operator):
    node = helper.make_node(operator, ["x", "x", "w"], ["y"], domain=OWN)
    found = agree([node], {"x": numbers(3, 2, 6, scale=1e-3)}, {"w": numbers(6)})
    assert max(found) < 1e-3


def test_an_output_left_out_is_no_input(agree):
    constants = {
        "w": numbers(1, 12, 4, scale=0.3), "r": numbers(1, 12, 3, scale=0.3), "hi": np.float32(0.2),
    }  # fmt: skip
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["t", "w", "r"], ["", "h"], hidden_size=3),
        helper.make_node("Clip", ["h", "", "hi"], ["c"]),
        helper.make_node("Transpose", ["c"], ["y"], perm=[1, 0, 2]),
    ]
    assert agree(nodes, {"x": numbers(2, 5, 4)}, constants)[0] < 1e-6


@pytest.mark.parametrize(
    ("operator", "constants", "message"),
    [
        ("Div", {"c": np.asarray([7], np.int64)}, "an integer tensor is divided"),
        ("Pow", {"p": np.float32(-1)}, "integers are raised"),
    ],
)
def test_integers_that_would_become_fractions(agree, operator, constants, message):
    names = ["c", "i"] if operator == "Div" else ["i", "p"]
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64),
        helper.make_node(operator, names, ["d"]),
        helper.make_node("Cast", ["d"], ["y"], to=TensorProto.FLOAT),
    ]
    with pytest.raises(InputError, match=message):
        agree(nodes, {"x": np.full((2, 3), 6, np.float32)}, constants)


def test_small_things(agree):
    x = numbers(2, 3, 4)
    assert agree([helper.make_node("Flatten", ["x"], ["y"], axis=1)], {"x": x}, {}) == (0, 0)
    for operator in ("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceSum"):
        node = helper.make_node(operator, ["x", "a"], ["y"], noop_with_empty_axes=1)
        assert max(agree([node], {"x": x}, {"a": np.asarray([], np.int64)})) < 1e-6
    node = helper.make_node("LayerNormalization", ["x", "w"], ["y"], axis=-1)
    assert max(agree([node], {"x": x}, {"w": np.full(1, 1.5, np.float32)})) < 1e-5
    nodes = [
        helper.make_node("Greater", ["x", "h"], ["g"]),
        helper.make_node("And", ["g", "t"], ["b"]),
        helper.make_node("Cast", ["b"], ["y"], to=TensorProto.FLOAT),
    ]
    assert agree(nodes, {"x": x}, {"h": np.float32(0.3), "t": np.bool_(True)}) == (0, 0)
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("ReduceProd", ["s"], ["n"], keepdims=0),
        helper.make_node("Unsqueeze", ["n", "zero"], ["u"]),
        helper.make_node("Div", ["u", "twelve"], ["m"]),
        helper.make_node("Concat", ["m", "minus"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["y"]),
    ]
    constants = {"zero": np.asarray([0]), "twelve": np.asarray([12]), "minus": np.asarray([-1])}
    assert agree(nodes, {"x": x}, constants) == (0, 0)


def test_a_branch_inside_a_branch_reads_what_is_outside(agree):
    def graph(nodes, name="z"):
        return helper.make_graph(nodes, "branch", [], [onnx.ValueInfoProto(name=name)])

    inner = helper.make_node(
        "If", ["t"], ["z"], then_branch=graph([helper.make_node("Neg", ["d"], ["z"])]),
        else_branch=graph([helper.make_node("Abs", ["d"], ["z"])]),
    )  # fmt: skip
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["d"]),
        helper.make_node("If", ["t"], ["y"], then_branch=graph([inner]), else_branch=graph([inner])),
    ]
    assert agree(nodes, {"x": numbers(2, 3)}, {"two": np.float32(2), "t": np.bool_(True)}) == (0, 0)


def test_packed_weights(tmp_path):
    """FP4 and INT2 in their packed form; their lengths are checked in bits."""
    cases = {TensorProto.FLOAT4E2M1: [0.5, -6.0, 1.5, 3.0, 0.0, 2.0], TensorProto.INT2: [1, -2, 0, 1, -1, 0]}
    for kind, values in cases.items():
        tensor = helper.make_tensor("w", kind, [2, 3], values)
        packed = numpy_helper.from_array(numpy_helper.to_array(tensor), "w")
        for given in (tensor, packed):
            nodes = [
                helper.make_node("DequantizeLinear", ["w", "s"], ["d"]),
                helper.make_node("MatMul", ["x", "d"], ["y"]),
            ]
            path = str(tmp_path / "packed.onnx")
            x = numbers(4, 2)
            onnx.save(model_of(nodes, {"x": x}, {"w": given, "s": np.float32(0.5)}, 25), path)
            found = run_float(import_module(load_onnx(path), x), x)
            np.testing.assert_allclose(found, x @ (np.asarray(values, np.float32).reshape(2, 3) * 0.5), rtol=1e-6)
        packed.raw_data = packed.raw_data[:-1]
        onnx.save(model_of(nodes, {"x": x}, {"w": packed, "s": np.float32(0.5)}, 25), path)
        with pytest.raises(InputError, match="bytes for shape"):
            load_onnx(path)


def test_files_that_ask_for_too_much(tmp_path):
    """Loops, functions inside functions, sizes that fill a memory: refused, and soon."""
    path = str(tmp_path / "large.onnx")
    x = numbers(2, 3)
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["o"])],
        "body",
        [onnx.ValueInfoProto(name=name) for name in ("i", "c")],
        [onnx.ValueInfoProto(name="o")],
    )
    domains = [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]
    functions = [helper.make_function("own", "f24", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], domains)]
    for level in range(24):
        twice = [helper.make_node(f"f{level + 1}", [a], [b], domain="own") for a, b in (("a", "m"), ("m", "b"))]
        functions.append(helper.make_function("own", f"f{level}", ["a"], ["b"], twice, domains))
    product = helper.make_node("Mul", ["x", "k"], ["y"])
    cases = [
        ([helper.make_node("Loop", ["n", "t"], ["k"], body=body), product], (), "Loop"),
        ([helper.make_node("f0", ["x"], ["y"], domain="own")], functions, "nodes, more than"),
        ([helper.make_node("ConstantOfShape", ["big"], ["k"]), product], (), "more than"),
        ([helper.make_node("Tile", ["x", "big"], ["y"])], (), "more than"),
    ]
    constants = {"n": np.int64(2**40), "t": np.bool_(True), "big": np.asarray([2**22, 2**22])}
    for nodes, own, message in cases:
        onnx.save(model_of(nodes, {"x": x}, constants, functions=own), path)
        with pytest.raises(InputError, match=message):
            import_module(load_onnx(path), x)


def test_many_nodes_of_one_name(tmp_path):
    path = str(tmp_path / "names.onnx")
    nodes = [helper.make_node("Neg", [f"v{i}"], [f"v{i + 1}"], name="same") for i in range(400)]
    nodes[0].input[0], nodes[-1].output[0] = "x", "y"
    onnx.save(model_of(nodes, {"x": numbers(2, 3)}, {}), path)
    module = load_onnx(path)
    assert len(list(module.children())) == 400
