"""An ONNX file as a module: one submodule per node, named as the file names it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from simhw.errors import InputError
from simhw.graph.frontends.onnx.constants import evaluate
from simhw.graph.frontends.onnx.file import OnnxFile, read_file, read_tensor
from simhw.graph.frontends.onnx.ops import Context, functions
from simhw.graph.frontends.onnx.values import Host, Value, carried, is_host, stays_on_host

_OWN_DOMAINS = ("", "ai.onnx")
_DEEPEST = 16
"""Levels of conditions inside conditions."""


def load_onnx(path: str, output: str | None = None) -> OnnxModule:
    """Return the module of an ONNX file (see :func:`simhw.graph.frontends.onnx.read_file` for what is refused).

    Args:
        path: of the file.
        output: name of the output that it returns; None: the first.
    """
    file = read_file(path)
    try:
        return OnnxModule(file, output)
    except InputError:
        raise
    except Exception as error:  # a file of any content
        raise InputError(f"{path!r} is damaged ({type(error).__name__}: {error}); give a model file") from error


class OnnxModule(nn.Module):
    """``module(*inputs)``, inputs in the order of the file, returns one of its outputs.

    Raises InputError where the output is unknown; when it runs, for an operator or an attribute that is not supported.
    """

    def __init__(self, file: OnnxFile, output: str | None = None) -> None:
        super().__init__()
        outputs = [value.name for value in file.graph.output]
        if output is not None and output not in outputs:
            raise InputError(f"{file.path} has no output {output!r}; it has {', '.join(outputs)}")
        self.file = Path(file.path).name
        self.inputs = file.inputs
        self.samples = file.samples
        self.result = output or outputs[0]
        self.steps = OnnxSteps(self, file, file.graph.node, [self.result], file.constants)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the chosen output."""
        values = self.steps.run(dict(zip(self.inputs, inputs, strict=True)))
        found = values[self.result]
        if not isinstance(found, torch.Tensor):
            raise InputError(f"output {self.result!r} of {self.file} does not depend on the input; choose another")
        return found


