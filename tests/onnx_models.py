"""ONNX models that tests make, and what ONNX Runtime says of them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from simhw.catalog import get_method, get_scheme
from simhw.execution import Arithmetic
from simhw.executor import execute
from simhw.gemm.datapaths import get_datapath

DOMAINS = (("com.microsoft", 1), ("own", 1))


def model_of(nodes, given, constants, opset=21, outputs=("y",), functions=()):
    """Return a model whose inputs have a varying first axis; constants are arrays or TensorProtos."""
    inputs = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(x.dtype), ["samples", *x.shape[1:]])
        for key, x in given.items()
    ]
    tensors = [
        value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value), key)
        for key, value in constants.items()
    ]
    graph = helper.make_graph(nodes, "g", inputs, [onnx.ValueInfoProto(name=name) for name in outputs], tensors)
    domains = [helper.make_opsetid(name, version) for name, version in (("", opset), *DOMAINS)]
    return helper.make_model(graph, opset_imports=domains, ir_version=10, functions=list(functions))


def write(folder, nodes, given, constants, opset=21, outputs=("y",)):
    """Write a model into a folder; return its path."""
    path = str(folder / "model.onnx")
    onnx.save(model_of(nodes, given, constants, opset, outputs), path)
    return path


def runtime(path, given, optimize=False):
    """Return the first output that ONNX Runtime computes, by default node by node as the file says."""
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options).run(None, dict(given))[0]


def joined(given):
    """Return inputs as a network takes them: one array, or several as fields of one."""
    arrays = list(given.values())
    if len(arrays) == 1:
        return arrays[0]
    found = np.empty(len(arrays[0]), [(key, x.dtype, x.shape[1:]) for key, x in given.items()])
    for key, x in given.items():
        found[key] = x
    return found


def on_datapath(graph, x, name):
    """Run a graph on a datapath with its own scheme."""
    datapath = get_datapath(name)
    arithmetic = Arithmetic(datapath=datapath, scheme=get_scheme(datapath.scheme), method=get_method())
    return execute(graph, x, arithmetic)
