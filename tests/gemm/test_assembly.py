"""What silently breaks: hot loops use vector registers, and all of their width."""

import re

import numba as nb
import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features

from simhw.formats import decoding_kernels
from simhw.gemm.kernels import (
    aligned,
    aligned_products,
    aligned_tiles,
    blocks,
    conversion,
    dots,
    extent,
    finish,
    look_up,
    packing,
    product_table,
    rounded,
    rounded_other,
    saturate,
    saturate_integers,
    sequential,
    tiles,
)
from simhw.kernel import has_feature, vector_bytes

pytestmark = pytest.mark.skipif(not get_host_cpu_features().get("avx2"), reason="reads x86 assembly with AVX2 or later")

REGISTER = {64: "zmm", 32: "ymm", 16: "xmm"}[vector_bytes()]
K = 8


def packed_operands(kind, rows=tiles.ROWS, words=None):
    width = tiles.columns(np.dtype(kind).itemsize)
    return np.ones((2, K, rows), words or kind), np.ones((2, K, width), kind)


def sums(kind, words=None):
    """Arguments of a kernel made by ``multiply_add``."""
    return (*packed_operands(kind, words=words), np.zeros((20, 50), kind), np.ones(10, kind))


def scaled(kind, total):
    a, b = packed_operands(kind, blocks.ROWS)
    scales = np.ones((2, 2, blocks.ROWS), np.float32), np.ones((2, 2, b.shape[2]), np.float32)
    return a, b, *scales, np.zeros(scales[1].shape, total), 4, np.float32(1), np.zeros((10, 50), np.float32)


def aligned_arguments(*more):
    a, b = np.ones((2, 32, aligned_tiles.ROWS), np.float32), np.ones((2, 32, aligned_tiles.COLUMNS), np.float32)
    numbers = np.array([32, 127 << 23, 267 << 23, 13 << 23, -1, 0, 118 << 23, 1 << 23], np.int64)
    return a, a.astype(np.uint32), b, b.astype(np.int8), np.zeros((4, 100), np.float32), numbers, *more


ROWS = np.ones((8, 128), np.float32)
FLAT = np.ones(1024, np.float32)
HOT_LOOPS = {
    "fp32 chain": (sequential.sequential_fma, sums(np.float32), "vfmadd"),
    "fp64 chain": (sequential.sequential_fma, sums(np.float64), "vfmadd.*pd"),
    "any rounding mode": (sequential.sum_native, (*sums(np.float32), 0), "vfmadd"),
    "fp16 by conversion": (rounded.sum_half, sums(np.float32), "vcvtps2ph"),
    "any register": (rounded.sum_nearest, sums(np.float32), "vmulps"),
    "bounded register": (rounded.sum_nearest_bounded, sums(np.float32), "vmaxps"),
    "register without subnormals": (rounded.sum_nearest_free, sums(np.float32), "vfnmadd"),
    "register in fp64": (rounded.sum_nearest_free, sums(np.float64), "vfnmadd.*pd"),
    "saturating 16 bit": (saturate_integers.saturate_int16, sums(np.int16, np.uint32), "vpaddsw"),
    "packing": (
        packing.pack,
        (np.ones((64, 64), np.uint64), np.ones((2, 64, 32), np.uint64)),
        "vperm|vpunpck|vshuf|vunpck",
    ),
    "block dots": (blocks.scaled_blocks, scaled(np.float32, np.float32), "vfmadd"),
    "block dots in fp64": (blocks.scaled_blocks, scaled(np.float64, np.float64), "vfmadd.*pd"),
    "aligned, largest exponents": (
        aligned_tiles.aligned_tiles,
        aligned_arguments(np.zeros((2, 2), np.bool_)),
        "vpmaxsb",
    ),
    "aligned, truncation": (aligned_tiles.aligned_tiles, aligned_arguments(np.zeros((2, 2), np.bool_)), "vcvttps2dq"),
    "aligned, fp16 results": (aligned_tiles.aligned_half_tiles, aligned_arguments(), "vcvttps2dq"),
    "aligned by panels": (
        aligned_products._add_sixteen,
        (np.ones((4, 16), np.float32), np.ones((16, 128), np.float32), ROWS[:4].copy(), np.zeros((4, 128), np.int32)),
        "vcvttps2dq",
    ),
    "largest exponents by panels": (
        aligned._largest_exponents,
        (np.ones((4, 16), np.int8), np.ones((16, 128), np.int8), np.zeros((4, 128), np.int8)),
        "vpmaxsb",
    ),
    "saturating in floats": (
        saturate._clamped,
        (np.ones((4, 8), np.float32), ROWS, np.zeros((4, 128), np.float32), np.ones(4, np.float32)),
        "vpminsd",
    ),
    "rounded to odd": (
        rounded_other.sum_nearest_odd,
        (ROWS[:, :8].copy(), ROWS, np.zeros((8, 128), np.float32), np.ones(10, np.float32)),
        "vmaxps",
    ),
    "directed": (
        rounded_other.sum_directed,
        (ROWS[:, :8].copy(), ROWS, np.zeros((8, 128), np.float32), np.ones(10, np.float32)),
        "vmaxps",
    ),
    "finish": (
        finish.finish,
        (*(ROWS, np.float32(1), FLAT, FLAT, FLAT, True, np.float32(1), 1), ROWS.copy(), np.zeros(8, np.int64)),
        "vcvtps2ph",
    ),
    "magnitudes": (extent.magnitudes, (FLAT.view(np.uint32),), "vpminud"),
    "to words": (conversion.to_words, (FLAT, np.float32(1), 1, FLAT.view(np.uint32).copy()), "vcvttps2dq"),
}
if has_feature("avx512fp16"):
    HOT_LOOPS["fp16"] = (rounded.sum_half_fused, sums(np.uint16, np.uint32), "vfmadd.*ph")
