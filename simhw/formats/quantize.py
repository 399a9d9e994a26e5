"""Quantization to block formats: choose a scale per block, divide, round each element once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats.arrays import Codes, as_values
from simhw.formats.block import BlockFormat
from simhw.formats.codec import encode
from simhw.formats.decoding import decode
from simhw.formats.names import AnyFormat, get_block_format
from simhw.formats.rounding import Rounding, ScaleRule, choose


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
        elements = decode(self.codes, self.format.element).astype(np.float64)
        scales = decode(self.scales, self.format.scale).astype(np.float64)
        spread = np.repeat(scales, self.format.block_size, axis=self.axis)
        spread = np.take(spread, range(self.codes.shape[self.axis]), axis=self.axis)
        with np.errstate(over="ignore", under="ignore"):
            return (elements * (spread * np.float64(self.tensor_scale))).astype(dtype)


def quantize_blocks(
    values: Any,
    fmt: str | AnyFormat,
    *,
    axis: int = -1,
    scale_rule: ScaleRule | str | None = None,
    rounding: Rounding | str = Rounding.NEAREST_EVEN,
) -> QuantizedBlocks:
    """Quantize a tensor to a block format; the last block along ``axis`` may be shorter, as if zero-padded.

    Args:
        values: real numbers, at least one axis.
        fmt: name or record of a block format.
        axis: along which elements share scales.
        scale_rule: how a scale follows from the largest magnitude of its block; None takes the format's own.
        rounding: of the elements.

    Raises:
        InputError: unknown names, no such axis, not numbers.
    """
    record = get_block_format(fmt)
    rule = record.scale_rule if scale_rule is None else choose(ScaleRule, scale_rule, argument="scale_rule")
    array = as_values(values)
    if not -array.ndim <= axis < array.ndim:
        raise InputError(
            f"axis is {axis}, but values have {array.ndim} axes; blocks need an axis to run along"
        )
    axis %= array.ndim
    rows = np.moveaxis(array, axis, -1).astype(np.float64)
    lead, length = rows.shape[:-1], rows.shape[-1]
    blocks = -(-length // record.block_size)
    padded = np.zeros((*lead, blocks * record.block_size))
    padded[..., :length] = rows
    padded = padded.reshape(*lead, blocks, record.block_size)
    broken = np.isnan(padded).any(axis=-1)
    padded = np.nan_to_num(padded, nan=0.0, posinf=3.4028234663852886e38, neginf=-3.4028234663852886e38)
    amax = np.abs(padded).max(axis=-1, initial=0.0)
    tensor_scale = np.float32(1.0)
    if record.has_tensor_scale:
        largest = float(record.element.max_value * record.scale.max_value)
        tensor_scale = np.float32(amax.max(initial=0.0) / largest) or np.float32(1.0)
    if rule is ScaleRule.AMAX:
        wanted = (amax / float(record.element.max_value)) / float(tensor_scale)
        if record.scale_minimum_exponent is not None:
            wanted = np.maximum(wanted, 2.0**record.scale_minimum_exponent)
        scales = encode(wanted, record.scale)
    else:
        scales = encode(2.0 ** _power_of_two(amax, record, rule), record.scale)
    factor = decode(scales, record.scale).astype(np.float64) * float(tensor_scale)
    codes = encode(padded / factor[..., None], record.element, rounding=rounding)
    codes[broken] = 0
    if record.scale.nan_code is not None:
        scales[broken] = record.scale.nan_code
    codes = codes.reshape(*lead, blocks * record.block_size)[..., :length]
    return QuantizedBlocks(
        codes=np.ascontiguousarray(np.moveaxis(codes, -1, axis)),
        scales=np.ascontiguousarray(np.moveaxis(scales, -1, axis)),
        tensor_scale=tensor_scale,
        format=record,
        axis=axis,
    )


def _power_of_two(amax: NDArray[np.float64], fmt: BlockFormat, rule: ScaleRule) -> NDArray[np.int64]:
    """Return the exponents of power-of-two scales, clamped to -127..127."""
    mantissa, exponent = np.frexp(amax)
    exponent = exponent.astype(np.int64) - 1
    if rule is ScaleRule.CEIL:
        exponent += mantissa > 0.5
    elif rule is ScaleRule.EVEN:
        exponent += mantissa >= 1.0 - 2.0 ** -(fmt.element.significand_bits + 1)
    elif rule is ScaleRule.ROUND_UP:
        exponent += mantissa * 2.0 ** (fmt.element.max_exponent + 1) > float(fmt.element.max_value)
    return np.clip(np.where(amax > 0, exponent - fmt.element.max_exponent, -127), -127, 127)
