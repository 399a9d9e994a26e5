"""Which special function unit stands in for which step: a choice by function, and by layer where a pattern is given.

``softmax=softmax_ibert`` is for every softmax, ``layers.0.*:gelu=gelu_shift`` for those whose label the pattern
matches (``*``, ``?`` and ``[...]`` as in file names). Of several that match a step the last one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import numpy as np

from simhw.errors import InputError, unknown_name
from simhw.graph.base import FloatArray, Graph
from simhw.graph.blocks import by_blocks
from simhw.sfu import SpecialFunctionUnit, get_unit, unit_names
from simhw.unit_rows import arrange


@dataclass(frozen=True, kw_only=True)
class UnitChoice:
    """One choice.

    Attributes:
        function: name of the operator.
        unit: name of the unit.
        layers: pattern of step labels.
    """

    function: str
    unit: str
    layers: str = "*"

    def __str__(self) -> str:
        return f"{self.function}={self.unit}" if self.layers == "*" else f"{self.layers}:{self.function}={self.unit}"


def parse_choice(text: str) -> UnitChoice:
    """Return the choice that ``[PATTERN:]FUNCTION=UNIT`` means.

    Raises:
        InputError: another form, a function that no unit realises, an unknown unit, or one of another function.

    >>> parse_choice("layers.0.*:softmax=softmax_ibert").layers
    'layers.0.*'
    """
    place, equals, unit = text.partition("=")
    pattern, colon, function = place.rpartition(":")
    if not equals or not function or not unit or (colon and not pattern):
        raise InputError(
            f"unit is {text!r}, must be FUNCTION=UNIT or PATTERN:FUNCTION=UNIT; "
            "write softmax=softmax_ibert or 'layers.0.*:softmax=softmax_ibert'"
        )
    functions = sorted({get_unit(name).function for name in unit_names()})
    if function not in functions:
        raise unknown_name("function", function, functions)
    realised = get_unit(unit).function
    if realised != function:
        raise InputError(f"unit {unit} was given for {function}, it realises {realised}; see 'simhw list units'")
    return UnitChoice(function=function, unit=unit, layers=pattern or "*")


def choose_units(graph: Graph, choices: Sequence[str]) -> Mapping[str, SpecialFunctionUnit]:
    """Return the unit of each step that has one, by the name of its node.

    Raises:
        InputError: as ``parse_choice``; a function that the network does not have; a pattern that matches none of its
            steps.
    """
    chosen: dict[str, SpecialFunctionUnit] = {}
    for choice in map(parse_choice, choices):
        steps = [node for node in graph.nodes if node.operator == choice.function]
        if not steps:
            found = sorted({get_unit(name).function for name in unit_names()} & {n.operator for n in graph.nodes})
            raise InputError(
                f"unit {choice} was given, but the network has no {choice.function}; "
                f"it has {', '.join(found) or 'no function that a unit realises'}"
            )
        matching = [node for node in steps if fnmatchcase(node.label, choice.layers)]
        if not matching:
            raise InputError(
                f"unit {choice} was given, but {choice.layers!r} matches no {choice.function} of the network; "
                f"those are {', '.join(node.label for node in steps[:8])}{', ...' if len(steps) > 8 else ''}"
            )
        chosen |= {node.name: get_unit(choice.unit) for node in matching}
    return chosen


def apply_unit(unit: SpecialFunctionUnit, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return what a unit makes of a step's arguments, in the shape of the first of them.

    An activation's other arguments, such as the approximation of a GELU, say how the reference computes it: a unit has
    its own way. Those of a norm are its parameters, those of a row function say what a row is.
    """
    values = np.asarray(args[0], np.float32)
    if not values.size:
        return values
    arranged = arrange(unit, values, args, kwargs)
    count = len(arranged.parameters)
    result = np.empty(arranged.rows.shape, np.float32)
    for index, parameters in enumerate(arranged.parameters):
        loaded = unit.loaded(parameters)
        rows = np.ascontiguousarray(arranged.rows[index::count])
        result[index::count] = by_blocks(partial(_in_rows, loaded.apply), rows)
    return arranged.restore(result)


def _in_rows(apply: Callable[[FloatArray], FloatArray], values: FloatArray) -> FloatArray:
    """Return the result for rows, or for a line of single values, in their shape."""
    return apply(values) if values.ndim > 1 else apply(values[None])[0]
