"""What about a run's arithmetic can change the result of one step, and nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from simhw.execution import Arithmetic
from simhw.gemm.datapath import Datapath
from simhw.graph.base import Node, Ref
from simhw.graph.ops import operators
from simhw.quantize import Scheme

_BY_STEP = ("datapath", "scheme", "calibration", "stored", "units")
"""Fields of which only a part decides one step; what is added to the record later decides all of them."""


def shared_settings(arithmetic: Arithmetic) -> tuple[Any, ...]:
    """Return what decides the result of every GEMM of a run.

    Names and descriptions decide nothing: two datapaths of equal records share their results.
    """
    others = {field.name: getattr(arithmetic, field.name) for field in fields(arithmetic) if field.name not in _BY_STEP}
    return (_unnamed(arithmetic.datapath), _unnamed(arithmetic.scheme), others)


def settings_of(node: Node, arithmetic: Arithmetic | None) -> tuple[Any, ...]:
    """Return what decides a step's result besides its arguments, and of a GEMM what is shared by all.

    Args:
        node: the step.
        arithmetic: None: in float. A step that is neither a GEMM nor on a unit is in float on every datapath.
    """
    operator = operators()[node.operator]
    if arithmetic is None or (operator.lower is None and node.name not in arithmetic.units):
        return ("float", node.operator)
    if operator.lower is None:
        return ("unit", node.operator, arithmetic.units[node.name])
    weight = None if operator.weight is None else node.args[operator.weight]
    return (
        "datapath",
        node.operator,
        arithmetic.calibration.activations.get(node.label),
        arithmetic.calibration.results.get(node.label),
        arithmetic.stored.get(weight.name) if isinstance(weight, Ref) else None,
    )


def _unnamed(record: Datapath | Scheme) -> Datapath | Scheme:
    if isinstance(record, Scheme):
        return replace(record, name="", description="", source="")
    return replace(record, name="", description="", source="", scheme="")
