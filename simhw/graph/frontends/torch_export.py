"""Import an ordinary ``torch.nn.Module`` through ``torch.export`` (ATen graph, not decomposed)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import fx, nn

from simhw.errors import InputError
from simhw.graph.base import Array, Graph, Node, Ref
from simhw.graph.frontends.labels import label_nodes
from simhw.graph.frontends.rewrite import fuse_rms_norm, remove_dead, split_attention
from simhw.graph.ops import by_aten


def import_module(module: nn.Module, example: Array) -> Graph:
    """Return the graph of ``module`` for inputs like ``example`` (its first axis, the sample, may vary).

    Raises InputError where ``torch.export`` refuses the module, and for an ATen operator that is not supported,
    with its node, its module path and what to do.
    """
    module.eval()
    tensor = torch.from_numpy(np.concatenate([example[:1]] * 2))
    try:
        with torch.no_grad():
            program = torch.export.export(
                module, (tensor,), dynamic_shapes=({0: torch.export.Dim("samples", min=1)},), strict=False
            )
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"module {type(module).__name__} cannot be exported by torch.export ({first}); "
            "its forward must be free of data-dependent control flow and accept any number of samples"
        ) from error
    return _convert(program)


def _convert(program: Any) -> Graph:
    constants = _constants(program)
    known = by_aten()
    nodes: list[Node] = []
    inputs: list[str] = []
    outputs: tuple[str, ...] = ()
    for node in program.graph.nodes:
        if node.op == "placeholder":
            if node.name not in constants:
                inputs.append(node.name)
        elif node.op == "output":
            outputs = tuple(item.name for item in node.args[0])
        elif _is_check(node):
            continue
        else:
            operator = _COMPOSITE.get(_overload(node)) or known.get(_overload(node)) or _arithmetic(node)
            if operator is None:
                raise InputError(_unsupported(node))
            kwargs = {key: _argument(value) for key, value in node.kwargs.items()}
            if operator == "attention":
                kwargs["head_dim"] = int(node.args[0].meta["val"].shape[-1])
            nodes.append(
                Node(
                    name=node.name,
                    operator=operator,
                    args=tuple(_argument(value) for value in node.args),
                    kwargs=kwargs,
                    label=_module_path(node),
                    source=_source_line(node),
                )
            )
    for rewrite in (split_attention, fuse_rms_norm):
        nodes = rewrite(nodes)
    nodes = label_nodes(remove_dead(nodes, outputs))
    return Graph(inputs=tuple(inputs), nodes=tuple(nodes), outputs=outputs, constants=constants)


def _constants(program: Any) -> dict[str, Array]:
    """Return weights, buffers and lifted constants by the name that nodes use."""
    signature = program.graph_signature
    stored = {**program.state_dict, **program.constants}
    targets = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    found = {}
    for name, target in targets.items():
        array = stored[target].detach().numpy()
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(
                f"weight {target!r} holds NaN or infinity, every weight must be finite; check the weights file"
            )
        found[name] = array
    return found


_COMPOSITE = {"scaled_dot_product_attention.default": "attention"}
"""Operators that a rewrite splits into steps."""

_CHECKS = ("_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range")


def _is_check(node: fx.Node) -> bool:
    return any(name in str(node.target) for name in _CHECKS)


def _overload(node: fx.Node) -> str:
    """Return ``linear.default`` for ``torch.ops.aten.linear.default``."""
    text = str(node.target)
    return text.removeprefix("aten.")


_INTEGER_ARITHMETIC = {"mul": "multiply", "add": "add", "sub": "subtract"}


def _arithmetic(node: fx.Node) -> str | None:
    """Return the operator for Python arithmetic on sizes (``operator.mul`` and the like)."""
    return _INTEGER_ARITHMETIC.get(getattr(node.target, "__name__", ""))


def _argument(value: Any) -> Any:
    if isinstance(value, fx.Node):
        return Ref(value.name)
    if isinstance(value, (list, tuple)):
        return tuple(_argument(item) for item in value)
    return value


def _module_path(node: fx.Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    paths = [str(path) for path, _ in stack.values()]
    return paths[-1] if paths else ""


def _source_line(node: fx.Node) -> str:
    """Return ``file:line`` of the innermost line that is not PyTorch's own."""
    lines = [line.strip() for line in str(node.meta.get("stack_trace") or "").splitlines() if "File " in line]
    own = [line for line in lines if "/torch/" not in line] or lines
    if not own:
        return ""
    parts = own[-1].split('"')
    return f"{parts[1]}:{parts[2].split('line ')[1].split(',')[0]}" if len(parts) > 2 else ""


def _unsupported(node: fx.Node) -> str:
    where = _module_path(node) or "the top module"
    line = _source_line(node)
    return (
        f"operator {node.target} (node {node.name!r}, module {where}{', ' + line if line else ''}) is not supported; "
        "add it to a file of simhw/graph/ops, or rewrite the module without it (see 'simhw list operators')"
    )
