"""Products of codes that a network itself fixes: QLinearConv, QLinearMatMul, ConvInteger, MatMulInteger of ONNX.

Codes and zero points are integers of 8 bits. The sum of the products of ``x - x_zero`` and ``w - w_zero`` is exact;
what becomes of it is one of three things:

* codes: bias added in int32, ``round(sum * (x_scale * w_scale / y_scale))``, ties to even, plus the zero point,
  saturated, in fp32 as ONNX Runtime does it (rule ``onnxruntime`` of :mod:`simhw.gemm.requantize`);
* values: ``sum * (x_scale * w_scale) + bias`` in float32;
* the sum itself, where there are no scales.

An importer also makes these of ``DequantizeLinear -> product -> QuantizeLinear``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.gemm.operand import Operand
from simhw.gemm.register import wrap_integers
from simhw.gemm.requantize import round_scaled
from simhw.graph.base import Array, FloatArray, Kind, Matmul, Operator
from simhw.graph.ops import conv2d, linear, matmul
from simhw.graph.ops.quantize_linear import code_type

RULE = "onnxruntime"
SIGN = 128
"""What an unsigned code and its zero point lose to become signed ones of the same difference."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What becomes of the sums.

    Attributes:
        x_scale: of the first operand: one number, or one per sample; None: there are no scales.
        w_scale: of the second: one number, or one per column.
        bias: int32 codes of scale ``x_scale * w_scale`` for results that are codes, else float values; or None.
        y_scale: of the results, None where they are no codes.
        y_zero: their zero point.
        to: their type.
    """

    x_scale: Any = None
    w_scale: Any = None
    bias: Any = None
    y_scale: Any = None
    y_zero: Any = None
    to: str = "uint8"

    def apply(self, sums: NDArray[Any]) -> Array:
        """Return the results for sums ``(..., n)``, which hold integers."""
        if self.x_scale is None:
            return np.asarray(np.rint(sums), np.int64).astype(np.int32)
        factor = np.asarray(self.x_scale, np.float32) * np.asarray(self.w_scale, np.float32)
        if self.y_scale is None:
            values = sums.astype(np.float32) * factor
            if self.bias is not None:
                values = values + np.asarray(self.bias, np.float32)
            return np.asarray(values, np.float32)
        total = np.rint(sums).astype(np.int64)
        if self.bias is not None:
            total = wrap_integers(total + np.asarray(self.bias, np.int64), 32)
        kind = code_type(self.to)
        scale = np.broadcast_to(factor / np.float32(np.asarray(self.y_scale).item()), total.shape[-1:])
        zero = 0 if self.y_zero is None else int(np.asarray(self.y_zero).item())
        return np.clip(round_scaled(total, scale, RULE) + zero, kind.low, kind.high).astype(kind.holds)


def differences(codes: Array, zero: Any, axis: int | None = None) -> FloatArray:
    """Return ``codes - zero`` in float32, zero points of several channels along ``axis``."""
    if zero is None:
        return codes.astype(np.float32)
    point = np.asarray(zero).astype(np.float32)
    if point.size == 1:
        point = point.reshape(())
    elif point.ndim == 1 and axis is not None:
        point = point.reshape([-1 if index == axis else 1 for index in range(codes.ndim)])
    return codes.astype(np.float32) - point


def _operand(values: FloatArray, zero: Any, unsigned: bool) -> Operand | None:
    """Return differences ``(batch, rows, k)`` as int8 codes with zero points per row, or None where they fit no row."""
    given = np.zeros((), np.int32) if zero is None else np.asarray(zero, np.int32)
    points = given.reshape(-1) - (SIGN if unsigned else 0)
    batch, rows, _ = values.shape
    if points.size in (1, rows) and given.ndim < 2:
        each = np.broadcast_to(points.reshape(1, -1, 1), (batch, rows, 1))
    elif batch * rows % points.size == 0:  # of groups of channels, or one per sample
        each = np.repeat(points, batch * rows // points.size).reshape(batch, rows, 1)
    else:
        return None
    codes = values + each.astype(np.float32)
    return Operand(
        codes=codes.astype(np.int8).view(np.uint8),
        format="int8",
        row_scale=np.ones((batch, rows), np.float32),
        zero_point=each if each.any() else None,
        zero_point_bits=8 if each.any() else 0,
    )


def _closed(
    gemm: Matmul, x: tuple[Array, Any], w: tuple[Array, Any], ending: Ending, columns: Callable[[Array], Array]
) -> Matmul:
    """Return a product of differences whose results end as codes, values or sums.

    Args:
        gemm: of ``x - zero`` and ``w - zero``.
        x, w: codes and zero points.
        ending: what becomes of the sums.
        columns: moves the axis of the columns to the end, and back.
    """
    operands = [
        _operand(values, zero, codes.dtype == np.uint8) if codes.dtype in (np.int8, np.uint8) else None
        for values, (codes, zero) in ((gemm.a, x), (gemm.b, w))
    ]
    first, second = operands
    return replace(
        gemm,
        bias=None,
        codes=None if first is None or second is None else (first, second),
        finish=lambda sums: np.ascontiguousarray(columns(ending.apply(columns(gemm.finish(sums))))),
    )


def _same(values: Array) -> Array:
    return values


def _channels(values: Array) -> Array:
    """Exchange the second axis and the last: its own inverse."""
    return values.swapaxes(1, -1)


def lower_linear(
    x: Array,
    x_scale: Any,
    x_zero: Any,
    w: Array,
    w_scale: Any,
    w_zero: Any,
    bias: Any = None,
    y_scale: Any = None,
    y_zero: Any = None,
    to: str = "uint8",
) -> Matmul:
    """Codes ``(..., k)`` and weight codes ``(n, k)``."""
    gemm = linear.lower(differences(x, x_zero), differences(w, w_zero, 0))
    ending = Ending(x_scale=x_scale, w_scale=w_scale, bias=bias, y_scale=y_scale, y_zero=y_zero, to=to)
    return _closed(gemm, (x, x_zero), (w, w_zero), ending, _same)


def lower_matmul(
    x: Array,
    x_scale: Any,
    x_zero: Any,
    y: Array,
    w_scale: Any,
    w_zero: Any,
    bias: Any = None,
    y_scale: Any = None,
    y_zero: Any = None,
    to: str = "uint8",
) -> Matmul:
    """Codes ``(..., m, k)`` and ``(..., k, n)``, both activations."""
    gemm = matmul.lower(differences(x, x_zero), differences(y, w_zero))
    ending = Ending(x_scale=x_scale, w_scale=w_scale, bias=bias, y_scale=y_scale, y_zero=y_zero, to=to)
    return _closed(gemm, (x, x_zero), (y, w_zero), ending, _same)


def lower_conv2d(
    x: Array,
    x_scale: Any,
    x_zero: Any,
    w: Array,
    w_scale: Any,
    w_zero: Any,
    bias: Any = None,
    y_scale: Any = None,
    y_zero: Any = None,
    to: str = "uint8",
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Matmul:
    """Codes ``(batch, channels, height, width)`` and ``(filters, channels, kh, kw)``; padding is the code of zero."""
    if x_zero is not None and np.size(x_zero) > 1:
        raise InputError(
            "a convolution of codes has a zero point per sample, takes one for all; import it with one sample at a time"
        )
    window = (stride, padding, dilation, groups)
    gemm = conv2d.lower(differences(x, x_zero), differences(w, w_zero, 0), None, *window).as_matmul()
    ending = Ending(x_scale=x_scale, w_scale=w_scale, bias=bias, y_scale=y_scale, y_zero=y_zero, to=to)
    return _closed(gemm, (x, x_zero), (w, w_zero), ending, _channels)


def _reference(lower: Callable[..., Matmul]) -> Callable[..., Array]:
    def reference(*args: Any, **kwargs: Any) -> Array:
        """Return the results of the exact sums, which float64 holds."""
        gemm = lower(*args, **kwargs)
        return gemm.finish(np.matmul(gemm.a.astype(np.float64), gemm.b.astype(np.float64).swapaxes(1, 2)))

    return reference


OPERATORS = (
    Operator(
        name="coded_linear",
        aten=(),
        reference=_reference(lower_linear),
        kind=Kind.MATMUL,
        lower=lower_linear,
        weight=3,
    ),
    Operator(
        name="coded_conv2d",
        aten=("simhw.coded_conv2d.default",),
        reference=_reference(lower_conv2d),
        kind=Kind.MATMUL,
        lower=lower_conv2d,
        weight=3,
    ),
    Operator(
        name="coded_matmul",
        aten=("simhw.coded_matmul.default",),
        reference=_reference(lower_matmul),
        kind=Kind.MATMUL,
        lower=lower_matmul,
    ),
)
