"""Quantization to block formats: choose a scale per block, divide, round each element once.

The meaning is that of :mod:`simhw.formats.block_definition`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats.arrays import Codes, FloatArray, as_values
from simhw.formats.block import BlockFormat
from simhw.formats.decoding import decode
from simhw.formats.names import AnyFormat, get_block_format
from simhw.formats.rounding import Overflow, Rounding, ScaleRule, choose

if TYPE_CHECKING:
    from simhw.formats.block_encoder import BlockEncoder

_CHUNK = 1 << 20
"""Elements per task: bounds the memory of the exact path, and is what threads share out."""


@dataclass(frozen=True, kw_only=True)
class QuantizedBlocks:
    """A tensor in a block format.

    Attributes:
        codes: element codes, in the shape of the tensor.
        scales: codes of the scale format, ``ceil(length / block_size)`` of them along ``axis``.
        tensor_scale: factor of the whole tensor, 1.0 where the format has none.
        format: the block format.
        axis: the axis along which blocks run, not negative.
    """

    codes: Codes
    scales: Codes
    tensor_scale: np.float32
    format: BlockFormat
    axis: int

    def decode(self, dtype: Any = np.float32) -> NDArray[Any]:
        """Return ``element * scale * tensor_scale``: exact in float64, rounded once to other dtypes."""
        elements = decode(self.codes, self.format.element)
        scales = decode(self.scales, self.format.scale).astype(np.float64) * np.float64(self.tensor_scale)
        length = self.codes.shape[self.axis]
        spread = np.repeat(scales, self.format.block_size, axis=self.axis)
        spread = spread[(slice(None),) * self.axis + (slice(length),)]
        with np.errstate(over="ignore", under="ignore"):
            return (elements * spread).astype(dtype)


def quantize_blocks(
    values: Any,
    fmt: str | AnyFormat,
    *,
    axis: int = -1,
    scale_rule: ScaleRule | str | None = None,
    rounding: Rounding | str = Rounding.NEAREST_EVEN,
    infinite: Overflow | str = Overflow.SATURATE,
    tensor_scale: float | None = None,
    random_bits: int = 16,
    seed: int = 0,
    threads: int = 1,
) -> QuantizedBlocks:
    """Quantize a tensor to a block format; the last block along ``axis`` may be shorter, as if zero-padded.

    Every element is the exact quotient ``value / (scale * tensor_scale)`` rounded once, and saturates. A block with a
    NaN gets the NaN scale and zero elements. A block of zeros gets the smallest scale. The tensor scale, where the
    format has one, is ``amax of the tensor / (largest element * largest scale)`` rounded to float32, and 1.0 for a
    tensor of zeros.

    Args:
        values: real numbers, at least one axis.
        fmt: name or record of a block format.
        axis: along which elements share scales.
        scale_rule: how a scale follows from the largest magnitude of its block; None takes the format's own.
        rounding: of the elements; scales round to nearest even, or are powers of two.
        infinite: "saturate": an infinite element counts as the largest float32 when scales are chosen, and becomes
            the largest element; "nan": it makes its block NaN. (OCP MX 1.0 leaves this open.)
        tensor_scale: a float32 known before (static calibration); None computes it.
        random_bits: n of stochastic rounding.
        seed: of stochastic rounding; an element's draw depends on it and on its position with ``axis`` moved last.
        threads: how many share the work; the result does not depend on it.

    Raises:
        InputError: unknown names, no such axis, not numbers, NaN where scales have none.

    >>> quantize_blocks([0.5, -3.0, 100.0], "mxfp4").decode()
    array([ 0., -0., 96.], dtype=float32)
    """
    from simhw.formats.block_encoder import BlockEncoder

    record = get_block_format(fmt)
    encoder = BlockEncoder(
        record,
        record.scale_rule if scale_rule is None else choose(ScaleRule, scale_rule, argument="scale_rule"),
        choose(Rounding, rounding, argument="rounding"),
        choose(Overflow, infinite, argument="infinite"),
        random_bits,
        seed,
    )
    if threads < 1:
        raise InputError(f"threads is {threads}, must be at least 1")
    array = as_values(values)
    if not -array.ndim <= axis < array.ndim:
        raise InputError(f"axis is {axis}, but values have {array.ndim} axes; blocks need an axis to run along")
    axis %= array.ndim
    rows = np.moveaxis(array, axis, -1)
    length = rows.shape[-1]
    blocks = _cut(rows, record.block_size)
    maxima = encoder.maxima(blocks) if record.has_tensor_scale and tensor_scale is None else None
    factor = _tensor_scale(blocks, encoder, tensor_scale, maxima)
    codes = np.empty(blocks.shape, record.element.code_dtype)
    scales = np.empty(blocks.shape[:-1], record.scale.code_dtype)
    _in_chunks(
        lambda at, end: encoder.run(
            blocks[at:end],
            codes[at:end],
            scales[at:end],
            factor,
            at * record.block_size,
            None if maxima is None else maxima[at:end],
        ),
        len(blocks),
        max(1, _CHUNK // record.block_size),
        threads,
    )
    per_row = -(-length // record.block_size)
    codes = codes.reshape(*rows.shape[:-1], per_row * record.block_size)[..., :length]
    scales = scales.reshape(*rows.shape[:-1], per_row)
    return QuantizedBlocks(
        codes=np.ascontiguousarray(np.moveaxis(codes, -1, axis)),
        scales=np.ascontiguousarray(np.moveaxis(scales, -1, axis)),
        tensor_scale=factor,
        format=record,
        axis=axis,
    )


def _cut(rows: FloatArray, size: int) -> FloatArray:
    """Return the rows as a contiguous (blocks, size) array; the last block of a row is padded with zeros."""
    lead, length = rows.shape[:-1], rows.shape[-1]
    per_row = -(-length // size)
    if per_row * size != length:
        padded = np.zeros((*lead, per_row * size), dtype=rows.dtype)
        padded[..., :length] = rows
        rows = padded
    return np.ascontiguousarray(rows).reshape(math.prod(lead) * per_row, size)


def _tensor_scale(
    blocks: FloatArray, encoder: BlockEncoder, given: float | None, maxima: NDArray[np.uint32] | None
) -> np.float32:
    if not encoder.format.has_tensor_scale:
        if given is not None:
            raise InputError(f"tensor_scale is {given}, but {encoder.format.name} has none; leave it out")
        return np.float32(1.0)
    if given is None:
        return encoder.choose_tensor_scale(blocks, maxima)
    with np.errstate(over="ignore"):
        factor = np.float32(given)
    if not 0 < factor < np.inf or float(factor) != float(given):
        raise InputError(f"tensor_scale is {given}, must be a positive finite float32 number")
    return factor


def _in_chunks(task: Callable[[int, int], None], count: int, chunk: int, threads: int) -> None:
    spans = [(at, min(at + chunk, count)) for at in range(0, count, chunk)]
    if threads == 1 or len(spans) < 2:
        for span in spans:
            task(*span)
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(task, *span) for span in spans]:
            done.result()
