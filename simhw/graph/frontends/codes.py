"""Products between DequantizeLinear and QuantizeLinear become products of the codes themselves.

That is how integer hardware, and ONNX Runtime with its optimizations, runs a quantized network: ``dequantize both
operands, multiply, quantize`` is one product in int32 that is scaled and rounded once. Where no QuantizeLinear follows
at once, the product gives float values. Codes of other than 8 bits and scales per block stay as they are: their values
are multiplied.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simhw.graph.base import Array, Node, Ref, inputs_of
from simhw.graph.frontends.rewrite import TURNED

BYTES = ("int8", "uint8")
_KEEPS_CODES = (
    *(
        "view",
        "flatten",
        "unflatten",
        "transpose",
        "permute",
        "reverse_axes",
        "unsqueeze",
        "squeeze",
        "expand",
        "slice",
    ),
    *("select", "index_select", "gather", "pad", "repeat", "pixel_shuffle", "same", "max_pool", "max_pool1d", "relu"),
)
"""Operators whose result has the type of the first argument."""
_PRODUCTS = {"linear": "coded_linear", "matmul": "coded_matmul", "conv2d": "coded_conv2d"}
_CODED = tuple(_PRODUCTS.values())


def join_codes(nodes: list[Node], constants: dict[str, Array], outputs: tuple[str, ...]) -> list[Node]:
    """Return the nodes with products of codes in place of products of their values.

    New constants join ``constants``.
    """
    if not any(node.operator in ("dequantize_linear", *_CODED) for node in nodes):
        return nodes
    return _Joiner(nodes, constants, outputs).join()


@dataclass(frozen=True, kw_only=True)
class _Coded:
    """Codes with their scale and zero point, as arguments of a node."""

    codes: Ref
    scale: Any
    zero: Any


class _Joiner:
    """Looks at the nodes around each product."""

    def __init__(self, nodes: list[Node], constants: dict[str, Array], outputs: tuple[str, ...]) -> None:
        self.nodes = nodes
        self.constants = constants
        self.outputs = outputs
        self.by_name = {node.name: node for node in nodes}
        self.uses = Counter(name for node in nodes for name in inputs_of(node))

    def join(self) -> list[Node]:
        """Return the new list."""
        gone: set[str] = set()
        ends: dict[str, Node] = {}
        changed: dict[str, Node] = {}
        for node in self.nodes:
            if node.operator == "coded_matmul" and self._is_matrix(node.args[3]):
                changed[node.name] = self._weighted(node)
            coded = self._product(node) if node.operator in _PRODUCTS else None
            if coded is None:
                continue
            end = self._quantized(node, coded)
            if end is None:
                changed[node.name] = coded
            else:
                gone.add(node.name)
                ends[end.name] = end
        changed |= ends
        return [changed.get(node.name, node) for node in self.nodes if node.name not in gone]

    def _product(self, node: Node) -> Node | None:
        """Return a product of codes with float results in place of one of dequantized values."""
        x = self._dequantized(node.args[0], None)
        if x is None or self._size(x.scale) != 1:
            return None
        bias = node.args[2] if node.operator != "matmul" and len(node.args) > 2 else None
        if node.operator == "matmul" and not self._is_matrix_of(node.args[1]):
            y = self._dequantized(node.args[1], None)
            if y is None or self._size(y.scale) != 1:
                return None
            return replace(node, operator="coded_matmul", args=_arguments(x, y, None), kwargs={})
        w = self._weight(node)
        if w is None:
            return None
        operator = "coded_linear" if node.operator == "matmul" else _PRODUCTS[node.operator]
        if operator == "coded_linear":
            return replace(node, operator=operator, args=_arguments(x, w, bias), kwargs={})
        given = dict(zip(("stride", "padding", "dilation", "groups"), node.args[3:], strict=False)) | dict(node.kwargs)
        return replace(node, operator=operator, args=_arguments(x, w, bias), kwargs=given)

    def _weight(self, node: Node) -> _Coded | None:
        """Return a constant weight whose scales are one or one per output, as ``(n, k)`` or ``(filters, ...)``."""
        argument = node.args[1]
        if node.operator == "matmul":
            found = self._dequantized(argument, 1)
            return None if found is None else replace(found, codes=self._turned(found.codes))
        turned = self.by_name.get(argument.name)
        if node.operator == "linear" and turned is not None and exchanges_axes(turned):
            found = self._dequantized(turned.args[0], 1)
            return None if found is None else replace(found, codes=self._turned(found.codes))
        return self._dequantized(argument, 0)

    def _dequantized(self, argument: Any, axis: int | None) -> _Coded | None:
        """Return what a value was dequantized from; with an axis, only a constant, whose scales stand along it."""
        node = self.by_name.get(argument.name) if isinstance(argument, Ref) else None
        if node is None or node.operator != "dequantize_linear":
            return None
        codes, scale, zero, along, block, _ = node.args
        if block or self._type(codes) not in BYTES or self._size(scale) is None:
            return None
        if axis is None:
            return _Coded(codes=codes, scale=scale, zero=zero)
        constant = self.constants.get(codes.name)
        if constant is None or (self._size(scale) != 1 and along % constant.ndim != axis):
            return None
        return _Coded(codes=codes, scale=scale, zero=zero)

    def _quantized(self, node: Node, coded: Node) -> Node | None:
        """Return the product with codes as results, in place of the QuantizeLinear that alone reads it."""
        if self.uses[node.name] != 1 or node.name in self.outputs:
            return None
        end = next(other for other in self.nodes if node.name in inputs_of(other))
        if end.operator != "quantize_linear" or self._size(end.args[1]) != 1 or end.args[5] not in BYTES:
            return None
        bias = coded.args[6]
        if bias is not None:
            source = self.by_name.get(bias.name)
            if source is None or source.operator != "dequantize_linear" or self._type(source.args[0]) != "int32":
                return None
            if not self._fits(source, coded):
                return None
            bias = source.args[0]
        _, scale, zero, _, _, to = end.args[:6]
        args = (*coded.args[:6], bias, scale, zero, to)
        return replace(coded, name=end.name, args=args)

    def _fits(self, bias: Node, coded: Node) -> bool:
        """Whether codes of a bias have the scale of the sums and no zero point."""
        scale, zero = (*bias.args, None)[1:3]
        given, x, w = (self.constants.get(value.name) for value in (scale, coded.args[1], coded.args[4]))
        if given is None or x is None or w is None:
            return False
        if zero is not None and (self._size(zero) is None or self.constants[zero.name].any()):
            return False
        wanted = (x * w).reshape(-1)
        return given.size in (1, wanted.size) and bool(np.allclose(given.reshape(-1), wanted, rtol=1e-5, atol=0))

    def _weighted(self, node: Node) -> Node:
        """Return a product with a constant matrix of codes as a layer."""
        args = (*node.args[:3], self._turned(node.args[3]), *node.args[4:])
        return replace(node, operator="coded_linear", args=args)

    def _turned(self, codes: Ref) -> Ref:
        name = f"{codes.name}{TURNED}"
        self.constants[name] = np.ascontiguousarray(self.constants[codes.name].T)
        return Ref(name)

    def _is_matrix(self, argument: Any) -> bool:
        return isinstance(argument, Ref) and argument.name in self.constants and self.constants[argument.name].ndim == 2

    def _is_matrix_of(self, argument: Any) -> bool:
        """Whether a value was dequantized from a constant matrix."""
        node = self.by_name.get(argument.name) if isinstance(argument, Ref) else None
        return node is not None and node.operator == "dequantize_linear" and self._is_matrix(node.args[0])

    def _size(self, argument: Any) -> int | None:
        """Return how many numbers a constant holds, None for what is computed."""
        constant = self.constants.get(argument.name) if isinstance(argument, Ref) else None
        return None if constant is None else constant.size

    def _type(self, argument: Any) -> str | None:
        """Return the type of a value's codes, None where it is not known."""
        if not isinstance(argument, Ref):
            return None
        if argument.name in self.constants:
            return self.constants[argument.name].dtype.name
        node = self.by_name.get(argument.name)
        if node is None:
            return None
        if node.operator == "quantize_linear":
            return str(node.args[5])
        if node.operator in _CODED and node.args[7] is not None:
            return str(node.args[9])
        return self._type(node.args[0]) if node.operator in _KEEPS_CODES else None


def exchanges_axes(node: Node) -> bool:
    """Whether a node exchanges the two axes of a matrix."""
    if node.operator == "permute":
        return [axis % 2 for axis in node.args[1]] == [1, 0]
    return node.operator in ("transpose", "reverse_axes")


def _arguments(x: _Coded, w: _Coded, bias: Any) -> tuple[Any, ...]:
    return (x.codes, x.scale, x.zero, w.codes, w.scale, w.zero, bias, None, None, "uint8")
