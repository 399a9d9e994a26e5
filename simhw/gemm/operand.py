"""A matrix as the hardware holds it: codes, and the scales and zero points that give them meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import decode, get_element_format

Codes = NDArray[np.unsignedinteger[Any]]
Values = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Operand:
    """One operand of a GEMM, with k (the summed index) last.

    The meaning of ``codes[b, r, k]`` in group ``g = k // group_size`` is
    ``(decode(code) - zero_point[b, r, g]) * group_scale[b, r, g] * row_scale[b, r]``.

    Attributes:
        codes: ``(batch, rows, k)`` unsigned codes of ``format``.
        format: element format name.
        group_size: k per group, the last group may be shorter; None means that all of k is one group.
        group_scale: ``(batch, rows, groups)`` float32, applied to each group's sum; None without groups.
        zero_point: ``(batch, rows, groups)`` int32, of weights only; None where symmetric.
        row_scale: ``(batch, rows)`` float32, applied to the finished sum; None means 1.
        scale_bits, zero_point_bits: storage of one scale and one zero point (traffic and capacity).
        stored_bits: of one element in memory, where a decoder widens it on its way to codes; None: the format's.
    """

    codes: Codes
    format: str
    group_size: int | None = None
    group_scale: NDArray[np.float32] | None = None
    zero_point: NDArray[np.int32] | None = None
    row_scale: NDArray[np.float32] | None = None
    scale_bits: int = 32
    zero_point_bits: int = 0
    stored_bits: int | None = None

    def __post_init__(self) -> None:
        if self.codes.ndim != 3:
            raise InputError(
                f"operand codes have shape {self.codes.shape}, must be (batch, rows, k); reshape them first"
            )
        batch, rows, k = self.codes.shape
        if min(batch, rows, k) < 1:
            raise InputError(
                f"operand codes have shape {self.codes.shape}, every size must be at least 1; drop empty operands"
            )
        if self.group_size is not None:
            check_group_size(self.group_size, k)
        groups = (batch, rows, self.groups)
        for label, array, shape in (
            ("group_scale", self.group_scale, groups),
            ("zero_point", self.zero_point, groups),
            ("row_scale", self.row_scale, groups[:2]),
        ):
            if array is not None and array.shape != shape:
                raise InputError(
                    f"{label} has shape {array.shape}, must be {shape} for codes of shape {self.codes.shape}"
                    f" and group size {self.group_size}; one per group of each row"
                )

    @property
    def groups(self) -> int:
        """Number of groups along k."""
        k = self.codes.shape[2]
        return 1 if self.group_size is None else -(-k // self.group_size)

    def group_slices(self) -> list[slice]:
        """Return the k range of each group."""
        k = self.codes.shape[2]
        size = self.group_size or k
        return [slice(start, min(start + size, k)) for start in range(0, k, size)]

    def integers(self) -> Values:
        """Return ``decode(codes) - zero_point``: what the multipliers see once zero points are subtracted."""
        values = decode(self.codes, get_element_format(self.format))
        if self.zero_point is None:
            return values
        size = self.group_size or self.codes.shape[2]
        zero = np.repeat(self.zero_point.astype(values.dtype), size, axis=2)
        return np.asarray(values - zero[:, :, : values.shape[2]], values.dtype)

    def dequantize(self) -> NDArray[np.float64]:
        """Return the real values that the codes stand for, in float64 (an aid for inspection, not a datapath)."""
        values = self.integers().astype(np.float64)
        if self.group_scale is not None:
            size = self.group_size or self.codes.shape[2]
            values *= np.repeat(self.group_scale.astype(np.float64), size, axis=2)[:, :, : values.shape[2]]
        if self.row_scale is not None:
            values *= self.row_scale[:, :, None]
        return values


@dataclass(frozen=True, kw_only=True)
class Storage:
    """How an operand lies in memory, without its values.

    Attributes:
        format: element format name.
        bits: per element.
        group_size: k per group, None where all of k is one.
        group_scale_bits: scale and zero point of one group, 0 without.
        row_scale_bits: scale (and zero point) of one row, 0 without.
        zero_points: whether there are zero points, or minima in their place.
    """

    format: str
    bits: int
    group_size: int | None = None
    group_scale_bits: int = 0
    row_scale_bits: int = 0
    zero_points: bool = False

    @classmethod
    def of(cls, operand: Operand) -> Storage:
        """Describe an operand."""
        grouped = operand.group_scale is not None
        scale_bits = operand.scale_bits + operand.zero_point_bits
        row_bits = 32 if grouped else scale_bits
        return cls(
            format=operand.format,
            bits=operand.stored_bits or get_element_format(operand.format).bits,
            group_size=operand.group_size,
            group_scale_bits=scale_bits if grouped else 0,
            row_scale_bits=0 if operand.row_scale is None else row_bits,
            zero_points=operand.zero_point_bits > 0,
        )

    @property
    def has_scales(self) -> bool:
        """Whether values were scaled on their way to codes (a plain cast needs no scale)."""
        return self.group_scale_bits + self.row_scale_bits > 0

    def total_bits(self, rows: int, k: int) -> int:
        """Return the bits of ``rows`` x ``k`` elements with their scales."""
        groups = -(-k // self.group_size) if self.group_size else 1
        return rows * (k * self.bits + groups * self.group_scale_bits + self.row_scale_bits)


def check_group_size(group_size: int, k: int) -> None:
    """Raise InputError unless ``1 <= group_size <= k``.

    >>> check_group_size(0, 64)
    Traceback (most recent call last):
    simhw.errors.InputError: group size is 0, must be 1..64 (k, the length of the sum); choose one in that range
    """
    if not 1 <= group_size <= k:
        raise InputError(
            f"group size is {group_size}, must be 1..{k} (k, the length of the sum); choose one in that range"
        )
