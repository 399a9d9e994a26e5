"""Codes of a byte or less to bytes, less a zero point: by shuffles of the processor where tables are small."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from simhw.formats.decoding_kernels import has_byte_tables
from simhw.kernel import kernel, vector_bytes
from simhw.vectors import BYTE, Vectors, View, vector

LANE = 16
"""Bytes that a shuffle of older processors picks from."""


def shuffled_bits() -> int:
    """Return the bits of codes that one shuffle looks up: 6 (x86-64 with AVX512-VBMI), 4 (with AVX-512) or none."""
    if vector_bytes() < 64:
        return 0
    return 6 if has_byte_tables() else 4


@intrinsic
def _shuffle_row(
    typing_context: Any,  # noqa: ARG001
    codes: Any,
    table: Any,
    zero: Any,
    row: Any,
    first: Any,
    last: Any,
    out: Any,
) -> Any:
    """Set ``out[row, first:last]``, which must not be empty, to ``table[codes[row, first:last]] - zero``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v, lanes = Vectors(builder), vector_bytes()
        kind = vector(BYTE, lanes)
        given, entries, target = (View(context, builder, signature.args[i], arguments[i]) for i in (0, 1, 6))
        name, entry = "permvar.qi", v.load(entries.pointer, 0, kind)
        if shuffled_bits() == 4:
            name, entry = "pshuf.b", v.shuffle(entry, entry, [i % LANE for i in range(lanes)])
        zeros = v.splat(arguments[2], lanes)
        start = builder.mul(arguments[3], given.shape[1])
        with v.steps(arguments[4], arguments[5], lanes) as k:
            mask = v.first_lanes(builder.sub(arguments[5], k.index), lanes)
            place = builder.add(start, k.index)
            code = v.load_lanes(given.pointer, place, kind, mask)
            value = v.call(f"llvm.x86.avx512.{name}.{8 * lanes}", entry, code)
            v.store_lanes(builder.sub(value, zeros), target.pointer, place, mask)
        return context.get_dummy_value()

    return types.void(codes, table, zero, row, first, last, out), generate


@kernel
def shuffle_bytes(
    codes: NDArray[np.uint8], table: NDArray[np.int8], zeros: NDArray[np.int8], size: int, out: NDArray[np.int8]
) -> None:
    """Do what :func:`look_up_bytes` does, for codes of :func:`shuffled_bits`."""
    depth = codes.shape[1]
    for i in range(codes.shape[0]):
        for group in range(zeros.shape[1]):
            _shuffle_row(codes, table, zeros[i, group], i, group * size, min(group * size + size, depth), out)


@kernel
def look_up_bytes(
    codes: NDArray[np.uint8], table: NDArray[np.int8], zeros: NDArray[np.int8], size: int, out: NDArray[np.int8]
) -> None:
    """Set ``out`` (rows, k) to ``table[codes]`` less the zero point of each group of ``size``: (rows, groups)."""
    depth = codes.shape[1]
    for i in range(codes.shape[0]):
        for group in range(zeros.shape[1]):
            zero = zeros[i, group]
            for k in range(group * size, min(group * size + size, depth)):
                out[i, k] = np.int8(table[codes[i, k]] - zero)
