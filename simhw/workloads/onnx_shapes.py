"""The layers of an ONNX file, from the shapes that ONNX itself infers: weights are never read.

Convolutions and matrix products become GEMMs; functions with float operations become vector steps; everything else
moves values and is not counted. Weights in external files are neither loaded nor needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from simhw.arrays import Gemm
from simhw.arrays.convolution import Convolution
from simhw.errors import InputError
from simhw.workloads.base import Inference, Shape, Work, WorkKind, vector

VECTOR_FUNCTIONS: Mapping[str, str] = {
    **dict.fromkeys(("Relu", "LeakyRelu", "PRelu", "Max", "Min", "Abs", "Neg", "Where"), "relu"),
    **dict.fromkeys(("Clip", "HardSigmoid", "HardSwish"), "hardtanh"),
    **dict.fromkeys(("Sigmoid", "Softplus", "Exp", "Log", "Elu", "Selu"), "sigmoid"),
    **dict.fromkeys(("Gelu", "Erf", "FastGelu", "BiasGelu"), "gelu"),
    **dict.fromkeys(("Add", "Sum", "Sub", "CumSum"), "add"),
    **dict.fromkeys(("Mul", "Div", "Pow", "BatchNormalization"), "multiply"),
    **dict.fromkeys(("Sqrt", "Reciprocal"), "rsqrt"),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "GlobalAveragePool", "ReduceL2"), "mean"),
    **dict.fromkeys(("LayerNormalization", "SkipLayerNormalization", "GroupNormalization"), "layer_norm"),
    **dict.fromkeys(("InstanceNormalization", "LpNormalization"), "layer_norm"),
    **dict.fromkeys(("RMSNormalization", "SimplifiedLayerNormalization"), "rms_norm"),
    **dict.fromkeys(("MaxPool", "AveragePool"), "pool"),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"), "multiply"),
    "Softmax": "softmax",
    "LogSoftmax": "softmax",
    "Silu": "silu",
    "Swish": "silu",
    "Tanh": "tanh",
}
"""ONNX operator -> function of ``simhw.workloads.functions`` with the same operations per element."""
CONVOLUTIONS = ("Conv", "ConvInteger", "QLinearConv")
PRODUCTS = ("MatMul", "MatMulInteger", "QLinearMatMul")
_SECOND = {"QLinearConv": 3, "QLinearMatMul": 3}
"""Where the second operand stands among the inputs, if not second."""


@dataclass(frozen=True, kw_only=True)
class ListedNetwork(Shape):
    """A network as the list of its steps, for one size of its inputs.

    Attributes:
        steps: in order.
        stored: numbers in its weights.
        left_out: operators that only move values, and how many there are.
    """

    steps: tuple[Work, ...]
    stored: int
    left_out: Mapping[str, int]

    def __post_init__(self) -> None:
        if not self.steps:
            raise InputError(f"{self.name} has no layer that an array or a vector unit runs; give another file")

    @property
    def parameters(self) -> int:
        """Stored numbers."""
        return self.stored

    def work(self, inference: Inference) -> list[Work]:
        """Return the steps; sizes are those that the file was read with."""
        self.refuse_decode(inference)
        if inference.batch != 1 or inference.tokens is not None:
            raise InputError(f"{self.name} has the sizes of its file; set them when it is read, as in --dim batch=4")
        return list(self.steps)


def read_onnx(path: str, dims: Mapping[str, int] | None = None) -> ListedNetwork:
    """Return the layers of an ONNX file.

    Args:
        path: of the file.
        dims: sizes of its symbolic dimensions, by name.

    Raises:
        InputError: onnx is not installed, the file cannot be read, a size is not known or not positive, or an operator
            has a form that is not known.
    """
    if find_spec("onnx") is None:
        raise InputError("ONNX files need the package onnx, not installed; run: pip install 'simhw[onnx]'")
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # a file of any content: protobuf's own error has no public home
        raise InputError(f"{path!r} cannot be read as ONNX ({error}); give a model file") from error
    _bind(model.graph, dict(dims or {}), path)
    try:
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise InputError(f"the shapes of {path} cannot be inferred ({error}); check the model") from error
    graph = model.graph
    shapes = {value.name: _sizes(value) for value in (*graph.input, *graph.value_info, *graph.output)}
    weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    shapes |= weights
    steps: list[Work] = []
    left_out: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        name = node.name or f"{index}.{node.op_type}"
        found = _step(node, name, shapes, weights)
        if found is None:
            left_out[node.op_type] = left_out.get(node.op_type, 0) + 1
        else:
            steps.append(found)
    stored = sum(math.prod(sizes) for sizes in weights.values())
    return ListedNetwork(
        name=Path(path).stem,
        description=f"{Path(path).name}, {len(graph.node)} nodes",
        source=path,
        steps=tuple(steps),
        stored=stored,
        left_out=left_out,
    )


def _bind(graph: Any, dims: dict[str, int], path: str) -> None:
    """Put sizes in place of symbolic dimensions."""
    for name, size in dims.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InputError(f"dimension {name} is {size!r}, must be an integer of at least 1; give its size")
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    free: set[str] = set()
    for value in inputs:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0:
                continue
            name = dim.dim_param or f"{value.name}.{axis}"
            free.add(name)
            if name in dims:
                dim.dim_value = dims[name]
    missing = sorted(free - dims.keys())
    unknown = sorted(dims.keys() - free)
    if missing:
        raise InputError(f"{path} leaves the size of {', '.join(missing)} open; give it, as in --dim {missing[0]}=1")
    if unknown:
        known = f"its open sizes are {', '.join(sorted(free))}" if free else "it has no open size"
        raise InputError(f"{path} has no dimension {unknown[0]!r}; {known}; leave it out")


def _sizes(value: Any) -> tuple[int, ...] | None:
    dims = value.type.tensor_type.shape.dim
    sizes = tuple(int(dim.dim_value) for dim in dims)
    return sizes if all(size > 0 for size in sizes) else None


def _step(node: Any, name: str, shapes: Mapping[str, Sequence[int] | None], weights: Mapping[str, Any]) -> Work | None:
    kind = node.op_type
    if kind in CONVOLUTIONS or kind == "ConvTranspose":
        x, w = (_known(node, name, shapes, index) for index in (0, _SECOND.get(kind, 1)))
        return Work(name=name, layer=_convolution(node, name, x, w, shapes))
    if kind in PRODUCTS:
        second = _SECOND.get(kind, 1)
        x, y = _known(node, name, shapes, 0), _known(node, name, shapes, second)
        return _product(name, x, y, is_weight=node.input[second] in weights)
    if kind == "Gemm":
        x, w = _known(node, name, shapes, 0), _known(node, name, shapes, 1)
        flags = _attributes(node)
        m, k = (x[1], x[0]) if flags.get("transA") else (x[0], x[1])
        return Work(name=name, layer=Gemm(m=m, n=w[0] if flags.get("transB") else w[1], k=k))
    if kind in ("LSTM", "GRU", "RNN"):
        x, w, r = (_known(node, name, shapes, index) for index in range(3))
        # The input's product over all steps at once would need the recurrent one beside it: both, step by step.
        return Work(name=name, count=x[0], layer=Gemm(m=x[1], n=w[1], k=w[2] + r[2], batch=w[0]))
    if kind in VECTOR_FUNCTIONS:
        sizes = [math.prod(found) for found in map(shapes.get, (*node.input, *node.output)) if found is not None]
        if not sizes:
            raise InputError(f"node {name} ({kind}): no shape of it is known; give a file with static shapes")
        return vector(name, VECTOR_FUNCTIONS[kind], max(sizes))
    return None


def _known(node: Any, name: str, shapes: Mapping[str, Sequence[int] | None], index: int) -> tuple[int, ...]:
    found = shapes.get(node.input[index]) if index < len(node.input) else None
    if found is None:
        given = node.input[index] if index < len(node.input) else f"input {index}"
        raise InputError(
            f"node {name} ({node.op_type}): the shape of {given!r} is not known; give a file with static shapes, or "
            "run ONNX's shape inference on it"
        )
    return tuple(found)


def _attributes(node: Any) -> dict[str, Any]:
    from onnx.helper import get_attribute_value

    return {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}


def _product(name: str, x: tuple[int, ...], y: tuple[int, ...], *, is_weight: bool) -> Work:
    x, y = (x if len(x) > 1 else (1, *x)), (y if len(y) > 1 else (*y, 1))
    if is_weight and len(y) == 2:
        return Work(name=name, layer=Gemm(m=math.prod(x[:-1]), n=y[-1], k=x[-1]))
    batch = max(math.prod(x[:-2]), math.prod(y[:-2]))
    gemm = Gemm(m=x[-2], n=y[-1], k=x[-1], batch=batch)
    return Work(name=name, layer=gemm, kind=WorkKind.WEIGHTS if is_weight else WorkKind.ATTENTION)


def _convolution(
    node: Any, name: str, x: tuple[int, ...], w: tuple[int, ...], shapes: Mapping[str, Sequence[int] | None]
) -> Convolution | Gemm:
    flags = _attributes(node)
    groups = int(flags.get("group", 1))
    if node.op_type == "ConvTranspose":
        # Every input pixel makes a patch of outputs: one row of a GEMM over the channels.
        return Gemm(m=x[0] * math.prod(x[2:]), n=math.prod(w[1:]), k=x[1] // groups, batch=groups)
    axes = len(x) - 2
    if axes not in (1, 2):
        raise InputError(f"node {name} ({node.op_type}) has {axes} spatial axes, must have 1 or 2; leave it out")
    stride, dilation = (tuple(flags.get(key) or (1,) * axes) for key in ("strides", "dilations"))
    padding = _padding(node, name, flags, x[2:], w[2:], stride, dilation)
    results = shapes.get(node.output[0])
    one = axes == 1
    height, width = (1, x[2]) if one else x[2:]
    filter_height, filter_width = (1, w[2]) if one else w[2:]
    layer = Convolution(
        height=height,
        width=width,
        channels=x[1],
        filters=w[0],
        filter_height=filter_height,
        filter_width=filter_width,
        stride=(1, stride[0]) if one else (stride[0], stride[1]),
        padding=(0, padding[0]) if one else (padding[0], padding[1]),
        dilation=(1, dilation[0]) if one else (dilation[0], dilation[1]),
        groups=groups,
        batch=x[0],
    )
    if results is not None and layer.gemm.m != results[0] * math.prod(results[2:]):
        # Padding that differs from side to side: the same products, without what is known of overlapping windows.
        return replace(layer.gemm, m=results[0] * math.prod(results[2:]))
    return layer


def _padding(
    node: Any,
    name: str,
    flags: Mapping[str, Any],
    image: Sequence[int],
    window: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> list[int]:
    """Return the zeros on each side, those of both sides halved and rounded up."""
    axes = len(image)
    pads = list(flags.get("pads") or (0,) * (2 * axes))
    auto = flags.get("auto_pad", b"NOTSET").decode()
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max(0, (-(-size // s) - 1) * s + (w - 1) * d + 1 - size)
            for size, w, s, d in zip(image, window, stride, dilation, strict=True)
        ]
    elif auto in ("NOTSET", "VALID"):
        totals = [pads[axis] + pads[axes + axis] for axis in range(axes)]
    else:
        raise InputError(f"node {name} ({node.op_type}): auto_pad is {auto!r}, must be one of ONNX's; correct it")
    return [-(-total // 2) for total in totals]
