"""Attention of long sequences, some queries at a time: a query's scores, softmax and values concern no other query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simhw.execution import Arithmetic, Step
from simhw.formats import get_block_format
from simhw.graph.base import Array, Graph, Node, Ref, inputs_of
from simhw.quantize import Granularity

SCORES = 1 << 24
"""Scores that are there at a time, at least those of one query."""
INSIDE = ("scale_and_mask", "softmax", "blank_hidden")
"""Steps between scores and values that treat each query for itself."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Neighbouring steps: one, or those of an attention from its scores to its values.

    Attributes:
        first: place of the first step in the graph.
        nodes: the steps.
    """

    first: int
    nodes: tuple[Node, ...]

    def blocks(self, values: dict[str, Any]) -> list[slice]:
        """Return the queries of each block: all at once where their scores are few."""
        if len(self.nodes) == 1:
            return [slice(None)]
        query, key = (np.shape(_value(argument, values)) for argument in self.nodes[0].args[:2])
        tokens = query[-2]
        count = max(1, SCORES // max(1, int(np.prod(query[:-2], dtype=np.int64)) * key[-2]))
        return [slice(first, min(first + count, tokens)) for first in range(0, tokens, count)]

    def is_splittable(self, arithmetic: Arithmetic) -> bool:
        """Return whether this is an attention in which no scale of activations spans several rows."""
        scheme = arithmetic.scheme.activation
        if len(self.nodes) == 1:
            return False
        if scheme.granularity is Granularity.TENSOR:
            products = (self.nodes[0].label, self.nodes[-1].label)
            return all(label in arithmetic.calibration.activations for label in products)
        return scheme.granularity is not Granularity.BLOCK or not get_block_format(scheme.format).has_tensor_scale

    def some(self, queries: slice, values: dict[str, Any]) -> tuple[tuple[Node, ...], dict[str, Any]]:
        """Return the steps for some queries, and the values that they start from."""
        query, key = (_value(argument, values) for argument in self.nodes[0].args[:2])
        extra = {f"{self.nodes[0].name}.query": np.ascontiguousarray(query[..., queries, :])}
        nodes = [replace(self.nodes[0], args=(Ref(next(iter(extra))), *self.nodes[0].args[1:]))]
        for node in self.nodes[1:]:
            if node.operator == "scale_and_mask":
                mask = _value(node.args[2], values)
                if node.args[3]:
                    mask = np.arange(key.shape[-2]) <= np.arange(queries.start, queries.stop)[:, None]
                nodes.append(_with_mask(node, 2, mask, queries, extra, (False,)))
            elif node.operator == "blank_hidden":
                nodes.append(_with_mask(node, 1, _value(node.args[1], values), queries, extra, ()))
            else:
                nodes.append(node)
        return tuple(nodes), {**values, **extra}


def _value(argument: Any, values: dict[str, Any]) -> Any:
    return values[argument.name] if isinstance(argument, Ref) else argument


def _with_mask(
    node: Node, at: int, mask: Array | None, queries: slice, extra: dict[str, Any], rest: tuple[Any, ...]
) -> Node:
    """Return a step whose mask, its argument ``at``, is that of some queries."""
    if mask is None:
        return replace(node, args=(*node.args[:at], None, *rest))
    every = mask.ndim < 2 or mask.shape[-2] in (1, queries.stop - queries.start)
    extra[f"{node.name}.mask"] = mask if every else mask[..., queries, :]
    return replace(node, args=(*node.args[:at], Ref(f"{node.name}.mask"), *rest))


def spans(graph: Graph) -> Iterator[Span]:
    """Yield the steps of a graph, those of an attention together where nothing else reads what is between them."""
    uses = Counter(name for node in graph.nodes for name in inputs_of(node)) + Counter(graph.outputs)
    place = 0
    while place < len(graph.nodes):
        size = _attention_length(graph.nodes[place:], uses)
        yield Span(first=place, nodes=graph.nodes[place : place + size])
        place += size


def _attention_length(nodes: Sequence[Node], uses: Counter[str]) -> int:
    """Return how many steps an attention that begins here has, 1 where none does."""
    if nodes[0].operator != "attention_scores":
        return 1
    for length, node in enumerate(nodes[1:], 2):
        before = nodes[length - 2]
        if uses[before.name] != 1 or not node.args or node.args[0] != Ref(before.name):
            return 1
        if node.operator == "attention_values":
            return length
        if node.operator not in INSIDE or (node.operator == "softmax" and node.args[1:2] not in ((-1,), ())):
            return 1
        if node.operator == "scale_and_mask" and node.args[2] is not None and node.args[3]:
            return 1
    return 1


def run_in_blocks(
    span: Span,
    blocks: Sequence[slice],
    actual: dict[str, Any],
    expected: dict[str, Any] | None,
    steps: Mapping[str, Step],
    run: Callable[..., None],
) -> None:
    """Add the result of an attention, one block of queries after the other.

    Args:
        span: its steps.
        blocks: as :meth:`Span.blocks` returns them.
        actual, expected: values so far, on the datapath and in float.
        steps: their records, of which sizes are set to those of all queries.
        run: ``run(node, actual, expected, first_row=..., more_rows=...)`` adds a step's values and its noise.
    """
    last, tokens = span.nodes[-1].name, blocks[-1].stop
    parts: list[tuple[Array, Array | None]] = []
    for queries in blocks:
        nodes, some = span.some(queries, actual)
        reference = None if expected is None else span.some(queries, expected)[1]
        for index, node in enumerate(nodes):
            run(node, some, reference, first_row=queries.start, more_rows=queries.stop < tokens)
            if index:  # what the step before gave is of no more use
                for values in (some, reference or {}):
                    values.pop(nodes[index - 1].name, None)
        parts.append((some[last], None if reference is None else reference[last]))
    actual[last] = np.concatenate([part for part, _ in parts], axis=-2)
    if expected is not None:
        expected[last] = np.concatenate([part for _, part in parts if part is not None], axis=-2)
    rows = blocks[-1].stop - blocks[-1].start
    for node in span.nodes:
        step = steps[node.name]
        step.elements, step.m = (size // rows * tokens for size in (step.elements, step.m))