class OnnxSteps:
    """The nodes of a graph in their order; as modules they are parts of the module that holds the graph."""

    def __init__(
        self,
        owner: nn.Module,
        file: OnnxFile,
        nodes: Sequence[Any],
        outputs: Sequence[str],
        constants: Mapping[str, Host],
        depth: int = 0,
    ) -> None:
        self.owner = [owner]  # in a list, so that it is not its own part
        self.host: dict[str, Host] = {}
        self.weights: dict[str, str] = {}
        self.order: list[tuple[str, Any]] = []
        for name, array in constants.items():
            self._keep(name, array)
        needed = _needed(nodes, outputs)
        for index, node in enumerate(nodes):
            if index not in needed:
                continue
            if node.op_type == "Constant" and node.domain in _OWN_DOMAINS:
                self._keep(node.output[0], _constant(node, file.path))
                continue
            name = node.name or f"{node.op_type}_{index}"
            path = self._place(name)
            made = OnnxIf(node, name, file, depth) if node.op_type == "If" else OnnxNode(node, name, file)
            parent, _, last = path.rpartition(".")
            owner.get_submodule(parent).add_module(last, made)
            self.order.append((path, node))

    def run(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """Return all values by name, those given among them."""
        (owner,) = self.owner
        values: dict[str, Value] = {"": None, **given, **self.host}
        values |= {name: getattr(owner, own) for name, own in self.weights.items()}
        for path, node in self.order:
            part = owner.get_submodule(path)
            if isinstance(part, OnnxIf):
                result = part(values[node.input[0]], values)
            else:
                result = part(*(values[name] for name in node.input))
            results = result if isinstance(result, tuple) else (result,)
            values |= {name: value for name, value in zip(node.output, results, strict=False) if name}
        return values

    def _keep(self, name: str, array: Host) -> None:
        """Hold an initializer, or the value of a Constant."""
        if stays_on_host(array):
            self.host[name] = array
            return
        (owner,) = self.owner
        kept = torch.from_numpy(carried(array).copy())
        own = _free(owner, re.sub(r"\W", "_", name) or "constant")
        self.weights[name] = own
        if kept.is_floating_point():
            owner.register_parameter(own, nn.Parameter(kept, requires_grad=False))
        else:
            owner.register_buffer(own, kept)

    def _place(self, name: str) -> str:
        """Return a free module path for a node's name, its containers made: ``/blocks.0/attn/MatMul`` keeps levels."""
        (here,) = self.owner
        parts = [re.sub(r"\W", "_", part) for part in re.split(r"[./:]+", name) if part]
        path: list[str] = []
        for part in parts[:-1]:
            own = part if isinstance(getattr(here, part, None), nn.Module) else _free(here, part)
            if not hasattr(here, own):
                here.add_module(own, nn.Module())
            here = getattr(here, own)
            path.append(own)
        return ".".join([*path, _free(here, parts[-1] if parts else "node")])


class OnnxNode(nn.Module):
    """One node."""

    def __init__(self, node: Any, name: str, file: OnnxFile) -> None:
        super().__init__()
        self.node = node
        self.name = name
        self.file = Path(file.path).name
        domain = "" if node.domain in _OWN_DOMAINS else f"{node.domain}."
        self.operator = f"{domain}{node.op_type}"
        types = tuple(file.constants[name].dtype.name if name in file.constants else "" for name in node.input)
        self.context = Context(opset=file.opset, outputs=len(node.output), types=types)
        self.attributes = _attributes(node, file.path)
        self.function = functions().get(self.operator)

    def forward(self, *inputs: Value) -> Value:
        """Return the node's outputs; what depends on no input is evaluated by ONNX's own reference."""
        try:
            if inputs and all(value is None or is_host(value) for value in inputs):
                found = evaluate(self.node, inputs, self.context, self.attributes)
                if found is not None:
                    return found
            if self.function is None:
                raise InputError(
                    "this operator is not supported; add it to a file of simhw/graph/frontends/onnx/ops, or export the "
                    "model without it"
                )
            return self.function(self.context, *inputs, **self.attributes)
        except InputError as error:
            raise InputError(f"{self._place}: {error}") from error
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise
            attribute = str(error).rpartition(" ")[2]
            raise InputError(f"{self._place}: its attribute {attribute} is not supported; export without it") from error

    @property
    def _place(self) -> str:
        return f"node {self.name!r} of {self.file} ({self.operator})"


class OnnxIf(nn.Module):
    """A condition that depends on no input: one of its branches runs."""

    def __init__(self, node: Any, name: str, file: OnnxFile, depth: int) -> None:
        super().__init__()
        if depth >= _DEEPEST:
            raise InputError(f"node {name!r} of {file.path} lies in {depth} conditions, at most {_DEEPEST} are read")
        self.name = name
        self.file = Path(file.path).name
        self.results: dict[bool, list[str]] = {}
        self.branches: dict[bool, OnnxSteps] = {}
        for attribute in node.attribute:
            chosen = attribute.name == "then_branch"
            inner = nn.Module()
            self.add_module(attribute.name, inner)
            self.results[chosen] = [value.name for value in attribute.g.output]
            constants = {tensor.name: read_tensor(tensor, file.path) for tensor in attribute.g.initializer}
            self.branches[chosen] = OnnxSteps(inner, file, attribute.g.node, self.results[chosen], constants, depth + 1)

    def forward(self, condition: Value, values: Mapping[str, Value]) -> tuple[Value, ...]:
        """Return the outputs of the branch."""
        if not is_host(condition) or condition.dtype == object:
            raise InputError(
                f"node {self.name!r} of {self.file} (If): its condition is computed from the input, must be constant; "
                "export the branch that is meant"
            )
        chosen = bool(condition.reshape(-1)[0])
        found = self.branches[chosen].run(values)
        return tuple(found[name] for name in self.results[chosen])


def _constant(node: Any, path: str) -> Host:
    """Return the value of a Constant, in any of its forms."""
    from onnx import helper

    for attribute in node.attribute:
        given = helper.get_attribute_value(attribute)
        if attribute.name == "value":
            return read_tensor(given, path)
        if attribute.name in ("value_float", "value_floats"):
            return np.asarray(given, np.float32)
        if attribute.name in ("value_int", "value_ints"):
            return np.asarray(given, np.int64)
    raise InputError(f"a Constant of {path} holds text, nothing or sparse values, must hold numbers; check the file")


def _attributes(node: Any, path: str) -> Mapping[str, Any]:
    """Return attributes as Python values."""
    from onnx import TensorProto, helper

    found = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        elif isinstance(value, TensorProto):
            value = read_tensor(value, path)
        found[attribute.name] = value
    return found


def _free(module: nn.Module, name: str) -> str:
    """Return a name that the module has not: with an underscore behind it, then with a number."""
    if not hasattr(module, name):
        return name
    free, number = f"{name}_", len(module._modules)
    while hasattr(module, free):
        free, number = f"{name}_{number}", number + 1
    return free


def _needed(nodes: Sequence[Any], results: Sequence[str]) -> set[int]:
    """Return the indices of the nodes that outputs depend on; a branch may read any value before it."""
    wanted = set(results)
    found = set()
    for index in range(len(nodes) - 1, -1, -1):
        node = nodes[index]
        if wanted.intersection(node.output):
            found.add(index)
            wanted.update(node.input)
            wanted.update(_read_inside(node))
    return found


def _read_inside(node: Any) -> set[str]:
    """Return the names that the graphs of a node read, at any depth."""
    found: set[str] = set()
    for attribute in node.attribute:
        if attribute.HasField("g"):
            found.update(value.name for value in attribute.g.output)
            for inner in attribute.g.node:
                found.update(inner.input)
                found.update(_read_inside(inner))
    return found
