"""fp16 activations aligned to the largest exponent of their chunk (FIGNA): 16-bit mantissas, a power of two per chunk.

Values are cast to fp16 first, saturating as a cast elsewhere does; the alignment is that of ``simhw.pes.figna.align``,
for whole arrays. Memory holds the fp16 codes: mantissas and exponents exist in the array only, so that the scale of a
chunk takes no storage.
"""

from __future__ import annotations

import numpy as np

from simhw.formats import encode, get_element_format
from simhw.gemm.operand import Operand, check_group_size
from simhw.pes.figna import GUARD_BITS, MANTISSA_BITS
from simhw.quantize import FloatArray, OperandScheme

FRACTION_BITS = 10
BIAS = 15


def quantize_aligned(values: FloatArray, scheme: OperandScheme) -> Operand:
    """Return values as aligned mantissas in groups of k; the last group may be shorter."""
    size = scheme.group_size
    assert size is not None
    k = values.shape[2]
    check_group_size(size, k)
    halves = encode(values, get_element_format("fp16")).astype(np.int32)
    field = np.maximum(halves >> FRACTION_BITS & 0x1F, 1)
    significand = (halves & 0x3FF) | np.where(halves >> FRACTION_BITS & 0x1F, 1 << FRACTION_BITS, 0)
    starts = np.arange(0, k, size)
    top = np.maximum.reduceat(field, starts, axis=2)
    distance = np.repeat(top, size, axis=2)[:, :, :k] - field
    mantissa = significand << GUARD_BITS >> distance
    signed = np.where(halves >> 15, -mantissa, mantissa)
    return Operand(
        codes=(signed & (1 << MANTISSA_BITS) - 1).astype(np.uint16),
        format=scheme.format,
        group_size=size,
        group_scale=np.ldexp(np.float32(1), top - BIAS - FRACTION_BITS - GUARD_BITS).astype(np.float32),
        scale_bits=0,
        stored_bits=16,
    )
