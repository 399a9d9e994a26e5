"""LSTM and GRU, their gates put into PyTorch's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from simhw.errors import InputError
from simhw.graph.frontends.onnx.ops.base import Context
from simhw.graph.frontends.onnx.values import Value, tensor

_LSTM = (0, 2, 3, 1)
"""ONNX's input, output, forget, cell gates -> PyTorch's input, forget, cell, output."""
_GRU = (1, 0, 2)
"""ONNX's update, reset, hidden -> PyTorch's reset, update, new."""


def lstm(
    context: Context,
    x: Value,
    w: Value,
    r: Value,
    b: Value = None,
    lengths: Value = None,
    h: Value = None,
    c: Value = None,
    peepholes: Value = None,
    hidden_size: int = 0,
    direction: str = "forward",
    layout: int = 0,
    **other: Any,
) -> Any:
    """LSTM with the usual activations, over whole sequences."""
    _refuse(other, lengths, peepholes, ("Sigmoid", "Tanh", "Tanh"), direction)
    weights = _weights(w, r, b, _LSTM)
    x, both, start = _start(x, w, h, hidden_size, direction, layout)
    del context
    cell = _start(x, w, c, hidden_size, direction, layout)[2]
    out, last, last_cell = torch.lstm(x, (start, cell), weights, b is not None, 1, 0.0, False, both, bool(layout))
    return _directions(out, both, layout), *_ends(last, last_cell, layout=layout)


def gru(
    _: Context,
    x: Value,
    w: Value,
    r: Value,
    b: Value = None,
    lengths: Value = None,
    h: Value = None,
    hidden_size: int = 0,
    direction: str = "forward",
    layout: int = 0,
    linear_before_reset: int = 0,
    **other: Any,
) -> Any:
    """GRU whose reset comes behind the recurrent product."""
    _refuse(other, lengths, None, ("Sigmoid", "Tanh"), direction)
    if not linear_before_reset:
        raise InputError("its linear_before_reset is 0, must be 1, which is PyTorch's; export it so")
    weights = _weights(w, r, b, _GRU)
    x, both, start = _start(x, w, h, hidden_size, direction, layout)
    out, last = torch.gru(x, start, weights, b is not None, 1, 0.0, False, both, bool(layout))
    return _directions(out, both, layout), *_ends(last, layout=layout)


def _refuse(other: Mapping[str, Any], lengths: Value, peepholes: Value, usual: Sequence[str], direction: str) -> None:
    activations = other.get("activations")
    plain = activations is None or all(name == usual[i % len(usual)] for i, name in enumerate(_names(activations)))
    rest = set(other) - {"activations"}
    if rest or lengths is not None or peepholes is not None or not plain or direction == "reverse":
        raise InputError(
            "it has peepholes, lengths, clipping, other activations or runs backwards only, none is supported; "
            "export without"
        )


def _names(activations: Sequence[Any]) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else name for name in activations]


def _weights(w: Value, r: Value, b: Value, order: Sequence[int]) -> list[torch.Tensor]:
    """Return the weights of each direction, gates in PyTorch's order."""
    inputs, hidden = tensor(w), tensor(r)
    biases = None if b is None else torch.unflatten(tensor(b), 1, (2, -1))
    found = []
    for way in range(inputs.shape[0]):
        parts = [inputs[way], hidden[way]]
        if biases is not None:
            parts += [biases[way, 0], biases[way, 1]]
        found += [torch.cat([part.chunk(len(order), 0)[gate] for gate in order], 0) for part in parts]
    return found


def _start(
    x: Value, w: Value, state: Value, hidden: int, direction: str, layout: int
) -> tuple[torch.Tensor, bool, torch.Tensor]:
    """Return the input, whether both directions run, and the state at the start ``(directions, batch, hidden)``."""
    x = tensor(x)
    ways = tensor(w).shape[0]
    if state is not None:
        given = tensor(state)
        return x, direction == "bidirectional", given.transpose(0, 1) if layout else given
    zeros = x.new_zeros((ways, x.shape[0 if layout else 1], hidden))
    return x, direction == "bidirectional", zeros


def _directions(out: torch.Tensor, both: bool, layout: int) -> torch.Tensor:
    """Return ``(length, directions, batch, hidden)``, or ``(batch, length, directions, hidden)``."""
    parts = torch.unflatten(out, -1, (2 if both else 1, -1))
    return parts if layout else parts.transpose(1, 2)


def _ends(*states: torch.Tensor, layout: int) -> tuple[torch.Tensor, ...]:
    return tuple(state.transpose(0, 1) if layout else state for state in states)


OPERATORS: Mapping[str, Any] = {"LSTM": lstm, "GRU": gru}
