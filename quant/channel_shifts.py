"""Channel groups whose scales are powers of two apart (Tender): each position along k by its own largest value.

A chunk is up to 256 rows of one tensor (a sample's tokens, or its output pixels). With T the largest magnitude of the
chunk, group i of 8 takes the positions whose largest magnitude lies in (T / 2^(8-i), T / 2^(7-i)], group 0 all below
too, and has the scale T / 2^(7-i) / (2^(b-1) - 1). Codes hold the group in their upper three bits, so a code stands
for its integer shifted by its group, in units of the smallest scale. Memory holds the integer; the groups of a chunk
are three bits per position, which all its rows share.

Two things of the source are left out. Its groups are found on calibration data, here on the chunk itself (its
"runtime" rule). It subtracts the middle of each channel's range before and adds the product of these with the weights
afterwards: with ranges taken at run time that is another GEMM.
"""

from __future__ import annotations

import numpy as np

from simhw.errors import InputError
from simhw.formats import get_element_format
from simhw.formats.coded import TENDER_GROUPS
from simhw.gemm.operand import Operand
from simhw.quantize import FloatArray, OperandScheme

CHUNK_ROWS = 256


def quantize_shifted(values: FloatArray, scheme: OperandScheme, rows_per_tensor: int) -> Operand:
    """Return values as shifted codes, with chunks of rows that never cross from one tensor to the next."""
    batch, rows, k = values.shape
    if batch * rows % rows_per_tensor:
        raise InputError(
            f"{batch * rows} rows are no whole number of tensors of {rows_per_tensor}; give a divisor of {batch * rows}"
        )
    form = get_element_format(scheme.format)
    bits = form.bits - (TENDER_GROUPS - 1).bit_length()
    largest = (1 << bits - 1) - 1
    flat = values.reshape(-1, k)
    codes = np.empty(flat.shape, form.code_dtype)
    scales = np.empty(len(flat), np.float32)
    for tensor in range(0, len(flat), rows_per_tensor):
        for start in range(tensor, tensor + rows_per_tensor, CHUNK_ROWS):
            chunk = slice(start, min(start + CHUNK_ROWS, tensor + rows_per_tensor))
            group, scale = group_positions(flat[chunk], largest)
            units = np.ldexp(scale, group)
            integers = np.clip(np.rint(flat[chunk] / units), -largest - 1, largest).astype(np.int64)
            codes[chunk] = group.astype(np.int64) << bits | integers & ((1 << bits) - 1)
            scales[chunk] = scale
    return Operand(
        codes=codes.reshape(values.shape),
        format=scheme.format,
        row_scale=scales.reshape(batch, rows),
        stored_bits=bits,
    )


def group_positions(chunk: FloatArray, largest: int) -> tuple[np.ndarray, np.float32]:
    """Return the group of each position along k and the smallest group's scale, for codes up to ``largest``."""
    peak = np.abs(chunk).max(axis=0)
    top = np.float32(peak.max())
    group = np.zeros(len(peak), np.int32)
    for i in range(1, TENDER_GROUPS):
        group += peak > np.ldexp(top, i - TENDER_GROUPS)
    scale = np.ldexp(top, 1 - TENDER_GROUPS) / np.float32(largest)
    if top == 0:
        return group, np.float32(1)
    return group, np.maximum(np.float32(scale), np.float32(2.0**-126))
