"""From a graph in float32 and calibration data to a network of integers.

Weights are symmetric int8 per output channel, activations int8 with a zero point per tensor, over the range that
calibration data have (Jacob et al., arXiv 1712.05877). Batch norms are folded; a ReLU is the range of the step before.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.base import Array, Graph, Kind, Node, Ref, inputs_of
from simhw.graph.fold import fold_batch_norms
from simhw.graph.ops import operators
from simhw.integers.network import IntegerNetwork, Placed, Quantity, Step
from simhw.integers.scaling import HIGHEST, Scaling
from simhw.integers.steps import LEFT_SHIFT, Add, Convolution, Linear, MaxPool, MeanPool, Move, Product, Rescale

SUPPORTED = ("conv2d", "linear", "add", "relu", "adaptive_average_pool", "max_pool")
"""Operators with an integer step, beside those that only move values."""
_KEEPS = ("max_pool",)
"""Steps whose results have the scale of their operand, as moves have."""


def build_network(graph: Graph, calibration: Array, rule: str = "tflite_double_rounding") -> IntegerNetwork:
    """Return a network of integers.

    Args:
        graph: in float32, with one input and one output.
        calibration: inputs whose ranges all tensors get.
        rule: how sums are scaled, one of ``INTEGER_RULES``.

    Raises:
        InputError: an operator without an integer step, an unknown rule, scales out of its range, NaN in the data.
    """
    folded = fold_batch_norms(graph)
    _check(folded)
    ranges, shapes = _observed(folded, calibration)
    return _Builder(folded, ranges, shapes, rule).build()


def _check(graph: Graph) -> None:
    for node in graph.nodes:
        if operators()[node.operator].kind is not Kind.MOVE and node.operator not in SUPPORTED:
            raise InputError(
                f"step {node.label or node.name} is {node.operator} ({node.source or 'no source line'}), integer "
                f"networks have steps for {', '.join(SUPPORTED)} and moves; run this network with simhw run instead"
            )


def _observed(graph: Graph, calibration: Array) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[int, ...]]]:
    """Return the lowest and highest value of the input and of every step's result, and their shapes."""
    shapes = {graph.inputs[0]: calibration.shape}
    found = {graph.inputs[0]: (float(calibration.min()), float(calibration.max()))}

    def observe(node: Node, _: list[Any], result: Any) -> None:
        found[node.name] = (float(np.min(result)), float(np.max(result)))
        shapes[node.name] = np.shape(result)

    run_float(graph, calibration, observe)
    wrong = [name for name, ends in found.items() if not np.isfinite(ends).all()]
    if wrong:
        raise InputError(f"calibration gives NaN or infinity in {wrong[0]}; check the calibration data")
    return found, shapes


