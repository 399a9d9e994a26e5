"""Codes narrower than a byte, packed into bytes and back, in the order that memory and the RTL agree on."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError
from simhw.formats.arrays import Codes, as_codes
from simhw.formats.names import AnyFormat, get_element_format
from simhw.formats.rounding import choose


class BitOrder(StrEnum):
    """Where in the stream of bytes the first code lies."""

    LITTLE = "little"
    """In the lowest bits: for 4-bit codes the low nibble first (CUDA FP4, GGML, ONNX, torch float4_e2m1fn_x2)."""
    BIG = "big"
    """In the highest bits: for 4-bit codes the high nibble first (network order)."""


def pack_codes(codes: Any, fmt: str | AnyFormat, *, order: BitOrder | str = BitOrder.LITTLE) -> NDArray[np.uint8]:
    """Return the codes as a dense stream of bits along the last axis, without gaps between codes.

    Args:
        codes: codes of any shape with at least one axis.
        fmt: element format; its width is what a code takes (any width: 6-bit codes take three bytes for four).
        order: which end of the first byte the first code takes.

    Returns:
        uint8; the last axis has ``ceil(length * bits / 8)`` bytes, the unused bits of its last byte are zero.

    Raises:
        InputError: no such format or order, no axis, codes that the format has not.

    >>> pack_codes([1, 2, 3], "e2m1")
    array([33,  3], dtype=uint8)
    """
    record = get_element_format(fmt)
    bit_order = choose(BitOrder, order, argument="order")
    array = as_codes(codes, record)
    if array.ndim == 0:
        raise InputError("codes have no axis to pack along; reshape them to one axis at least")
    positions = _positions(record.bits, bit_order)
    bits = ((array[..., None] >> positions) & 1).astype(np.uint8)
    stream = bits.reshape(*array.shape[:-1], array.shape[-1] * record.bits)
    return np.packbits(stream, axis=-1, bitorder=bit_order.value)


def unpack_codes(packed: Any, fmt: str | AnyFormat, length: int, *, order: BitOrder | str = BitOrder.LITTLE) -> Codes:
    """Return the codes that :func:`pack_codes` packed.

    Args:
        packed: uint8, the stream along the last axis.
        fmt: element format of the codes.
        length: how many codes the last axis held.
        order: as given to pack_codes.

    Raises:
        InputError: not bytes, or a number of them that does not fit ``length``.
    """
    record = get_element_format(fmt)
    bit_order = choose(BitOrder, order, argument="order")
    stream = np.asarray(packed)
    if stream.dtype != np.uint8 or stream.ndim == 0:
        raise InputError(f"packed codes have dtype {stream.dtype}, must be an array of uint8 as pack_codes makes")
    needed = -(-length * record.bits // 8)
    if length < 0 or stream.shape[-1] != needed:
        raise InputError(
            f"packed codes have {stream.shape[-1]} bytes on the last axis, must have {needed} for "
            f"{length} codes of {record.name}"
        )
    bits = np.unpackbits(stream, axis=-1, count=length * record.bits, bitorder=bit_order.value)
    bits = bits.reshape(*stream.shape[:-1], length, record.bits)
    shifted = bits.astype(record.code_dtype) << _positions(record.bits, bit_order).astype(record.code_dtype)
    codes: Codes = np.bitwise_or.reduce(shifted, axis=-1)
    return codes


def _positions(bits: int, order: BitOrder) -> NDArray[np.uint32]:
    """Return the bit position of a code that each place in the stream holds."""
    rising = np.arange(bits, dtype=np.uint32)
    return rising if order is BitOrder.LITTLE else rising[::-1]
