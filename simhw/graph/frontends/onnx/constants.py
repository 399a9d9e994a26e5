"""What depends on no input: evaluated by ONNX's own reference, sizes with symbolic integers by NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from simhw.errors import InputError
from simhw.graph.frontends.onnx.ops.base import Context
from simhw.graph.frontends.onnx.values import Host, known

LARGEST = 1 << 16
"""Elements of a result that stays with the host."""
LARGEST_SUM = 1 << 20
"""Elements of inputs that the reference is asked about."""
_GROWS = {"ConstantOfShape", "Expand", "Tile", "Range", "OneHot", "EyeLike", "Resize", "Pad"}
"""Operators whose result may be far larger than their inputs."""


_OURS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "If"}
"""Operators that the reference is not asked for: it lacks old versions, or they have graphs in them."""


def evaluate(node: Any, inputs: Sequence[Host | None], context: Context, attributes: Mapping[str, Any]) -> Any:
    """Return the outputs of a node with constant inputs, or None where it is left to PyTorch."""
    if any(value is not None and value.dtype == object for value in inputs):
        symbolic = _SYMBOLIC.get(node.op_type)
        return None if symbolic is None else known(symbolic(context, *inputs, **attributes))
    if node.op_type in _GROWS and _size(node, inputs) > LARGEST:
        return None
    if node.domain not in ("", "ai.onnx") or node.op_type in _OURS or any(a.HasField("g") for a in node.attribute):
        return None
    if _sum_of_sizes(inputs) > LARGEST_SUM:
        return None
    from onnx import ValueInfoProto, helper
    from onnx.reference import ReferenceEvaluator

    try:
        given = [ValueInfoProto(name=name) for name in dict.fromkeys(node.input) if name]
        graph = helper.make_graph([node], "one", given, [ValueInfoProto(name=name) for name in node.output if name])
        session = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", context.opset)]))
        feeds = {name: value for name, value in zip(node.input, inputs, strict=True) if name}
        results = session.run(None, feeds)
    except Exception as error:  # of any kind, for a node of any content
        raise InputError(f"it cannot be evaluated ({error}); check the file") from error
    found = iter(results)
    return tuple(np.asarray(next(found)) if name else None for name in node.output)


def _sum_of_sizes(inputs: Sequence[Host | None]) -> int:
    """Return the elements of all inputs, or of what they broadcast to where that is more."""
    shapes = [value.shape for value in inputs if value is not None]
    try:
        together = math.prod(np.broadcast_shapes(*shapes))
    except ValueError:
        together = 0
    return max(together, sum(math.prod(shape) for shape in shapes))


def _size(node: Any, inputs: Sequence[Host | None]) -> float:
    """Return the elements of a result, as far as shapes tell."""
    if node.op_type == "ConstantOfShape" and inputs[0] is not None:
        return float(np.prod(inputs[0].astype(np.float64)))
    if node.op_type == "Range" and None not in inputs[:3]:
        start, limit, delta = (float(np.asarray(value).item()) for value in inputs[:3])
        return abs((limit - start) / delta) if delta else 0.0
    if node.op_type in ("Expand", "Tile") and inputs[0] is not None and inputs[1] is not None:
        return float(np.prod(inputs[1].astype(np.float64))) * max(1, inputs[0].size)
    return float("inf") if node.op_type in ("OneHot", "EyeLike", "Resize", "Pad") else 0.0


def _axes(axes: Any, given: Any) -> tuple[int, ...]:
    found = axes if given is None else given
    return tuple(int(axis) for axis in np.asarray(found).reshape(-1))


def _squeeze(_: Context, x: Host, given: Host | None = None, axes: Any = None) -> Host:
    wanted = given if given is not None else axes
    return np.squeeze(x, axis=None if wanted is None else _axes(None, wanted))


def _unsqueeze(_: Context, x: Host, given: Host | None = None, axes: Any = None) -> Host:
    return np.expand_dims(x, _axes(axes, given))


def _slice(_: Context, x: Host, starts: Host, ends: Host, axes: Host | None = None, steps: Host | None = None) -> Host:
    where: list[Any] = [slice(None)] * x.ndim
    count = len(starts)
    for start, end, axis, step in zip(
        starts, ends, range(count) if axes is None else axes, [1] * count if steps is None else steps, strict=True
    ):
        stop = int(end) if -(2**31) < end < 2**31 - 1 else None
        where[int(axis)] = slice(int(start), stop, int(step))
    return np.asarray(x[tuple(where)], object)


def _cast(_: Context, x: Host, to: int, **__: Any) -> Host:
    from onnx import TensorProto

    if to not in (TensorProto.INT64, TensorProto.INT32):
        raise InputError("a size that varies with the number of samples becomes a float; fix it in the export")
    return x


def _binary(function: Callable[[Any, Any], Any]) -> Callable[..., Host]:
    return lambda _, x, y: np.asarray(np.frompyfunc(function, 2, 1)(x, y), object)


def _product(_: Context, x: Host, *__: Any, keepdims: int = 1, **___: Any) -> Host:
    return np.asarray([np.prod(x)], object).reshape((1,) * keepdims * x.ndim)


def _smaller(x: Any, y: Any) -> Any:
    found: Any = torch.sym_min(x, y)  # type: ignore[no-untyped-call]
    return found


def _larger(x: Any, y: Any) -> Any:
    """Return the larger size; without asking whether there is more than one sample."""
    for one, other in ((x, y), (y, x)):
        if isinstance(one, int) and one <= 1:
            return other
    found: Any = torch.sym_max(x, y)  # type: ignore[no-untyped-call]
    return found


_SYMBOLIC: Mapping[str, Callable[..., Host]] = {
    "Identity": lambda _, x: x,
    "Cast": _cast,
    "Gather": lambda _, x, index, axis=0: np.asarray(np.take(x, index, axis=axis), object),
    "Concat": lambda _, *xs, axis: np.concatenate(xs, axis=axis),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Slice": _slice,
    "Reshape": lambda _, x, shape, allowzero=0: x.reshape([int(size) for size in shape]),  # noqa: ARG005
    "Add": _binary(lambda x, y: x + y),
    "Sub": _binary(lambda x, y: x - y),
    "Mul": _binary(lambda x, y: x * y),
    "Div": _binary(lambda x, y: x // y),
    "Mod": _binary(lambda x, y: x % y),
    "Min": _binary(_smaller),
    "Max": _binary(_larger),
    "Equal": _binary(lambda x, y: isinstance(x, int) and isinstance(y, int) and x == y),
    "Where": lambda _, condition, x, y: np.asarray(np.where(condition.astype(bool), x, y), object),
    "ReduceProd": lambda _, x, *__, keepdims=1, **___: np.asarray([np.prod(x)], object).reshape(
        (1,) * keepdims * x.ndim
    ),
}
"""Arithmetic on sizes: integers of at least 0, of which a symbolic one equals no known one."""
