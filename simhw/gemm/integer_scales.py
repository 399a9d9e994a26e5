"""Group scales that are integers: a group's sum is multiplied and added in int32, floats come at the very end.

The all-integer form of dequantization after the group: within a group the register holds the sum of q x; the
dequantizer subtracts zero point times sum of x, multiplies by the group's integer scale and adds the result to an int32
sum, all exactly. As long as the register holds every group's sum, that is the plain sum of x (scale (q - zero)) modulo
2^32.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import decode, encode, get_element_format
from simhw.gemm.operand import Operand

SUM_BITS = 32
"""Of the sum over groups."""


def fold_scales(a: Operand, b: Operand, register_bits: int | None) -> Operand | None:
    """Return the weights with their group scales multiplied in, as int8, or None where that could change a bit.

    It could where the register might wrap within a group; and it cannot be done where a weight does not fit an int8.
    """
    assert b.group_scale is not None
    _check_integers(b)
    size = b.group_size or b.codes.shape[2]
    limits = (get_element_format(operand.format) for operand in (a, b))
    largest = size * int(np.prod([max(abs(int(f.min_value)), int(f.max_value)) for f in limits]))
    if register_bits is not None and largest >= 1 << (register_bits - 1):
        return None
    scale = np.repeat(b.group_scale, size, axis=2)[:, :, : b.codes.shape[2]]
    weights = np.asarray(b.integers() * scale, np.float32)
    if np.abs(weights).max() > 127:
        return None
    return Operand(codes=encode(weights, get_element_format("int8")), format="int8", row_scale=b.row_scale)


def sum_scaled_groups(a: Operand, b: Operand, register_bits: int | None) -> tuple[NDArray[np.int64], int]:
    """Return the int32 sums ``(batch, m, n)`` group by group, and how many sums wrapped, of a group or in all."""
    assert b.group_scale is not None
    _check_integers(b)
    x = a.integers().astype(np.float64)  # sums of such products are far below 2^53: float64 is exact
    q = decode(b.codes, get_element_format(b.format)).astype(np.float64)
    total = np.zeros((*a.codes.shape[:2], b.codes.shape[1]), np.int64)
    overflows = 0
    for group, ks in enumerate(b.group_slices()):
        held = (x[:, :, ks] @ q[:, :, ks].swapaxes(1, 2)).astype(np.int64)
        if register_bits is not None:
            wrapped = _wrap(held, register_bits)
            overflows += int(np.count_nonzero(wrapped != held))
            held = wrapped
        if b.zero_point is not None:
            sums = x[:, :, ks].sum(axis=2).astype(np.int64)
            held = held - sums[:, :, None] * b.zero_point[:, None, :, group].astype(np.int64)
        total += held * b.group_scale[:, None, :, group].astype(np.int64)
    result = _wrap(total, SUM_BITS)
    return result, overflows + int(np.count_nonzero(result != total))


def _wrap(sums: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    half = np.int64(1 << (bits - 1))
    return np.asarray(((sums + half) & np.int64((1 << bits) - 1)) - half)


def _check_integers(b: Operand) -> None:
    assert b.group_scale is not None
    if not np.array_equal(np.rint(b.group_scale), b.group_scale) or np.abs(b.group_scale).max() > 255:
        raise InputError(
            "group scales were given that are no integers of up to 8 bits, this datapath multiplies by such integers; "
            "quantize in two levels (scheme w4a8_progressive)"
        )
