"""Which lengths of a module's inputs an import leaves open."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from torch import nn

from simhw.errors import InputError
from simhw.graph.base import Array


def open_lengths(part: Array, dynamic: Collection[int]) -> dict[int, int]:
    """Return the axes of an input, the sample left out, that may have another length, with that of the example."""
    return {axis: part.shape[axis] for axis in sorted(set(dynamic) - {0}) if axis < part.ndim}


def check_axes(parts: Sequence[Array], dynamic: Collection[int]) -> None:
    """Raise InputError where the axes are not those of an example, or the example is too short to tell."""
    if len(parts[0]) == 0:
        raise InputError("the example has 0 samples, at least 1 is needed to import a module; give one sample")
    most = max(part.ndim for part in parts) - 1
    if dynamic and (0 not in dynamic or not all(0 <= axis <= most for axis in dynamic)):
        raise InputError(
            f"dynamic axes are {tuple(dynamic)}, must be 0 (the sample) and others of 1..{most}; "
            "give (0, 1) for sequences of any length"
        )
    for axis, length in (pair for part in parts for pair in open_lengths(part, dynamic).items()):
        if length < 2:
            raise InputError(
                f"axis {axis} of the example is {length} long, a dynamic one must be at least 2 long; "
                "give a longer example"
            )


def check_lengths(program: Any, module: nn.Module, parts: Sequence[Array], dynamic: Collection[int]) -> None:
    """Refuse a module that takes one length only where any was asked for."""
    for shape, part in zip(input_shapes(program), parts, strict=True):
        for axis, length in open_lengths(part, dynamic).items():
            if isinstance(shape[axis], int) or shape[axis].node.expr.is_number:
                raise InputError(
                    f"module {type(module).__name__} fixes the length of axis {axis} at {length} (a table of positions "
                    "or a mask of that length, or a test of it); take the length from the input, as in "
                    "mask[:length, :length], and give an example shorter than the table; or import it for one length"
                )


def input_shapes(program: Any) -> list[Any]:
    """Return the shape of each input of an exported program, open lengths as symbols."""
    names = program.graph_signature.user_inputs
    shapes = {node.name: node.meta["val"].shape for node in program.graph.nodes if node.name in names}
    return [shapes[name] for name in names]
