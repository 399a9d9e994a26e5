"""Codes of ONNX: bit by bit what ONNX's test vectors and ONNX Runtime give, on the reference and on the datapath."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_models import joined, on_datapath, runtime, write

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.frontends.onnx import load_onnx
from simhw.graph.frontends.onnx.file import OnnxFile
from simhw.graph.frontends.onnx.module import OnnxModule
from simhw.graph.frontends.onnx.values import carried
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.ops import operators
from simhw.graph.ops.quantize_linear import CODE_TYPES, dequantize_linear, dynamic_quantize_linear, quantize_linear

TYPES = {
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearMatMul", "QLinearConv", "MatMulInteger",
    "ConvInteger",
}  # fmt: skip
EXACT_DATAPATHS = ("w8a8_int8", "bit_serial_w8a8", "onnxruntime_int8")


def node_tests():
    """Return the vectors that the onnx package makes for these operators by code of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    return {
        case.name: case
        for case in cases
        if len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in TYPES
    }


NODE_TESTS = node_tests()
NO_TYPES = ("bfloat16", "float16")
"""Here all floats are float32: vectors of narrower ones are not ours."""


def array_of(value):
    """Return a vector's array, which the package gives as NumPy's or as a TensorProto."""
    return np.asarray(value) if isinstance(value, np.ndarray | np.generic) else numpy_helper.to_array(value)


@pytest.mark.parametrize("name", sorted(NODE_TESTS))
def test_vectors_of_onnx(name):
    model = NODE_TESTS[name].model
    (node,) = model.graph.node
    inputs, outputs = NODE_TESTS[name].data_sets[0]
    arrays = [array_of(x) for x in inputs]
    if any(x.dtype.name in NO_TYPES for x in (*arrays, *map(array_of, outputs))):
        pytest.skip("16-bit floats are float32 here")
    names = [value.name for value in model.graph.input]
    given = dict(zip(names, arrays, strict=True))
    first = node.input[0]
    file = OnnxFile(
        path="vectors.onnx",
        opset=model.opset_import[0].version,
        graph=model.graph,
        constants={key: x for key, x in given.items() if key != first},
        inputs=(first,),
    )
    x = torch.from_numpy(carried(given[first]).copy())
    if node.op_type == "DynamicQuantizeLinear":
        x = x[None]  # one sample
    for output, wanted in zip(node.output, outputs, strict=True):
        found = OnnxModule(file, output)(x).numpy()
        expected = array_of(wanted)
        np.testing.assert_array_equal(
            found.reshape(expected.shape).astype(np.float64), expected.astype(np.float64), strict=True
        )


def test_the_vectors_are_there():
    assert len(NODE_TESTS) > 40
    assert {case.model.graph.node[0].op_type for case in NODE_TESTS.values()} == TYPES


def check(path, inputs):
    """The imported graph, its datapaths and ONNX Runtime give the same results, all of them."""
    x = joined(inputs)
    graph = import_module(load_onnx(path), x)
    wanted = runtime(path, inputs)
    np.testing.assert_array_equal(run_float(graph, x), wanted.astype(np.float32))
    for name in EXACT_DATAPATHS:
        found = on_datapath(graph, x, name)
        np.testing.assert_array_equal(found.outputs, wanted.astype(np.float32), err_msg=name)
    return graph


