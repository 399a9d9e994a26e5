"""Outlier-victim pairs (OliVe): int4 for most values, a wide abfloat for an outlier whose neighbour is pruned.

The scale of a row puts seven units near three standard deviations from zero: of the scales that put them at 0.5 to
2.5 times |mean| + 3 sigma, in steps of 0.25, the one with the least squared error, pruned neighbours included. (The
source searches so on calibration data; here rows are scaled at run time, as in the other schemes.) A value is rounded
to the nearest of the int4 and the abfloat values, -96..96 units. Where one of a pair (neighbours along k) has become
an outlier the other is pruned to zero; of two outliers the first is kept. A last value without a neighbour is stored
beside a code that fills the pair up (the identifier, if it is an outlier); that one code per row is not counted as
traffic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats import decode, encode
from simhw.formats.coded import OLIVE_LANE
from simhw.gemm.operand import Operand
from simhw.pes.olive_pair import IDENTIFIER, OUTLIER
from simhw.quantize import FloatArray, OperandScheme

STORED_BITS = 4
LARGEST_NORMAL = 7
SIGMAS = 3
FACTORS = np.arange(0.5, 2.75, 0.25, dtype=np.float32)
"""Scales that are tried, as multiples of the one that puts three sigma at seven units."""


def quantize_pairs(values: FloatArray, scheme: OperandScheme, rows_per_scale: int) -> Operand:
    """Return values as lane codes of outlier-victim pairs, one scale per ``rows_per_scale`` rows."""
    batch, rows, k = values.shape
    if batch * rows % rows_per_scale:
        raise InputError(
            f"{batch * rows} rows cannot share scales by {rows_per_scale}; give a divisor of {batch * rows}"
        )
    pools = values.reshape(-1, rows_per_scale * k)
    reach = np.abs(pools.mean(axis=1)) + np.float32(SIGMAS) * pools.std(axis=1)
    scale = np.zeros(len(pools), np.float32)
    codes = np.empty(pools.shape, np.uint8)
    least = np.full(len(pools), np.inf)
    for factor in FACTORS:
        tried = np.asarray(factor * reach / np.float32(LARGEST_NORMAL), np.float32)
        tried = np.where(reach == 0, np.float32(1), np.maximum(tried, np.float32(2.0**-126))).astype(np.float32)
        lanes = prune_victims(encode((pools / tried[:, None]).reshape(values.shape), OLIVE_LANE)).reshape(pools.shape)
        error = np.mean(np.square(decode(lanes, OLIVE_LANE) * tried[:, None] - pools), axis=1)
        better = error < least
        least = np.where(better, error, least)
        scale = np.where(better, tried, scale)
        codes[better] = lanes[better]
    return Operand(
        codes=codes.reshape(values.shape),
        format=scheme.format,
        row_scale=np.repeat(scale, rows_per_scale).reshape(batch, rows),
        stored_bits=STORED_BITS,
    )


def prune_victims(lanes: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.uint8]:
    """Return lane codes in which the neighbour of an outlier is a victim, pairs along the last axis."""
    codes = lanes.astype(np.uint8)
    k = codes.shape[-1]
    outlier = codes >= OUTLIER
    first, second = codes[..., : k - k % 2 : 2], codes[..., 1::2]
    by_first = outlier[..., : k - k % 2 : 2]
    by_second = outlier[..., 1::2] & ~by_first
    second[by_first] = IDENTIFIER
    first[by_second] = IDENTIFIER
    return codes


def store(lanes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the stored 4-bit codes of lane codes, filled up to whole pairs: what memory holds."""
    stored = lanes & np.uint8(0xF)
    if lanes.shape[-1] % 2 == 0:
        return np.asarray(stored)
    partner = np.where(lanes[..., -1:] >= OUTLIER, np.uint8(IDENTIFIER), np.uint8(0))
    return np.concatenate([stored, partner], axis=-1)


def load(stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the lane codes of stored pairs along the last axis (as ``simhw.pes.olive_pair.decode_pair`` reads one)."""
    lanes = stored.copy()
    first, second = stored[..., ::2] == IDENTIFIER, stored[..., 1::2] == IDENTIFIER
    lanes[..., 1::2][first] |= OUTLIER
    lanes[..., ::2][second & ~first] |= OUTLIER
    return lanes
