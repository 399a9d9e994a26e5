"""The operators: each file binds ``OPERATORS``, every one with its float32 reference.

To support another ATen operator, add it to the file of its idea or add a file: it is found by its name.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from simhw.graph.base import Operator


@cache
def operators() -> dict[str, Operator]:
    """Return all operators by name."""
    found: dict[str, Operator] = {}
    for module in pkgutil.iter_modules(__path__):
        entries: tuple[Operator, ...] = importlib.import_module(f"{__name__}.{module.name}").OPERATORS
        for operator in entries:
            assert operator.name not in found, operator.name
            found[operator.name] = operator
    return found


@cache
def by_aten() -> dict[str, str]:
    """Return the operator's name for each ATen overload, e.g. ``linear.default`` -> ``linear``."""
    return {overload: operator.name for operator in operators().values() for overload in operator.aten}
