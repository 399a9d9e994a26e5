"""What reports call a step: its module path, made unique."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from simhw.graph.base import Kind, Node
from simhw.graph.ops import operators


def label_nodes(nodes: list[Node]) -> list[Node]:
    """Return the nodes with unique labels: ``blocks.0.mlp.gate``, ``blocks.0.mlp.silu``, ``stage1.relu#2``.

    A step that stands for its whole module (linear, convolution, norm) carries the module's path; any other the
    path and the operator's name.
    """
    steps = [node for node in nodes if operators()[node.operator].kind is not Kind.MOVE]
    per_module = Counter(node.label for node in steps)
    parents = {node.label.rsplit(".", depth)[0] for node in steps for depth in range(1, node.label.count(".") + 1)}
    seen: Counter[str] = Counter()
    named = []
    for node in nodes:
        alone = per_module[node.label] == 1 and node.label not in {"", *parents}
        alone = alone and operators()[node.operator].kind is not Kind.MOVE
        label = node.label if alone else ".".join(part for part in (node.label, node.operator) if part)
        seen[label] += 1
        named.append(replace(node, label=label if seen[label] == 1 else f"{label}#{seen[label]}"))
    return named
