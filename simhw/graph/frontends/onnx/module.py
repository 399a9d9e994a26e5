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
from simhw.graph.frontends.onnx.values import Value, carried, is_host, stays_on_host

_OWN_DOMAINS = ("", "ai.onnx")


def load_onnx(path: str, output: str | None = None) -> OnnxModule:
    """Return the module of an ONNX file (see :func:`simhw.graph.frontends.onnx.read_file` for what is refused).

    Args:
        path: of the file.
        output: name of the output that it returns; None: the first.
    """
    return OnnxModule(read_file(path), output)


class OnnxModule(nn.Module):
    """Interprets a graph: ``module(*inputs)`` in the order of the file's inputs returns one of its outputs.

    Raises InputError where an operator, one of its attributes or the output is unknown.
    """

    def __init__(self, file: OnnxFile, output: str | None = None) -> None:
        super().__init__()
        outputs = [value.name for value in file.graph.output]
        if output is not None and output not in outputs:
            raise InputError(f"{file.path} has no output {output!r}; it has {', '.join(outputs)}")
        self.file = Path(file.path).name
        self.inputs = file.inputs
        self.result = output or outputs[0]
        self.host: dict[str, np.ndarray[Any, Any]] = {}
        self.weights: dict[str, str] = {}
        for name, array in file.constants.items():
            self._keep(name, array)
        needed = _needed(file.graph.node, self.result)
        self.steps: list[tuple[str, list[str], list[str]]] = []
        for index, node in enumerate(file.graph.node):
            if index in needed:
                self._add(node, index, file)

    def _keep(self, name: str, array: np.ndarray[Any, Any]) -> None:
        """Hold an initializer, or the value of a Constant."""
        if stays_on_host(array):
            self.host[name] = array
            return
        kept = torch.from_numpy(carried(array).copy())
        own = _free(self, re.sub(r"\W", "_", name) or "constant")
        self.weights[name] = own
        if kept.is_floating_point():
            self.register_parameter(own, nn.Parameter(kept, requires_grad=False))
        else:
            self.register_buffer(own, kept)

    def _add(self, node: Any, index: int, file: OnnxFile) -> None:
        from onnx import helper

        if node.op_type == "Constant" and node.domain in _OWN_DOMAINS:
            attribute = node.attribute[0]
            given = helper.get_attribute_value(attribute)
            array = read_tensor(given, file.path) if attribute.name == "value" else np.asarray(given)
            if array.dtype == np.float64 and attribute.name != "value":
                array = array.astype(np.float32)
            self._keep(node.output[0], array)
            return
        name = node.name or f"{node.op_type}_{index}"
        path = self._place(name)
        self.steps.append((path, list(node.input), list(node.output)))
        parent, _, last = path.rpartition(".")
        self.get_submodule(parent).add_module(last, OnnxNode(node, name, file))

    def _place(self, name: str) -> str:
        """Return a free module path for a node's name, its containers made: ``/blocks.0/attn/MatMul`` keeps levels."""
        parts = [re.sub(r"\W", "_", part) for part in re.split(r"[./:]+", name) if part]
        here: nn.Module = self
        path: list[str] = []
        for part in parts[:-1]:
            if not isinstance(getattr(here, part, None), nn.Module):
                part = _free(here, part)
                here.add_module(part, nn.Module())
            here = getattr(here, part)
            path.append(part)
        return ".".join([*path, _free(here, parts[-1] if parts else "node")])

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the chosen output."""
        values: dict[str, Value] = {"": None, **self.host}
        values |= {name: getattr(self, own) for name, own in self.weights.items()}
        values |= dict(zip(self.inputs, inputs, strict=True))
        for path, names, outputs in self.steps:
            result = self.get_submodule(path)(*(values[name] for name in names))
            results = result if isinstance(result, tuple) else (result,)
            values |= dict(zip(outputs, results, strict=False))
        found = values[self.result]
        if not isinstance(found, torch.Tensor):
            raise InputError(f"output {self.result!r} of {self.file} does not depend on the input; choose another")
        return found


class OnnxNode(nn.Module):
    """One node."""

    def __init__(self, node: Any, name: str, file: OnnxFile) -> None:
        super().__init__()
        self.node = node
        self.name = name
        self.file = Path(file.path).name
        domain = "" if node.domain in _OWN_DOMAINS else f"{node.domain}."
        self.operator = f"{domain}{node.op_type}"
        self.context = Context(opset=file.opset, outputs=len(node.output))
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
            raise InputError(f"node {self.name!r} of {self.file} ({self.operator}): {error}") from error
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise
            attribute = str(error).rpartition(" ")[2]
            raise InputError(
                f"node {self.name!r} of {self.file} ({self.operator}): its attribute {attribute} is not supported; export without it"
            ) from error


def _attributes(node: Any, path: str) -> Mapping[str, Any]:
    """Return attributes as Python values, those that are names of Python with an underscore behind them."""
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
    """Return a name that the module has not."""
    while hasattr(module, name):
        name += "_"
    return name


def _needed(nodes: Sequence[Any], result: str) -> set[int]:
    """Return the indices of the nodes that an output depends on."""
    wanted = {result}
    found = set()
    for index in range(len(nodes) - 1, -1, -1):
        if wanted.intersection(nodes[index].output):
            found.add(index)
            wanted.update(nodes[index].input)
    return found
