"""QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear of ONNX: float values to codes and back.

Codes travel between steps as the integers, or the small floats, that they stand for: int8, uint8, int16 and uint16 in
their own types, narrower integers in 8 bits, FP8 and FP4 in float32. Every division, product and sum is in float32, as
in ONNX Runtime; the quotient is rounded to nearest, ties to even, the zero point added, the result saturated (ONNX
operator specification, QuantizeLinear-23).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from simhw.errors import InputError, unknown_name
from simhw.formats import round_to
from simhw.formats.rounding import Overflow
from simhw.graph.base import Array, FloatArray, Kind, Operator, VectorWork


@dataclass(frozen=True, kw_only=True)
class CodeType:
    """A type of ONNX that codes have.

    Attributes:
        low, high: range of an integer type; None for floats.
        holds: NumPy type that carries the values here.
        form: element format, for floats.
    """

    low: int | None = None
    high: int | None = None
    holds: DTypeLike
    form: str | None = None


def _integer(bits: int, signed: bool) -> CodeType:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return CodeType(low=low, high=high, holds=np.dtype(f"{'' if signed else 'u'}int{max(bits, 8)}"))


CODE_TYPES: Final[Mapping[str, CodeType]] = MappingProxyType(
    {
        **{
            f"{'' if signed else 'u'}int{bits}": _integer(bits, signed)
            for bits in (2, 4, 8, 16)
            for signed in (True, False)
        },
        "float8e4m3fn": CodeType(holds=np.float32, form="e4m3"),
        "float8e4m3fnuz": CodeType(holds=np.float32, form="e4m3fnuz"),
        "float8e5m2": CodeType(holds=np.float32, form="e5m2"),
        "float8e5m2fnuz": CodeType(holds=np.float32, form="e5m2fnuz"),
        "float4e2m1": CodeType(holds=np.float32, form="e2m1"),
    }
)
"""By ONNX's name of the type, in lower case."""


def code_type(name: str) -> CodeType:
    """Return a type of codes. Raises InputError for an unknown one."""
    if name not in CODE_TYPES:
        raise unknown_name("type of codes", name, CODE_TYPES)
    return CODE_TYPES[name]


def spread(values: Any, shape: tuple[int, ...], axis: int, block_size: int) -> NDArray[Any]:
    """Return a scale or zero point so that it broadcasts to a tensor's ``shape``.

    Args:
        values: one number; one per index of ``axis``; or one per block of ``block_size`` along it.
        shape: of the tensor.
        axis: along which several stand.
        block_size: 0 where there are no blocks.

    Raises:
        InputError: its shape fits none of these.
    """
    given = np.asarray(values)
    if given.size == 1:
        return given.reshape(())
    axis %= len(shape)
    if block_size:
        repeated = np.repeat(given, block_size, axis=axis)
        found = np.take(repeated, np.arange(shape[axis]), axis=axis) if repeated.shape[axis] >= shape[axis] else given
        if found.shape == shape:
            return found
    elif given.ndim == 1 and given.size == shape[axis]:
        return given.reshape([-1 if index == axis else 1 for index in range(len(shape))])
    elif given.ndim == len(shape) and all(size in (1, most) for size, most in zip(given.shape, shape, strict=True)):
        return given  # of DynamicQuantizeLinear: one per sample
    raise InputError(
        f"scale has shape {given.shape} for a tensor of shape {shape} along axis {axis} with blocks of {block_size}; "
        "give one number, one per index of the axis, or one per block"
    )


def quantize_linear(
    x: FloatArray,
    scale: Any,
    zero_point: Any = None,
    axis: int = 1,
    block_size: int = 0,
    to: str = "uint8",
    saturate: bool = True,
) -> Array:
    """Return the codes of ``x``: ``saturate(round(x / scale) + zero_point)``.

    Args:
        x: of any shape.
        scale, zero_point: one; one per index of ``axis``; or one per block of it.
        axis, block_size: see ``scale``.
        to: type of the codes, see :data:`CODE_TYPES`.
        saturate: of FP8: whether what is beyond the largest number becomes it, or infinity (NaN where there is none).
    """
    kind = code_type(to)
    values = np.asarray(x, np.float32)
    divisor = spread(np.asarray(scale, np.float32), values.shape, axis, block_size)
    zero = None if zero_point is None else spread(zero_point, values.shape, axis, block_size)
    if kind.form is not None:
        beyond = Overflow.INFINITY if kind.form == "e5m2" else Overflow.NAN
        overflow = Overflow.SATURATE if saturate or kind.form == "e2m1" else beyond
        return np.asarray(round_to(values / divisor, kind.form, overflow=overflow), np.float32)
    assert kind.low is not None
    assert kind.high is not None
    rounded = np.rint(values / divisor)
    shifted = rounded if zero is None else rounded + zero.astype(np.float32)
    # NaN has no code; ONNX Runtime's conversion of it is undefined, here it is the lowest.
    return np.where(shifted > kind.low, np.minimum(shifted, kind.high), kind.low).astype(kind.holds)


def dequantize_linear(
    x: Array,
    scale: Any,
    zero_point: Any = None,
    axis: int = 1,
    block_size: int = 0,
    of: str = "",  # noqa: ARG001
) -> FloatArray:
    """Return the values that codes stand for: ``(x - zero_point) * scale``, the difference exact.

    ``of`` is the type of constant codes, which the array that carries them does not tell.
    """
    codes = np.asarray(x)
    factor = spread(np.asarray(scale, np.float32), codes.shape, axis, block_size)
    if codes.dtype.kind != "f":
        zero = 0 if zero_point is None else spread(zero_point, codes.shape, axis, block_size).astype(np.int32)
        codes = codes.astype(np.int32) - zero
    elif zero_point is not None and np.any(zero_point):
        raise InputError("codes of a float type have a zero point other than 0; check the step that made them")
    return np.asarray(codes.astype(np.float32) * factor, np.float32)


def dynamic_quantize_linear(x: FloatArray) -> tuple[Array, FloatArray, Array]:
    """Return uint8 codes of each sample, its scale and its zero point.

    The range is that of the sample, widened to hold 0, as ONNX finds it for a batch of one; scales and zero points
    are ``(samples, 1, ..., 1)``.
    """
    values = np.asarray(x, np.float32)
    axes = tuple(range(1, values.ndim))
    high = np.maximum(values.max(axis=axes, keepdims=True), np.float32(0))
    low = np.minimum(values.min(axis=axes, keepdims=True), np.float32(0))
    scale = (high - low) / np.float32(255)
    scale = np.where(scale == 0, np.float32(1), scale)
    zero = np.clip(np.rint(np.float32(0) - low / scale), 0, 255)
    codes = np.clip(np.rint(values / scale) + zero, 0, 255).astype(np.uint8)
    return codes, np.asarray(scale, np.float32), zero.astype(np.uint8)


OPERATORS = (
    Operator(
        name="quantize_linear",
        aten=("simhw.quantize_linear.default",),
        reference=quantize_linear,
        kind=Kind.VECTOR,
        work=VectorWork(adds=2, multiplies=1),
    ),
    Operator(
        name="dequantize_linear",
        aten=("simhw.dequantize_linear.default",),
        reference=dequantize_linear,
        kind=Kind.VECTOR,
        work=VectorWork(adds=1, multiplies=1),
    ),
    Operator(
        name="dynamic_quantize_linear",
        aten=("simhw.dynamic_quantize_linear.default",),
        reference=dynamic_quantize_linear,
        kind=Kind.VECTOR,
        work=VectorWork(adds=4, multiplies=1, passes=2),
    ),
)
