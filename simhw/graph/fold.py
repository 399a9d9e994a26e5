"""Batch norms folded into the convolutions before them: the same function, fewer steps."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from simhw.graph.base import Array, Graph, Node, Ref, inputs_of
from simhw.graph.ops.batch_norm import batch_norm

FOLDS_INTO = ("conv2d",)
"""Operators whose weight has the output channel as its first axis."""


def fold_batch_norms(graph: Graph) -> Graph:
    """Return the graph with every batch norm folded that alone uses the result of a convolution.

    Weight and bias of the convolution are scaled and shifted in float32, so sums round differently in their last bits.
    """
    uses = Counter(name for node in graph.nodes for name in inputs_of(node)) + Counter(graph.outputs)
    by_name = {node.name: node for node in graph.nodes}
    constants: dict[str, Array] = dict(graph.constants)
    folded: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in graph.nodes:
        before = by_name.get(node.args[0].name) if node.args and isinstance(node.args[0], Ref) else None
        if node.operator != "batch_norm" or before is None or before.operator not in FOLDS_INTO:
            continue
        if uses[before.name] != 1:
            continue
        weight, bias = _constant(graph, before.args[1]), _constant(graph, (*before.args, None)[2])
        norm = [_constant(graph, value) for value in node.args[1:5]]
        rest = node.args[5:]
        filters = len(weight)
        # The norm of 0 and of 1 tells shift and scale, by the operator's own definition.
        shift = batch_norm(np.zeros((1, filters), np.float32), *norm, *rest)[0]
        scale = batch_norm(np.ones((1, filters), np.float32), *norm, *rest)[0] - shift
        names = f"{before.name}.folded_weight", f"{before.name}.folded_bias"
        constants[names[0]] = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
        constants[names[1]] = shift if bias is None else bias * scale + shift
        args = (before.args[0], Ref(names[0]), Ref(names[1]), *before.args[3:])
        folded[before.name] = replace(before, args=args)
        renamed[node.name] = before.name
    nodes = tuple(_renamed(folded.get(node.name, node), renamed) for node in graph.nodes if node.name not in renamed)
    outputs = tuple(renamed.get(name, name) for name in graph.outputs)
    return replace(graph, nodes=nodes, outputs=outputs, constants=constants)


def _constant(graph: Graph, value: Any) -> Any:
    return graph.constants[value.name] if isinstance(value, Ref) else value


def _renamed(node: Node, names: dict[str, str]) -> Node:
    def of(value: Any) -> Any:
        if isinstance(value, Ref):
            return Ref(names.get(value.name, value.name))
        return tuple(map(of, value)) if isinstance(value, tuple) else value

    return replace(node, args=tuple(map(of, node.args)), kwargs={key: of(value) for key, value in node.kwargs.items()})