if dots.has_dot_products():
    START = np.zeros((2, tiles.columns(4)), np.int32)
    A, B = packed_operands(np.uint32)
    HOT_LOOPS |= {
        "int8": (dots.sum_bytes, (A, B, np.zeros((20, 50), np.int32), START), "vpdpbusd"),
        "sums of int8": (dots.offset_sums, (B, 4, np.zeros((2, 2, B.shape[2]), np.int32)), "vpdpbusd"),
        "int8 block dots": (blocks.scaled_byte_blocks, scaled(np.uint32, np.int32), "vpdpbusd"),
        "saturating words": (saturate_integers.saturate_int32, sums(np.int32), "vpdpwssds"),
    }
if look_up.shuffled_bits():
    CODES = np.ones((4, 100), np.uint8)
    TABLE, ZEROS = np.ones(256, np.int8), np.zeros((4, 1), np.int8)
    HOT_LOOPS["small table"] = (
        look_up.shuffle_bytes,
        (CODES, TABLE, ZEROS, 100, CODES.astype(np.int8)),
        "vpshufb|vpermb",
    )
if decoding_kernels.has_byte_tables():
    HALF = np.ones(256, np.uint8)
    DECODED = np.ones(100, np.uint8), HALF, HALF, np.ones(100, np.float32)
    HOT_LOOPS["decoding bytes"] = (decoding_kernels.decode_bytes, DECODED, "vperm[it]2b")

if product_table.has_table_shuffles():
    BYTES = np.ones((4, 16), np.uint8)
    HALVES = np.ones((256, 256), np.uint8)
    HOT_LOOPS["product table"] = (
        product_table.shuffled_products,
        (BYTES, np.ones((1, 16, 128), np.uint8), HALVES, HALVES, np.zeros((4, 100), np.int32)),
        "vperm[it]2b",
    )


@pytest.mark.parametrize("name", HOT_LOOPS)
def test_hot_loops_use_whole_vector_registers(name):
    """One scalar load silently costs a factor of ten, half a register one of two."""
    function, arguments, operation = HOT_LOOPS[name]
    fresh = nb.njit(nogil=True)(function.py_func)  # compiled here: what the disk cache returns has no assembly
    fresh(*arguments)
    assembly = next(iter(fresh.overloads.values())).library.get_asm_str()
    lines = [line for line in assembly.splitlines() if re.search(rf"^\s+({operation})", line)]
    assert any(REGISTER in line for line in lines), f"{name} has no {operation} with {REGISTER}: {lines[:5]}"
