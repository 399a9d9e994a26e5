"""How integer hardware stores a finished sum: bias added in int32, requantized to the scale of the results.

The sum of products of codes has the scale ``a_scale * b_scale``; the stored code has ``scale`` and ``zero_point``. What
lies between is one of the rules of :mod:`simhw.gemm.requantize`, which the datapath names. The ratio of the scales is
computed once per column, before anything runs, in the float format in which the rule's library computes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import get_element_format
from simhw.gemm.datapath import Datapath
from simhw.gemm.operand import Operand
from simhw.gemm.register import wrap_integers
from simhw.gemm.requantize import get_rule, round_scaled

if TYPE_CHECKING:
    from simhw.gemm.accumulate import Totals

INT32_BITS = 32


@dataclass(frozen=True, kw_only=True)
class StoredScale:
    """What a stored code means: ``(code - zero_point) * scale``.

    Attributes:
        scale: positive, a value of fp32.
        zero_point: a value of the datapath's output format.
    """

    scale: float
    zero_point: int = 0

    def __post_init__(self) -> None:
        if not (self.scale > 0 and np.isfinite(self.scale) and float(np.float32(self.scale)) == self.scale):
            raise InputError(f"output_scale is {self.scale!r}, must be a positive value of fp32; round it first")


def store(
    totals: Totals,
    a: Operand,
    b: Operand,
    datapath: Datapath,
    stored: StoredScale,
    bias: NDArray[np.float32] | None,
) -> tuple[NDArray[np.float32], int]:
    """Return the real values of the stored codes, and how many were clamped.

    A real bias becomes ``round(bias / (a_scale * b_scale))`` first, to nearest even, clamped to int32: the code that
    the hardware is given.
    """
    codes = None
    if bias is not None:
        scale = np.float64(tensor_scale(a)) * _column_scales(b).astype(np.float64)
        wanted = np.rint(np.broadcast_to(bias.reshape(-1, scale.shape[1]), scale.shape) / scale)
        codes = np.clip(wanted, -(2.0**31), 2.0**31 - 1).astype(np.int64)[:, None, :]
    integers, clamped = store_integers(totals, a, b, datapath, stored, codes)
    return (integers - stored.zero_point).astype(np.float32) * np.float32(stored.scale), clamped


def store_integers(
    totals: Totals,
    a: Operand,
    b: Operand,
    datapath: Datapath,
    stored: StoredScale,
    bias: NDArray[np.int64] | None,
) -> tuple[NDArray[np.int64], int]:
    """Return the integers ``(batch, m, n)`` that the codes of the output format stand for, and how many were clamped.

    Args:
        totals: integer sums.
        a, b: the operands, for their scales: one of all of ``a``, one per row of ``b``.
        datapath: its ``requantize`` and ``output``.
        stored: scale and zero point of the results.
        bias: int32 codes that broadcast to ``(batch, m, n)``, or None.

    Raises:
        InputError: several scales of ``a``, groups of k, a zero point outside the format, a ratio of scales that the
            rule does not take.
    """
    assert datapath.requantize is not None
    form = get_element_format(datapath.output)
    low, high = int(form.min_value), int(form.max_value)
    if not low <= stored.zero_point <= high:
        raise InputError(
            f"output_zero_point is {stored.zero_point}, must be {low}..{high}; it is a value of {datapath.output}"
        )
    if any(operand.groups > 1 or operand.group_scale is not None for operand in (a, b)):
        raise InputError(f"groups of k were given, {datapath.name} requantizes the sum over all of k; leave them out")
    sums = totals.whole().astype(np.int64)
    if bias is not None:
        sums = wrap_integers(sums + bias, INT32_BITS)
    scales = effective_scales(tensor_scale(a), _column_scales(b), stored.scale, datapath.requantize)
    rounded = np.stack([round_scaled(sums[i], scales[i], datapath.requantize) for i in range(len(sums))])
    shifted = rounded + stored.zero_point
    kept = np.clip(shifted, low, high)
    return kept, int(np.count_nonzero(kept != shifted))


def effective_scales(a: np.float32, b: NDArray[np.float32], stored: float, rule: str) -> NDArray[Any]:
    """Return ``a * b / stored`` for each column, each step rounded in the rule's own float format."""
    kind = get_rule(rule).scale_type
    products: NDArray[Any] = np.asarray(a, kind) * b.astype(kind)
    return np.asarray(products / np.asarray(stored, kind))


def tensor_scale(a: Operand) -> np.float32:
    """Return the one scale of an operand. Raises InputError where its rows have scales of their own."""
    if a.row_scale is None:
        return np.float32(1)
    first = a.row_scale.flat[0]
    if np.any(a.row_scale != first):
        raise InputError(
            "rows of the first operand have scales of their own, requantization takes one for the whole tensor; "
            "quantize activations per tensor, as scheme w8a8_static_min_max does"
        )
    return np.float32(first)


def _column_scales(b: Operand) -> NDArray[np.float32]:
    return np.ones(b.codes.shape[:2], np.float32) if b.row_scale is None else b.row_scale
