"""What a stored weight is: codes, scales, zero points or minima, and the order of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import decode, get_element_format
from simhw.gemm.operand import Operand

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedWeight:
    """A weight matrix as a checkpoint stores it: ``scale * (code - zero)``, or ``scale * code + minimum``.

    Attributes:
        codes: ``(n, k)`` unsigned codes of ``format``.
        format: element format: ``uint4``, ``uint8``, ``int8``.
        group_size: of k that share a scale; the last group may be shorter.
        scale: ``(n, groups)`` float32, values of fp16 (or bf16, fp32) as stored.
        zero: ``(n, groups)`` integer zero points, or None.
        minimum: ``(n, groups)`` float32, or None; not beside ``zero``.
        order: ``(k,)`` input of each column of ``codes``: groups are neighbours in ``codes`` (act-order); None: as is.
        source: tensor and layout, for sentences.
    """

    codes: NDArray[np.uint8]
    format: str
    group_size: int
    scale: NDArray[np.float32]
    zero: NDArray[np.int32] | None = None
    minimum: NDArray[np.float32] | None = None
    order: NDArray[np.int64] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        n, k = self.codes.shape
        groups = -(-k // self.group_size)
        for name in ("scale", "zero", "minimum"):
            array = getattr(self, name)
            if array is not None and array.shape != (n, groups):
                raise InputError(
                    f"{self.source}: {name} has shape {array.shape}, must be {(n, groups)} for {n} x {k} weights in "
                    f"groups of {self.group_size}; the checkpoint is damaged or of another layout"
                )
        if not np.isfinite(self.scale).all() or (self.minimum is not None and not np.isfinite(self.minimum).all()):
            raise InputError(f"{self.source}: a scale is not finite; the checkpoint is damaged")
        if self.order is not None and not np.array_equal(np.sort(self.order), np.arange(k)):
            raise InputError(f"{self.source}: the order of inputs is no permutation of {k}; the checkpoint is damaged")


Tensors = Mapping[str, "Array | PackedWeight"]
"""Tensors of a checkpoint by name."""


def dequantize(weight: PackedWeight) -> NDArray[np.float32]:
    """Return the ``(n, k)`` values that the codes stand for, inputs in their own order, in float32."""
    k = weight.codes.shape[1]
    values = decode(weight.codes, weight.format).astype(np.float32)

    def spread(array: Array) -> Array:
        repeated: Array = np.repeat(array, weight.group_size, axis=1)[:, :k]
        return repeated

    if weight.zero is not None:
        values -= spread(weight.zero).astype(np.float32)
    values *= spread(weight.scale)
    if weight.minimum is not None:
        values += spread(weight.minimum)
    if weight.order is None:
        return values
    ordered = np.empty_like(values)
    ordered[:, weight.order] = values
    return ordered


def as_operand(weight: PackedWeight) -> Operand:
    """Return the codes as a GEMM takes them, ``(1, n, k)``, without requantizing; minima are ``minimum_operand``'s."""
    zero_bits = 0 if weight.zero is None else get_element_format(weight.format).bits
    return Operand(
        codes=np.ascontiguousarray(weight.codes)[None],
        format=weight.format,
        **_scales(weight, weight.scale),
        zero_point=None if weight.zero is None else np.ascontiguousarray(weight.zero, np.int32)[None],
        scale_bits=16,
        zero_point_bits=zero_bits if weight.minimum is None else 16,
    )


def minimum_operand(weight: PackedWeight) -> Operand | None:
    """Return codes of 1 whose scales are the minima, None where a weight has none."""
    if weight.minimum is None:
        return None
    ones = np.ones((1, *weight.codes.shape), np.uint8)
    return Operand(codes=ones, format=weight.format, **_scales(weight, weight.minimum))


def _scales(weight: PackedWeight, scale: NDArray[np.float32]) -> dict[str, Any]:
    """Return the scales of groups, or of rows where a group has all of k."""
    if weight.group_size >= weight.codes.shape[1]:
        return {"row_scale": np.ascontiguousarray(scale[:, 0])[None]}
    return {"group_size": weight.group_size, "group_scale": np.ascontiguousarray(scale)[None]}