class _Builder:
    """Makes one step per node, fusing each ReLU into the step before it where that is its only use."""

    def __init__(
        self, graph: Graph, ranges: dict[str, tuple[float, float]], shapes: dict[str, tuple[int, ...]], rule: str
    ) -> None:
        self.graph, self.ranges, self.shapes, self.rule = graph, ranges, shapes, rule
        self.uses = Counter(name for node in graph.nodes for name in inputs_of(node)) + Counter(graph.outputs)
        self.quantities: dict[str, Quantity] = {graph.inputs[0]: Quantity.of_range(*ranges[graph.inputs[0]])}
        self.fused = self._fused_relus()

    def build(self) -> IntegerNetwork:
        placed = []
        for node in self.graph.nodes:
            if node.name in self.fused.values():
                continue
            name = self.fused.get(node.name, node.name)
            step = self._step(node, name)
            label = node.label or node.name
            what = node.operator + (", relu" if name != node.name else "")
            inputs = tuple(value.name for value in node.args if isinstance(value, Ref) and not self._is_constant(value))
            placed.append(Placed(name=name, label=label, operator=what, inputs=inputs, step=step))
        first, last = self.graph.inputs[0], placed[-1].name
        if last != self.graph.outputs[0]:
            raise InputError(f"the output {self.graph.outputs[0]} is not the last step; return the last result")
        return IntegerNetwork(
            input_name=first,
            input=self.quantities[first],
            output=self.quantities[last],
            steps=tuple(placed),
            rule=self.rule,
        )

    def _fused_relus(self) -> dict[str, str]:
        """Return which step's result becomes that of the ReLU behind it."""
        by_name = {node.name: node for node in self.graph.nodes}
        found = {}
        for node in self.graph.nodes:
            if node.operator == "relu":
                before = by_name.get(node.args[0].name)
                if (
                    before is not None
                    and before.operator in ("conv2d", "linear", "add")
                    and self.uses[before.name] == 1
                ):
                    found[before.name] = node.name
        return found

    def _step(self, node: Node, name: str) -> Step:
        """Return the step of a node, and note what its codes mean."""
        operator = operators()[node.operator]
        first = self.quantities[node.args[0].name]
        keeps = operator.kind is Kind.MOVE or node.operator in _KEEPS
        self.quantities[name] = result = first if keeps else Quantity.of_range(*self.ranges[name])
        if operator.kind is Kind.MOVE:
            return Move(reference=operator.reference, arguments=node.args[1:])
        match node.operator:
            case "conv2d":
                return self._convolution(node, first, result)
            case "linear":
                weight, bias = self._weights(node)
                return Linear(product=self._product(weight[None], bias, first, result))
            case "add":
                return self._add(node, first, result)
            case "relu":
                scaling = Scaling.of(first.scale / result.scale, self.rule)
                zeros = {"zero_before": first.zero_point, "zero_point": result.zero_point}
                return Rescale(scaling=scaling, positive=True, **zeros)
            case "max_pool":
                kernel = _pair(node.args[1])
                stride = _pair(node.args[2]) if len(node.args) > 2 and node.args[2] else kernel
                padding = _pair(node.args[3]) if len(node.args) > 3 else (0, 0)
                return MaxPool(kernel=kernel, stride=stride, padding=padding)
            case _:
                return self._mean_pool(node, first, result)

    def _convolution(self, node: Node, first: Quantity, result: Quantity) -> Convolution:
        weight, bias = self._weights(node)
        stride, padding, dilation = (
            _pair(node.args[index]) if len(node.args) > index else usual
            for index, usual in ((3, (1, 1)), (4, (0, 0)), (5, (1, 1)))
        )
        groups = node.args[6] if len(node.args) > 6 else 1
        filters = len(weight)
        rows = weight.transpose(0, 2, 3, 1).reshape(groups, filters // groups, -1)
        return Convolution(
            product=self._product(rows, bias, first, result),
            kernel=(weight.shape[2], weight.shape[3]),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            border=first.zero_point,
        )

    def _product(
        self, weight: NDArray[np.float32], bias: NDArray[np.float32] | None, first: Quantity, result: Quantity
    ) -> Product:
        """Return the product of ``(groups, n, k)`` weights, one scale per output channel."""
        scales = np.abs(weight).max(axis=2) / np.float32(HIGHEST)
        scales = np.where(scales == 0, np.float32(1), scales)
        codes = np.clip(np.rint(weight / scales[:, :, None]), -HIGHEST, HIGHEST).astype(np.int8)
        sums = np.asarray(scales, np.float64) * first.scale
        offset = np.zeros(scales.shape) if bias is None else bias.reshape(scales.shape) / sums
        start = np.clip(np.rint(offset), -(2.0**31), 2.0**31 - 1).astype(np.int64)
        start -= first.zero_point * codes.sum(axis=2, dtype=np.int64)
        scaling = Scaling.of((sums / result.scale).reshape(-1), self.rule)
        return Product(weight=codes, bias=start, scaling=scaling, zero_point=result.zero_point)

    def _add(self, node: Node, first: Quantity, result: Quantity) -> Add:
        if len(node.args) != 2 or not isinstance(node.args[1], Ref) or node.kwargs:
            raise InputError(f"step {node.label or node.name} adds a number or a multiple; add two results of steps")
        second = self.quantities.get(node.args[1].name)
        if second is None:
            raise InputError(f"step {node.label or node.name} adds a constant; add two results of steps")
        common = 2 * max(first.scale, second.scale)
        return Add(
            zero_points=(first.zero_point, second.zero_point),
            operands=(Scaling.of(first.scale / common, self.rule), Scaling.of(second.scale / common, self.rule)),
            result=Scaling.of(common / (result.scale * 2**LEFT_SHIFT), self.rule),
            zero_point=result.zero_point,
        )

    def _mean_pool(self, node: Node, first: Quantity, result: Quantity) -> MeanPool:
        size = _pair(node.args[1])
        shape = self.shapes[node.args[0].name]
        if shape[2] % size[0] or shape[3] % size[1]:
            raise InputError(f"step {node.label or node.name}: {size} does not divide {shape[2:]}; choose another size")
        window = shape[2] // size[0] * (shape[3] // size[1])
        return MeanPool(
            size=size,
            zero_before=first.zero_point,
            scaling=Scaling.of(first.scale / (window * result.scale), self.rule),
            zero_point=result.zero_point,
            window=window,
        )

    def _weights(self, node: Node) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        bias = node.args[2] if len(node.args) > 2 else None
        return self.graph.constants[node.args[1].name], None if bias is None else self.graph.constants[bias.name]

    def _is_constant(self, value: Ref) -> bool:
        return value.name in self.graph.constants


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, *rest = value
    return first, rest[0] if rest else first
