"""A step's arguments as a special function unit takes them: rows, and the parameters of each row."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from simhw.graph.base import FloatArray
from simhw.graph.ops import operators
from simhw.graph.ops.batch_norm import no_statistics
from simhw.sfu import Extent, Parameters, SpecialFunctionUnit

NO_PARAMETERS = (Parameters(),)


@dataclass(frozen=True, kw_only=True, eq=False)
class Arranged:
    """Values in rows.

    Attributes:
        rows: ``(rows, k)`` float32, or ``(n,)`` where each value is for itself.
        restore: from results in these rows to the shape of the values.
        parameters: row i has ``parameters[i % len(parameters)]``.
    """

    rows: FloatArray
    restore: Callable[[FloatArray], FloatArray]
    parameters: tuple[Parameters, ...] = NO_PARAMETERS


def arrange(unit: SpecialFunctionUnit, values: FloatArray, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arranged:
    """Return a step's first argument in rows of the unit's function, with what the other arguments say of them."""
    arrangement = _ARRANGEMENTS.get(unit.function)
    if arrangement is not None:
        bound = inspect.signature(operators()[unit.function].reference).bind(*args, **kwargs)
        bound.apply_defaults()
        return arrangement(values, bound.arguments)
    return _along(values, -1) if unit.extent is Extent.ROW else _elements(values)


def _elements(values: FloatArray) -> Arranged:
    return Arranged(rows=values.reshape(-1), restore=lambda rows: rows.reshape(values.shape))


def _along(values: FloatArray, axis: int, parameters: tuple[Parameters, ...] = NO_PARAMETERS) -> Arranged:
    """Return the rows along an axis; a single value is a row of its own."""
    if not values.ndim:
        return Arranged(rows=values.reshape(1, 1), restore=lambda rows: rows.reshape(()), parameters=parameters)
    moved = np.moveaxis(values, axis, -1)
    return Arranged(
        rows=np.ascontiguousarray(moved).reshape(-1, moved.shape[-1]),
        restore=lambda rows: np.ascontiguousarray(np.moveaxis(rows.reshape(moved.shape), -1, axis)),
        parameters=parameters,
    )


def _softmax(values: FloatArray, given: Mapping[str, Any]) -> Arranged:
    return _along(values, given["dim"])


def _last_axes(values: FloatArray, given: Mapping[str, Any]) -> Arranged:
    """Layer and RMS norm: a row is all of the last axes, weight and bias have one value per element of it.

    As for the references, only the number of axes counts: a fused RMS norm does not know its width.
    """
    eps = np.finfo(np.float32).eps if given["eps"] is None else given["eps"]
    parameters = Parameters(weight=_flat(given["weight"]), bias=_flat(given.get("bias")), eps=float(eps))
    rows = values.reshape(-1, prod(values.shape[-len(given["normalized_shape"]) :]))
    return Arranged(rows=rows, restore=lambda rows: rows.reshape(values.shape), parameters=(parameters,))


def _groups(values: FloatArray, given: Mapping[str, Any]) -> Arranged:
    """Group norm: a row is one group of a sample, weight and bias have one value per channel (axis 1)."""
    count, pixels = given["groups"], prod(values.shape[2:])
    weights, biases = (_by_group(given[name], count, pixels) for name in ("weight", "bias"))
    parameters = tuple(
        Parameters(weight=weight, bias=bias, eps=given["eps"]) for weight, bias in zip(weights, biases, strict=True)
    )
    rows = values.reshape(len(values) * count, -1)
    return Arranged(rows=rows, restore=lambda rows: rows.reshape(values.shape), parameters=parameters)


def _by_group(channels: FloatArray | None, count: int, pixels: int) -> Sequence[FloatArray | None]:
    return [None] * count if channels is None else list(np.repeat(channels, pixels).reshape(count, -1))


def _channels(values: FloatArray, given: Mapping[str, Any]) -> Arranged:
    """Batch norm: a row is one value of each channel (axis 1)."""
    if given["training"] or given["mean"] is None or given["variance"] is None:
        raise no_statistics()
    names = ("weight", "bias", "mean", "variance")
    return _along(values, 1, (Parameters(eps=given["eps"], **{name: given[name] for name in names}),))


def _flat(values: FloatArray | None) -> FloatArray | None:
    return None if values is None else np.ascontiguousarray(values, np.float32).reshape(-1)


_ARRANGEMENTS: Mapping[str, Callable[[FloatArray, Mapping[str, Any]], Arranged]] = {
    "softmax": _softmax,
    "layer_norm": _last_axes,
    "rms_norm": _last_axes,
    "group_norm": _groups,
    "batch_norm": _channels,
}
"""By function; others are element by element, or rows of the last axis."""