scales = st.floats(2.0**-12, 0.5, width=32)


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 2, 3]))
    channels, filters = draw(st.integers(1, 3)) * groups, draw(st.integers(1, 3)) * groups
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    r = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    act, weight = draw(st.sampled_from([(np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8)]))
    x = r.integers(*_range(act), (2, channels, draw(st.integers(3, 7)), draw(st.integers(3, 7)))).astype(act)
    w = r.integers(*_range(weight), (filters, channels // groups, *kernel)).astype(weight)
    per_channel = draw(st.booleans()) and weight is np.int8
    w_scale = r.uniform(0.001, 0.1, filters if per_channel else ()).astype(np.float32)
    w_zero = np.zeros(filters if per_channel else (), weight)
    if weight is np.uint8:
        w_zero = np.asarray(r.integers(0, 256), np.uint8)
    constants = {
        "x_scale": np.float32(draw(scales)),
        "x_zero": np.asarray(r.integers(*_range(act)), act),
        "w": w,
        "w_scale": w_scale,
        "w_zero": w_zero,
        "y_scale": np.float32(draw(scales)),
        "y_zero": np.asarray(r.integers(*_range(act)), act),
    }
    if draw(st.booleans()):
        constants["b"] = r.integers(-5000, 5000, filters).astype(np.int32)
    attributes = {
        "group": groups,
        "pads": draw(st.lists(st.integers(0, 2), min_size=4, max_size=4)),
        "strides": draw(st.lists(st.integers(1, 2), min_size=2, max_size=2)),
    }
    return x, constants, attributes


def _range(kind):
    info = np.iinfo(kind)
    return int(info.min), int(info.max) + 1


@settings(max_examples=8, deadline=None)
@given(convolutions())
def test_qlinear_conv_equals_onnx_runtime(tmp_path_factory, case):
    x, constants, attributes = case
    node = helper.make_node("QLinearConv", ["x", *constants], ["y"], **attributes)
    path = write(tmp_path_factory.mktemp("conv"), [node], {"x": x}, constants)
    check(path, {"x": x})


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_qlinear_matmul_equals_onnx_runtime(tmp_path_factory, data):
    """With a constant matrix, and of two activations."""
    r = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    act, weight = data.draw(st.sampled_from([(np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8)]))
    m, n, k = (data.draw(st.integers(1, 70)) for _ in range(3))
    constant = data.draw(st.booleans())
    x = r.integers(*_range(act), (2, m, k)).astype(act)
    w = r.integers(*_range(weight), (k, n) if constant else (2, k, n)).astype(weight)
    per_column = constant and weight is np.int8 and act is np.uint8 and data.draw(st.booleans())
    settings_of = {
        "x_scale": np.float32(data.draw(scales)),
        "x_zero": np.asarray(r.integers(*_range(act)), act),
        "w_scale": r.uniform(0.001, 0.1, n if per_column else ()).astype(np.float32),
        "w_zero": np.zeros(n, weight) if per_column else np.asarray(r.integers(*_range(weight)), weight),
        "y_scale": np.float32(data.draw(scales)),
        "y_zero": np.asarray(r.integers(*_range(act)), act),
    }
    names = ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero"]
    node = helper.make_node("QLinearMatMul", names, ["y"])
    folder = tmp_path_factory.mktemp("matmul")
    if constant:
        check(write(folder, [node], {"x": x}, {"w": w, **settings_of}), {"x": x})
    else:
        check(write(folder, [node], {"x": x, "w": w}, settings_of), {"x": x, "w": w})


@pytest.mark.parametrize("k", [9, 3000])
def test_integer_products_are_whole(tmp_path, k):
    """Sums beyond 2**24, which float32 would round."""
    x, w = np.full((2, 3, k), 255, np.uint8), np.full((k, 4), -128, np.int8)
    x[0, 0, 0], w[1, 1] = 1, 127
    node = helper.make_node("MatMulInteger", ["x", "w", "z"], ["y"])
    path = write(tmp_path, [node], {"x": x}, {"w": w, "z": np.uint8(3)})
    graph = import_module(load_onnx(path), x)
    wanted = (x.astype(np.int64) - 3) @ w.astype(np.int64)
    np.testing.assert_array_equal(runtime(path, {"x": x}), wanted)
    (step,) = (node for node in graph.nodes if node.operator == "coded_linear")
    constants = dict(graph.constants)
    args = [constants.get(a.name, x) if hasattr(a, "name") else a for a in step.args]
    found = operators()["coded_linear"].reference(*args)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, wanted)
    # A network's output is float32: the sums rounded once.
    np.testing.assert_array_equal(on_datapath(graph, x, "w8a8_int8").outputs, wanted.astype(np.float32))


def test_conv_integer(tmp_path):
    r = np.random.default_rng(0)
    x = r.integers(0, 256, (2, 3, 6, 5)).astype(np.uint8)
    w = r.integers(-128, 128, (4, 3, 3, 2)).astype(np.int8)
    node = helper.make_node("ConvInteger", ["x", "w", "z"], ["y"], pads=[1, 0, 0, 1])
    path = write(tmp_path, [node], {"x": x}, {"w": w, "z": np.uint8(130)})
    check(path, {"x": x})


def test_dynamic_quantization_of_one_sample_at_a_time(tmp_path):
    """The graph that ONNX Runtime's quantize_dynamic writes; its range is that of the batch, ours of the sample."""
    r = np.random.default_rng(0)
    x = r.standard_normal((4, 5, 16)).astype(np.float32)
    constants = {
        "w": r.integers(-128, 128, (16, 6)).astype(np.int8),
        "w_scale": np.float32(0.01),
        "w_zero": np.int8(0),
    }
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z", "w_zero"], ["i"]),
        helper.make_node("Mul", ["s", "w_scale"], ["f"]),
        helper.make_node("Cast", ["i"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["c", "f"], ["y"]),
    ]
    path = write(tmp_path, nodes, {"x": x}, constants)
    graph = import_module(load_onnx(path), x)
    wanted = np.concatenate([runtime(path, {"x": x[i : i + 1]}) for i in range(4)])
    np.testing.assert_array_equal(run_float(graph, x), wanted)
    found = on_datapath(graph, x, "w8a8_int8")
    np.testing.assert_array_equal(found.outputs, wanted)


MICROSOFT = [
    # On two operands of scale and zero point, then the result's.
    ("QLinearAdd", 2, {}),
    ("QLinearMul", 2, {}),
    ("QLinearLeakyRelu", 1, {"alpha": 0.1}),
    ("QLinearSigmoid", 1, {}),
]


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize("case", range(len(MICROSOFT)), ids=[case[0] for case in MICROSOFT])
def test_operators_on_codes_of_onnx_runtime(case, kind, tmp_path):
    """All pairs of codes. ONNX Runtime adds and multiplies in another order of float operations (see the module's
    documentation): QLinearAdd and QLinearMul may differ by one code where a result lies at a tie."""
    operator, operands, attributes = MICROSOFT[case]
    low, high = _range(kind)
    every = np.arange(low, high).astype(kind)
    a, b = (part.reshape(256, 256).copy() for part in (np.repeat(every, 256), np.tile(every, 256)))
    inputs = {"a": a, "b": b}
    constants = {
        "a_scale": np.float32(0.03), "a_zero": np.asarray(7, kind), "b_scale": np.float32(0.0173),
        "b_zero": np.asarray(-3 if kind == "int8" else 120, kind), "y_scale": np.float32(0.041),
        "y_zero": np.asarray(11, kind),
    }  # fmt: skip
    if operands == 1:
        inputs = {"a": a}
        constants = {key: value for key, value in constants.items() if key[0] != "b"}
    names = [f"{key}{part}" for key in inputs for part in ("", "_scale", "_zero")]
    node = helper.make_node(operator, [*names, "y_scale", "y_zero"], ["y"], domain="com.microsoft", **attributes)
    path = write(tmp_path, [node], inputs, constants)
    x = joined(inputs)
    found = run_float(import_module(load_onnx(path), x), x)
    wanted = runtime(path, inputs).astype(np.float32)
    different = found != wanted
    assert np.abs(found - wanted).max(initial=0) <= 1
    if operator in ("QLinearAdd", "QLinearMul"):
        assert different.mean() < 1e-3
    else:
        assert not different.any()


def test_pooling_concatenation_and_softmax_on_codes(tmp_path):
    r = np.random.default_rng(0)
    x = r.integers(0, 256, (3, 4, 6, 6)).astype(np.uint8)
    constants = {"s": np.float32(0.02), "z": np.uint8(100), "t": np.float32(0.015), "u": np.uint8(90)}
    own = "com.microsoft"
    cases = {
        "QLinearGlobalAveragePool": ([*"xsztu"], {"channels_last": 0}),
        "QLinearAveragePool": ([*"xsztu"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        "QLinearConcat": ([*"tuxszxsz"], {"axis": 1}),
        "QLinearSoftmax": ([*"xsztu"], {"axis": -1, "opset": 13}),
    }
    for operator, (names, attributes) in cases.items():
        path = write(
            tmp_path, [helper.make_node(operator, names, ["y"], domain=own, **attributes)], {"x": x}, constants
        )
        found = run_float(import_module(load_onnx(path), x), x)
        wanted = runtime(path, {"x": x}).astype(np.float32)
        assert np.abs(found - wanted).max() <= (1 if operator in ("QLinearAveragePool", "QLinearSoftmax") else 0)


def test_qgemm(tmp_path):
    r = np.random.default_rng(0)
    x = r.integers(0, 256, (3, 20)).astype(np.uint8)
    constants = {
        "s": np.float32(0.02), "z": np.uint8(100), "w": r.integers(-128, 128, (7, 20)).astype(np.int8),
        "ws": r.uniform(0.001, 0.01, 7).astype(np.float32), "wz": np.zeros(7, np.int8),
        "b": r.integers(-900, 900, 7).astype(np.int32), "t": np.float32(0.05), "u": np.uint8(90),
    }  # fmt: skip
    for names in ([*"xsz", "w", "ws", "wz", *"btu"], [*"xsz", "w", "ws", "wz", "b"]):
        node = helper.make_node("QGemm", names, ["y"], domain="com.microsoft", transB=1)
        path = write(tmp_path, [node], {"x": x}, constants)
        found = run_float(import_module(load_onnx(path), x), x)
        np.testing.assert_allclose(found, runtime(path, {"x": x}), rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(name for name, kind in CODE_TYPES.items() if kind.form is None)), st.data())
def test_codes_round_as_the_definition(to, data):
    """In exact arithmetic, from the float32 quotient on."""
    x = np.float32(data.draw(st.floats(-1e6, 1e6, width=32)))
    scale = np.float32(data.draw(st.floats(2.0**-10, 100, width=32)))
    kind = CODE_TYPES[to]
    zero = data.draw(st.integers(kind.low, kind.high))
    wanted = min(max(round(Fraction(float(x / scale))) + zero, kind.low), kind.high)
    found = quantize_linear(x, scale, np.asarray(zero), to=to)
    assert int(found) == wanted
    back = dequantize_linear(found, scale, np.asarray(zero))
    assert float(back) == float(np.float32(np.float32(int(found) - zero) * scale))


def test_blocks_axes_and_what_does_not_fit():
    r = np.random.default_rng(0)
    x = r.standard_normal((4, 6)).astype(np.float32)
    by_row = quantize_linear(x, np.float32([0.1, 0.2, 0.3, 0.4]), None, 0, 0, "int8")
    np.testing.assert_array_equal(by_row[2], quantize_linear(x[2], np.float32(0.3), None, 0, 0, "int8"))
    blocks = r.uniform(0.1, 0.4, (4, 3)).astype(np.float32)
    by_block = quantize_linear(x, blocks, None, 1, 2, "int4")
    np.testing.assert_array_equal(by_block[1, 2:4], quantize_linear(x[1, 2:4], blocks[1, 1], None, 0, 0, "int4"))
    with pytest.raises(InputError, match="scale has shape"):
        quantize_linear(x, np.float32([0.1, 0.2]), None, 0, 0, "int8")
    with pytest.raises(InputError, match="scale has shape"):
        dequantize_linear(by_row, blocks, None, 1, 1)
    with pytest.raises(InputError, match="type of codes is 'int7'"):
        quantize_linear(x, np.float32(1), None, to="int7")
    assert dynamic_quantize_linear(np.zeros((2, 3), np.float32))[1].tolist() == [[1.0], [1.0]]
