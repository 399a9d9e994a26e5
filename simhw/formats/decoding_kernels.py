"""Codes to float32 without a look-up each: 8-bit codes by shuffles of bytes, fp16 and bf16 by what they are.

Values that float32 holds in its upper half, as those of every usual format of at most 8 bits, take two tables of bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import float32, types, uint16
from numba.extending import intrinsic
from numpy.typing import NDArray

from simhw.kernel import has_feature, kernel, vector_bytes
from simhw.vectors import BYTE, SHORT, WORD, Vectors, View, long, vector

LANES = 64
"""Codes in a vector."""


def has_byte_tables() -> bool:
    """Return whether the processor looks up 128 bytes at once (x86-64 with AVX512-VBMI)."""
    return vector_bytes() == LANES and has_feature("avx512vbmi")


def look_up_bytes(v: Vectors, pointer: Any, offset: Any, code: Any) -> Any:
    """Return the bytes of a table of 256 at a byte pointer and offset that a vector of codes chooses."""
    quarters = [v.load(pointer, v.builder.add(offset, long(LANES * i)), code.type) for i in range(4)]
    low, high = (
        v.call("llvm.x86.avx512.vpermi2var.qi.512", quarters[i], code, quarters[i + 1], result=code.type)
        for i in (0, 2)
    )
    upper = v.builder.icmp_signed("<", code, ir.Constant(code.type, None))
    return v.builder.select(upper, high, low)


@intrinsic
def _decode_vectors(typing_context: Any, codes: Any, low: Any, high: Any, values: Any) -> Any:  # noqa: ARG001
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v, count = Vectors(builder), LANES // 2
        given, lows, highs, out = (View(context, builder, signature.args[i], arguments[i]) for i in range(4))
        kind = vector(BYTE, LANES)
        with v.steps(long(0), given.shape[0], LANES) as i:
            left = builder.sub(given.shape[0], i.index)
            code = v.load_lanes(given.pointer, i.index, kind, v.first_lanes(left, LANES))
            low_bytes, high_bytes = (look_up_bytes(v, table.pointer, long(0), code) for table in (lows, highs))
            for half in range(2):
                order = [half * count + lane // 2 + LANES * (lane % 2) for lane in range(LANES)]
                words = builder.bitcast(v.shuffle(low_bytes, high_bytes, order), vector(SHORT, count))
                wide = builder.shl(builder.zext(words, vector(WORD, count)), v.constant(vector(WORD, count), 16))
                offset = builder.mul(builder.add(i.index, long(half * count)), long(4))
                v.store_lanes(wide, out.pointer, offset, v.first_lanes(left, count, half * count))
        return context.get_dummy_value()

    return types.void(codes, low, high, values), generate


@kernel
def decode_bytes(
    codes: NDArray[np.uint8], low: NDArray[np.uint8], high: NDArray[np.uint8], values: NDArray[np.float32]
) -> None:
    """Set flat ``values``, which are not empty, to the float32 whose upper halves ``low`` and ``high`` give by code."""
    _decode_vectors(codes, low, high, values)


@intrinsic
def _half(typing_context: Any, code: Any) -> Any:  # noqa: ARG001
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return float32(uint16), generate


@kernel
def decode_half(codes: NDArray[np.uint16], values: NDArray[np.float32]) -> None:
    """Set flat ``values`` to fp16 codes; NaN keeps its sign, not its payload."""
    bits = values.view(np.uint32)
    for i in range(codes.shape[0]):
        values[i] = _half(codes[i])
    for i in range(codes.shape[0]):
        if values[i] != values[i]:
            bits[i] = np.uint32(bits[i] & np.uint32(0x80000000)) | np.uint32(0x7FC00000)


@kernel
def decode_upper_half(codes: NDArray[np.uint16], values: NDArray[np.float32]) -> None:
    """Set flat ``values`` to bf16 codes; NaN keeps its sign, not its payload."""
    bits = values.view(np.uint32)
    for i in range(codes.shape[0]):
        bits[i] = np.uint32(codes[i]) << np.uint32(16)
    for i in range(codes.shape[0]):
        if values[i] != values[i]:
            bits[i] = np.uint32(bits[i] & np.uint32(0x80000000)) | np.uint32(0x7FC00000)
