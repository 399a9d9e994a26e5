"""ONNX's operators in PyTorch: each file binds ``OPERATORS``, from ONNX's name to a function.

A function takes the context, the node's inputs (tensors, host constants, None where left out) and its attributes by
name. To support another operator, add it to the file of its idea or add a file: it is found by its name. Operators of
other domains are written ``com.microsoft.Name``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from simhw.graph.frontends.onnx.ops.base import Context

Function = Callable[..., Any]


@cache
def functions() -> Mapping[str, Function]:
    """Return the functions by the operators' names."""
    found: dict[str, Function] = {}
    for module in pkgutil.iter_modules(__path__):
        entries: Mapping[str, Function] = getattr(importlib.import_module(f"{__name__}.{module.name}"), "OPERATORS", {})
        assert not found.keys() & entries.keys(), found.keys() & entries.keys()
        found |= entries
    return found


__all__ = ["Context", "functions"]
