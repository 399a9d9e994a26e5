"""Round to nearest: scales from the range of the values, codes by rounding to the nearest even."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import (
    CodebookFormat,
    FloatFormat,
    IntegerFormat,
    decode,
    encode,
    get_block_format,
    get_element_format,
    quantize_blocks,
    round_to,
)
from simhw.gemm.operand import Operand, check_group_size
from simhw.quantize import Coding, FloatArray, Granularity, OperandScheme, Range, ValueRange, check_finite
from simhw.ranges import row_ranges

_CANDIDATES = np.linspace(1.0, 0.21, 80, dtype=np.float32)
_TAIL = 0.1  # percent on each side


@dataclass(frozen=True, kw_only=True)
class RoundToNearest:
    """Affine quantization (Jacob et al., arXiv 1712.05877, section 2.1) without any learning.

    Symmetric: ``scale = max |x| / largest code``; asymmetric: ``scale = (max - min) / (2^bits - 1)`` over a range
    that includes zero, ``zero = round(-min / scale)``. Codes: ``clamp(round(x / scale) + zero)``. All in fp32.
    """

    def quantize(
        self,
        values: FloatArray,
        scheme: OperandScheme,
        *,
        rows_per_scale: int = 1,
        rows_per_tensor: int | None = None,
        static: ValueRange | None = None,
    ) -> Operand:
        """Return ``(batch, rows, k)`` values as codes (see :class:`simhw.quantize.Method`)."""
        if values.ndim != 3 or 0 in values.shape:
            raise InputError(
                f"values have shape {values.shape}, must be (batch, rows, k) with no empty axis; reshape them first"
            )
        check_finite(values, "a tensor to be quantized")
        if scheme.coding is not Coding.PLAIN:
            from simhw.quant.codings import quantize_coded

            return quantize_coded(values, scheme, rows_per_scale=rows_per_scale, rows_per_tensor=rows_per_tensor)
        if scheme.granularity is Granularity.BLOCK:
            return _blocks(values, scheme, rows_per_tensor)
        if scheme.granularity is Granularity.NONE:
            return Operand(codes=encode(values, get_element_format(scheme.format)), format=scheme.format)
        if scheme.granularity is Granularity.GROUP:
            return _groups(values, scheme)
        if scheme.granularity is Granularity.TENSOR:
            rows_per_scale = rows_per_tensor or values.shape[0] * values.shape[1]
        return _rows(values, scheme, rows_per_scale, static)

    def calibrate(self, values: FloatArray, scheme: OperandScheme) -> ValueRange:
        """Return the range that static scales for values like these span."""
        check_finite(values, "calibration data")
        low, high = _range(values.reshape(1, -1), scheme)
        return ValueRange(low=float(low[0]), high=float(high[0]))


METHOD = RoundToNearest()


def _rows(values: FloatArray, scheme: OperandScheme, rows_per_scale: int, static: ValueRange | None) -> Operand:
    """One scale per ``rows_per_scale`` consecutive rows (static: the same one for all)."""
    batch, rows, k = values.shape
    if batch * rows % rows_per_scale:
        raise InputError(
            f"{batch * rows} rows cannot share scales by {rows_per_scale}; give a divisor of {batch * rows}"
        )
    pools = values.reshape(batch * rows // rows_per_scale, rows_per_scale * k)
    if static is not None:
        low, high = np.full(len(pools), static.low, np.float32), np.full(len(pools), static.high, np.float32)
    else:
        low, high = _range(pools, scheme)
    scale, zero = _scale(low, high, scheme)
    codes = _codes(pools, scale, zero, scheme).reshape(values.shape)

    def spread(per_pool: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.broadcast_to(per_pool.reshape(-1, 1), (len(per_pool), batch * rows // len(per_pool))).reshape(
            batch, rows
        )

    return Operand(
        codes=codes,
        format=scheme.format,
        row_scale=spread(scale).astype(np.float32),
        zero_point=None if zero is None else spread(zero).astype(np.int32)[:, :, None],
        scale_bits=get_element_format(scheme.scale_format).bits,
        zero_point_bits=0 if zero is None else get_element_format(scheme.format).bits,
    )


def _groups(values: FloatArray, scheme: OperandScheme) -> Operand:
    """One scale (and zero point) per ``group_size`` consecutive k of a row; the last group may be shorter."""
    batch, rows, k = values.shape
    size = scheme.group_size
    assert size is not None
    check_group_size(size, k)
    codes = np.empty(values.shape, get_element_format(scheme.format).code_dtype)
    groups = -(-k // size)
    scales = np.empty((batch, rows, groups), np.float32)
    zeros = np.zeros((batch, rows, groups), np.int32)
    for group in range(groups):
        ks = slice(group * size, min((group + 1) * size, k))
        pools = values[:, :, ks].reshape(batch * rows, -1)
        scale, zero = _scale(*_range(pools, scheme), scheme)
        codes[:, :, ks] = _codes(pools, scale, zero, scheme).reshape(batch, rows, -1)
        scales[:, :, group] = scale.reshape(batch, rows)
        if zero is not None:
            zeros[:, :, group] = zero.reshape(batch, rows)
    return Operand(
        codes=codes,
        format=scheme.format,
        group_size=size,
        group_scale=scales,
        zero_point=None if scheme.symmetric else zeros,
        scale_bits=get_element_format(scheme.scale_format).bits,
        zero_point_bits=0 if scheme.symmetric else get_element_format(scheme.format).bits,
    )


def _blocks(values: FloatArray, scheme: OperandScheme, rows_per_tensor: int | None) -> Operand:
    """A block format: its own element and scale formats and block size; a tensor scale where it has one."""
    form = get_block_format(scheme.format)
    batch, rows, k = values.shape
    tensor = rows_per_tensor if rows_per_tensor and form.has_tensor_scale else batch * rows
    parts = [quantize_blocks(part, form) for part in values.reshape(-1, tensor, k)]
    scales = np.concatenate([decode(part.scales, form.scale) for part in parts])
    return Operand(
        codes=np.concatenate([part.codes for part in parts]).reshape(values.shape),
        format=form.element.name,
        group_size=min(form.block_size, k),
        group_scale=scales.reshape(batch, rows, -1).astype(np.float32),
        row_scale=np.repeat(np.array([part.tensor_scale for part in parts], np.float32), tensor).reshape(batch, rows)
        if form.has_tensor_scale
        else None,
        scale_bits=form.scale.bits,
    )


def _limits(scheme: OperandScheme) -> tuple[int, int] | float:
    """Return the integer code range, or the largest value of a float format or a codebook."""
    form = get_element_format(scheme.format)
    if isinstance(form, FloatFormat | CodebookFormat):
        return float(form.max_value)
    assert isinstance(form, IntegerFormat)
    return int(form.min_value), int(form.max_value)


def _scale(low: FloatArray, high: FloatArray, scheme: OperandScheme) -> tuple[FloatArray, NDArray[np.int32] | None]:
    """Return scales (rounded to the scale format) and zero points for ranges."""
    limits = _limits(scheme)
    if scheme.symmetric:
        largest = np.float32(limits if isinstance(limits, float) else limits[1])
        scale = np.asarray(np.maximum(-low, high) / largest, np.float32)
    elif isinstance(limits, float):
        raise InputError(f"format {scheme.format} has no zero point; choose symmetric: true")
    else:
        low, high = np.minimum(low, np.float32(0)), np.maximum(high, np.float32(0))
        with np.errstate(over="ignore"):  # an infinite range is refused with its scale
            scale = np.asarray((high - low) / np.float32(limits[1] - limits[0]), np.float32)
    scale = _store(scale, scheme.scale_format)
    if scheme.symmetric or isinstance(limits, float):
        return scale, None
    zero = np.clip(np.rint(-low / scale) + limits[0], *limits).astype(np.int32)
    return scale, zero


def _store(scale: FloatArray, name: str) -> FloatArray:
    """Return scales as their format holds them; a scale that would be zero becomes the smallest positive one.

    Raises InputError for a scale that the format cannot hold.
    """
    form = get_element_format(name)
    largest = np.float32(float(form.max_value))
    if not (scale <= largest).all():
        raise InputError(
            f"values need a scale of {scale.max():g}, scale format {name} ends at {largest:g}; "
            "check the weights and the input data, or choose a scheme with scales in fp32"
        )
    smallest = np.float32(max(2.0**form.lsb_exponent, 2.0**-126))
    stored = scale if name == "fp32" else round_to(scale, form).astype(np.float32)
    return np.where(scale == 0, np.float32(1), np.maximum(stored, smallest)).astype(np.float32)


def _codes(
    pools: FloatArray, scale: FloatArray, zero: NDArray[np.int32] | None, scheme: OperandScheme
) -> NDArray[np.unsignedinteger]:
    """Return codes of ``(pools, values)`` with one scale per pool."""
    from simhw.quant.row_kernels import MOST_BITS, integer_codes

    form = get_element_format(scheme.format)
    if not isinstance(form, IntegerFormat):
        return encode(pools / scale[:, None], form)
    if form.bits > MOST_BITS or form.fraction_bits:
        return encode(_rounded(pools, scale, zero, scheme), form)
    codes = np.empty(pools.shape, form.code_dtype)
    zeros = np.zeros(len(pools), np.int32) if zero is None else zero
    limits = int(form.min_value), int(form.max_value)
    integer_codes(np.ascontiguousarray(pools), scale, zeros, *limits, codes, form.code_count - 1)
    return codes


def _rounded(pools: FloatArray, scale: FloatArray, zero: NDArray[np.int32] | None, scheme: OperandScheme) -> FloatArray:
    """Return the values that the codes stand for, in units of the scale and with the zero point."""
    limits = _limits(scheme)
    ratio = pools / scale[:, None]
    if isinstance(limits, float):
        return round_to(ratio, get_element_format(scheme.format)).astype(np.float32, copy=False)
    np.rint(ratio, out=ratio)
    if zero is not None:
        ratio += zero[:, None].astype(np.float32)
    return np.clip(ratio, *limits, out=ratio)


def _range(pools: FloatArray, scheme: OperandScheme) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest value kept, per pool."""
    low, high, _ = row_ranges(pools)
    if scheme.range is Range.MIN_MAX:
        return low, high
    if scheme.range is Range.PERCENTILE:
        tails = np.percentile(pools, [_TAIL, 100 - _TAIL], axis=1).astype(np.float32)
        return tails[0], tails[1]
    best = np.full(len(pools), np.inf, np.float32)
    kept = (low.copy(), high.copy())
    for factor in _CANDIDATES:
        scale, zero = _scale(low * factor, high * factor, scheme)
        difference = _rounded(pools, scale, zero, scheme)
        if zero is not None:
            difference -= zero[:, None].astype(np.float32)
        difference *= scale[:, None]
        difference -= pools
        error = np.mean(np.square(difference, out=difference), axis=1)
        better = error < best
        best = np.where(better, error, best)
        kept = (np.where(better, low * factor, kept[0]), np.where(better, high * factor, kept[1]))
    return kept
