"""Networks that ONNX Runtime quantized, and weights that a file stores as codes: whole files, bit by bit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from onnx_models import on_datapath, runtime, write

from simhw.catalog import get_method, get_scheme
from simhw.execution import Arithmetic
from simhw.executor import execute, run_float
from simhw.gemm.datapaths import get_datapath
from simhw.graph.frontends.onnx import load_onnx
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.ops.quantize_linear import CODE_TYPES

_TENSOR = {
    "int4": TensorProto.INT4,
    "uint4": TensorProto.UINT4,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
}


class Small(torch.nn.Module):
    """A convolution, an attention block and a classifier."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1, stride=2)
        self.norm = torch.nn.BatchNorm2d(8)
        self.depthwise = torch.nn.Conv2d(8, 8, 3, groups=8, padding=1)
        self.block = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.last = torch.nn.Linear(8, 5)

    def forward(self, x):
        x = torch.nn.functional.hardswish(self.depthwise(torch.relu(self.norm(self.first(x)))))
        x = torch.nn.functional.max_pool2d(x, 2).flatten(2).transpose(1, 2)
        return self.last(self.block(x).mean(1))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A float network as ONNX, made by torch."""
    torch.manual_seed(0)
    path = str(tmp_path_factory.mktemp("small") / "float.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = torch.randn(2, 3, 16, 16)
        axes = {"x": {0: "samples"}}
        torch.onnx.export(
            Small().eval(), (x,), path, opset_version=17, dynamo=False, input_names=["x"], dynamic_axes=axes
        )
    return path


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("activation", ["QUInt8", "QInt8"])
@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_a_network_that_onnx_runtime_quantized(small, tmp_path, form, activation, per_channel):
    """QDQ and QLinear forms: every output equals ONNX Runtime's, bit by bit, on the reference and on the datapath."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = [np.random.default_rng(1).standard_normal((4, 3, 16, 16)).astype(np.float32)]

        def get_next(self):
            return {"x": self.left.pop()} if self.left else None

    path = str(tmp_path / "quantized.onnx")
    quantize_static(
        small,
        path,
        Reader(),
        quant_format=QuantFormat[form],
        per_channel=per_channel,
        activation_type=QuantType[activation],
        weight_type=QuantType.QInt8,
    )
    x = np.random.default_rng(0).standard_normal((8, 3, 16, 16)).astype(np.float32)
    graph = import_module(load_onnx(path), x)
    coded = [node for node in graph.nodes if node.operator.startswith("coded")]
    assert len(coded) == 9
    wanted = runtime(path, {"x": x})
    np.testing.assert_array_equal(run_float(graph, x), wanted)
    result = on_datapath(graph, x, "w8a8_int8")
    np.testing.assert_array_equal(result.outputs, wanted)
    assert all(step.noise.sqnr_db == np.inf for step in result.steps)
    if form == "QOperator":  # without decomposed norms and GELUs, which its optimizer fuses in float
        np.testing.assert_array_equal(runtime(path, {"x": x}, optimize=True), wanted)
    scheme = get_scheme("mxfp4")
    other = Arithmetic(datapath=get_datapath("mxfp4"), scheme=scheme, method=get_method())
    assert execute(graph, x, other).noise.sqnr_db < 30  # another datapath multiplies other codes


@pytest.mark.parametrize("form", ["matmul", "gemm", "gemm_turned"])
@pytest.mark.parametrize("kind", ["int4", "uint4", "int8", "uint8"])
def test_weights_that_are_codes_run_as_codes(tmp_path, kind, form):
    """Groups along k, and one scale per column; the codes stand for the very values that ONNX Runtime multiplies."""
    r = np.random.default_rng(0)
    k, n, block = 48, 10, 16
    low, high = (CODE_TYPES[kind].low, CODE_TYPES[kind].high + 1)
    x = r.standard_normal((4, 3, k) if form == "matmul" else (4, k)).astype(np.float32)
    codes = r.integers(low, high, (k, n))
    for blocks in (True, False):
        scale = r.uniform(0.01, 0.1, (k // block, n) if blocks else n).astype(np.float32)
        zero = r.integers(low, high, scale.shape)
        turned = form == "gemm_turned"
        constants = {"w": codes.T if turned else codes, "z": zero.T if turned else zero}
        narrow = helper.tensor_dtype_to_np_dtype(_TENSOR[kind])
        constants = {key: value.astype(narrow) for key, value in constants.items()}
        constants["s"] = scale.T.copy() if turned else scale
        axis = (0, 1)[blocks] if turned else (1, 0)[blocks]
        more = {"block_size": block} if blocks else {}
        product = (
            helper.make_node("MatMul", ["x", "d"], ["y"])
            if form == "matmul"
            else helper.make_node("Gemm", ["x", "d"], ["y"], transB=int(turned))
        )
        nodes = [helper.make_node("DequantizeLinear", ["w", "s", "z"], ["d"], axis=axis, **more), product]
        path = write(tmp_path, nodes, {"x": x}, constants)
        graph = import_module(load_onnx(path), x)
        ((name, stored),) = graph.stored.items()
        np.testing.assert_array_equal(stored.operand.dequantize()[0].astype(np.float32), graph.constants[name])
        assert stored.operand.group_size == (block if blocks else None)
        np.testing.assert_allclose(run_float(graph, x), runtime(path, {"x": x}), rtol=1e-5, atol=1e-4)
        if kind in ("int4", "uint4"):
            datapath = get_datapath("w4a16_mixpe")
            scheme = get_scheme(datapath.scheme)
            arithmetic = Arithmetic(datapath=datapath, scheme=scheme, method=get_method(), stored=graph.stored)
            result = execute(graph, x, arithmetic)
            assert result.steps[-1].weight.group_size == (block if blocks else None)
            assert result.noise.sqnr_db > 55  # only the activations' fp16 is lost
