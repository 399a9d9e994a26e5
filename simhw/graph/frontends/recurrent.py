"""LSTM and GRU as steps that a machine has: their products on the array, their gates on the vector unit.

Unrolled over the sequence, whose length the import knows: the input's product is one GEMM over all steps, the recurrent
one a GEMM per step, because each waits for the state before it. So every product has a place in the report.
"""

from __future__ import annotations

from typing import Any

from simhw.errors import InputError
from simhw.graph.base import Node, Ref

RECURRENT = {
    "lstm.input": "lstm",
    "gru.input": "gru",
    "lstm_cell.default": "lstm_cell",
    "gru_cell.default": "gru_cell",
}
"""ATen overload -> name of the composite operator."""


def split_recurrent(nodes: list[Node]) -> list[Node]:
    """Return the nodes with each recurrent layer replaced by its steps."""
    result: list[Node] = []
    for node in nodes:
        match node.operator:
            case "lstm" | "gru":
                result += _Layers(node).steps()
            case "lstm_cell" | "gru_cell":
                result += _Layers(node).cell()
            case _:
                result.append(node)
    return result


class _Layers:
    """Makes the nodes of one composite node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.lstm = node.operator.startswith("lstm")
        self.made: list[Node] = []

    def cell(self) -> list[Node]:
        """Steps of a cell: ``(x, state, w_ih, w_hh, b_ih, b_hh)``; an LSTM gives (h, c), a GRU h."""
        x, state, *weights = self.node.args
        weights += [None] * (4 - len(weights))
        h, c = state if self.lstm else (state, None)
        gates = self._linear("input", x, weights[0], weights[2])
        h, c = self._update("0", gates, h, c, weights[1], weights[3])
        return self._finish(self._step("results", "several", (h, c)) if self.lstm else h)

    def steps(self) -> list[Node]:
        """Steps of a stack of layers over a sequence."""
        args = self.node.args
        x, state, weights, biases, layers, _, _, both_ways, batch_first = args  # dropout, train: imported for inference
        states = state if self.lstm else (state,)
        axis, length = (1 if batch_first else 0), self.node.kwargs["length"]
        per = 4 if biases else 2
        last: list[list[Any]] = [[], []]
        for layer in range(layers):
            sides = []
            for way in range(2 if both_ways else 1):
                index = layer * (2 if both_ways else 1) + way
                w_ih, w_hh, *b = weights[index * per : (index + 1) * per]
                b_ih, b_hh = b or (None, None)
                prefix = f"{layer}{'_back' if way else ''}"
                gates = self._linear(f"{prefix}_input", x, w_ih, b_ih)
                h, c = (
                    self._step(f"{prefix}_start_{kind}", "select", (states[kind], 0, index))
                    if kind < len(states)
                    else None
                    for kind in range(2)
                )
                outputs: dict[int, Any] = {}
                for t in range(length)[:: -1 if way else 1]:
                    now = self._step(f"{prefix}_gates_{t}", "select", (gates, axis, t))
                    h, c = self._update(f"{prefix}_{t}", now, h, c, w_hh, b_hh)
                    outputs[t] = h
                sides.append(self._step(f"{prefix}_outputs", "stack", (tuple(outputs[t] for t in range(length)), axis)))
                last[0].append(h)
                last[1].append(c)
            x = sides[0] if len(sides) == 1 else self._step(f"{layer}_both", "concatenate", (tuple(sides), -1))
        ends = [self._step(f"end_{kind}", "stack", (tuple(last[kind]), 0)) for kind in range(len(states))]
        return self._finish(self._step("results", "several", (x, *ends)))

    def _update(self, name: str, gates: Any, h: Any, c: Any, weight: Any, bias: Any) -> tuple[Any, Any]:
        """Return the next state from the input's share of the gates."""
        recurrent = self._linear(f"{name}_recurrent", h, weight, bias)
        if self.lstm:
            total = self._step(f"{name}_sum", "add", (gates, recurrent))
            i, f, g, o = self._parts(f"{name}_part", total, 4)
            i, f, o = (
                self._step(f"{name}_{gate}", "sigmoid", (value,)) for gate, value in (("i", i), ("f", f), ("o", o))
            )
            g = self._step(f"{name}_g", "tanh", (g,))
            kept = self._step(f"{name}_kept", "multiply", (f, c))
            new = self._step(f"{name}_new", "multiply", (i, g))
            c = self._step(f"{name}_c", "add", (kept, new))
            wide = self._step(f"{name}_tanh", "tanh", (c,))
            return self._step(f"{name}_h", "multiply", (o, wide)), c
        ours, theirs = self._parts(f"{name}_x", gates, 3), self._parts(f"{name}_y", recurrent, 3)
        r, z = (
            self._step(f"{name}_{gate}", "sigmoid", (self._step(f"{name}_{gate}_sum", "add", (a, b)),))
            for gate, a, b in zip("rz", ours[:2], theirs[:2], strict=True)
        )
        reset = self._step(f"{name}_reset", "multiply", (r, theirs[2]))
        n = self._step(f"{name}_n", "tanh", (self._step(f"{name}_n_sum", "add", (ours[2], reset)),))
        # (1 - z) n + z h = n + z (h - n)
        apart = self._step(f"{name}_apart", "subtract", (h, n))
        moved = self._step(f"{name}_moved", "multiply", (z, apart))
        return self._step(f"{name}_h", "add", (n, moved)), None

    def _parts(self, name: str, gates: Any, count: int) -> list[Any]:
        split = self._step(name, "chunk", (gates, count, -1))
        return [self._step(f"{name}_{index}", "item", (split, index)) for index in range(count)]

    def _linear(self, name: str, x: Any, weight: Any, bias: Any) -> Ref:
        return self._step(name, "linear", (x, weight) if bias is None else (x, weight, bias))

    def _step(self, name: str, operator: str, args: tuple[Any, ...]) -> Ref:
        made = f"{self.node.name}_{name}"
        label = f"{self.node.label}.{name}" if self.node.label else name
        self.made.append(Node(name=made, operator=operator, args=args, label=label, source=self.node.source))
        return Ref(made)

    def _finish(self, result: Ref) -> list[Node]:
        """Return the nodes, the last one under the name of the composite."""
        self.made.append(Node(name=self.node.name, operator="same", args=(result,), source=self.node.source))
        return self.made


def sequence_length(node: Any) -> int:
    """Return the length of the sequence that an ``lstm.input`` or ``gru.input`` node takes.

    Raises:
        InputError: it is not known when the module is imported.
    """
    batch_first = bool(node.args[8])
    length = node.args[0].meta["val"].shape[1 if batch_first else 0]
    if not isinstance(length, int):
        raise InputError(
            f"the length of the sequence of {node.target} ({node.name!r}) varies, recurrent layers are unrolled over a "
            "known one; import the module with sequences of one length"
        )
    return length
