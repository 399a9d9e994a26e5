"""The vectorised kernels: the same bits as the generic ones, and really vectorised."""

import itertools
import re

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features
from numba import njit

from simhw.formats import (
    ElementFormat,
    Overflow,
    Rounding,
    ScaleRule,
    encode,
    float_format,
    get_block_format,
    get_element_format,
    narrow,
    narrow_blocks,
)
from simhw.formats.block_encoder import BlockEncoder
from simhw.formats.catalog import ELEMENTS
from simhw.formats.codec import Encoder
from simhw.kernel import vector_bytes

FAST_NAMES = [name for name, fmt in ELEMENTS.items() if Encoder(fmt).narrow is not None]


def words(first: int, last: int, stride: int) -> np.ndarray:
    return np.arange(first, last, stride, dtype=np.uint64).astype(np.uint32).view(np.float32)


def generic(values: np.ndarray, fmt: ElementFormat) -> np.ndarray:
    """The same rounding through the kernel that has no fast path: float64 holds every float32."""
    with np.errstate(invalid="ignore"):  # signalling NaN
        return encode(values.astype(np.float64), fmt)


def test_the_usual_formats_have_a_fast_path():
    usual = {"e4m3", "e5m2", "e2m1", "e2m3", "e3m2", "e4m3fnuz", "bf16", "fp16", "int8", "uint8", "int4", "int16"}
    assert usual <= set(FAST_NAMES)
    assert {"e8m0", "fp32", "tf32", "int32", "nf4", "ue4m3"}.isdisjoint(FAST_NAMES)


@pytest.mark.parametrize("name", FAST_NAMES)
def test_narrow_kernel_equals_the_generic_one(name):
    fmt = ELEMENTS[name]
    values = words(7, 1 << 32, 65_537)
    specials = np.array([0.0, -0.0, np.inf, -np.inf, 1e-45, -1e-45, 1e-38, 3.4e38], dtype=np.float32)
    values = np.concatenate([values, specials])
    values = values if fmt.has_nan else values[~np.isnan(values)]
    assert (encode(values, fmt) == generic(values, fmt)).all()


@pytest.mark.parametrize(
    ("exponent_bits", "mantissa_bits", "bias"),
    [
        *itertools.product(range(2, 9), range(1, 8), [None]),
        (4, 3, 60),
        (4, 3, -60),
        (3, 2, 120),
        (5, 10, 30),
        (2, 13, 1),
    ],
)
def test_narrow_kernel_equals_the_generic_one_for_any_split(exponent_bits, mantissa_bits, bias, boundary_points):
    fmt = float_format(exponent_bits=exponent_bits, mantissa_bits=mantissa_bits, bias=bias)
    with np.errstate(over="ignore"):
        values = boundary_points(fmt).astype(np.float32)
    values = np.concatenate([values, words(3, 1 << 32, 999_983)])
    assert (encode(values, fmt) == generic(values, fmt)).all()


def test_parameters_refuse_what_the_kernel_cannot_do():
    for name in ["e8m0", "fp32", "ue4m3", "e4m3_ftz", "e5m0f", "e8m7b200"]:
        fmt = get_element_format(name)
        assert narrow.narrow_parameters(fmt) is None, name


@pytest.mark.parametrize(
    "name",
    [
        "mxfp8_e4m3",
        "mxfp8_e5m2",
        "mxfp6_e2m3",
        "mxfp6_e3m2",
        "mxfp4",
        "mxint8",
        "nvfp4",
        "int4_e8m0_b16",
        "e3m4_e8m0_b8",
        "e2m1_e4m3_b16",
        "e4m3_e5m2_b48",
        "e2m3_fp16_b32",
        "e2m1_e4m3_b3",
    ],
)
def test_block_kernels_equal_the_exact_path(name):
    fmt = get_block_format(name)
    rng = np.random.default_rng(17)
    size = fmt.block_size
    blocks = [
        rng.standard_normal((600, size)),
        rng.standard_normal((300, size)) * 2.0 ** rng.integers(-149, 127, (300, 1)),
        rng.integers(-12, 13, (300, size)) * 2.0 ** rng.integers(-4, 5, (300, 1)),
        rng.standard_normal((100, size)) * (rng.random((100, size)) < 0.1),
        np.nextafter(np.float32(2.0) ** rng.integers(-130, 127, (100, size)).astype(np.float32), np.float32(0)),
        np.resize([0.0, -0.0], (4, size)),
        np.resize([np.inf, 1.0, -np.inf], (4, size)),
        np.resize([np.nan, 1.0], (4, size)),
        np.resize([1e-45, 3e-45, 1e-39], (4, size)),
        np.resize([3.4e38, 1.0], (4, size)),
    ]
    values = np.concatenate(blocks).astype(np.float32)
    for rule in ScaleRule:
        for tensor_scale in (1.0, 0.37) if fmt.has_tensor_scale else (1.0,):
            made = [np.zeros(values.shape, np.uint8), np.zeros(len(values), fmt.scale.code_dtype)]
            exact = [np.zeros(values.shape, np.uint8), np.zeros(len(values), fmt.scale.code_dtype)]
            encoder = BlockEncoder(fmt, rule)
            encoder.run(values, *made, np.float32(tensor_scale))
            encoder.allows_fast = False
            encoder.run(values, *exact, np.float32(tensor_scale))
            assert (made[1] == exact[1]).all()
            assert (made[0] == exact[0]).all()


def test_few_blocks_are_left_to_the_exact_path():
    values = np.random.default_rng(2).standard_normal((20_000, 32)).astype(np.float32)
    for name in ["mxfp8_e4m3", "mxfp4", "mxint8"]:
        assert _hard(name, values) == 0
    assert _hard("nvfp4", values.reshape(-1, 16)) < 40


def _hard(name: str, values: np.ndarray) -> int:
    fmt = get_block_format(name)
    encoder = BlockEncoder(fmt, fmt.scale_rule)
    scales = np.empty(len(values), fmt.scale.code_dtype)
    hard = encoder._run_fast(values, np.empty(values.shape, np.uint8), scales, 0.001 if name == "nvfp4" else 1.0)
    assert hard is not None
    return int(hard.sum())


def hottest_loops(kernel, *arguments: object) -> list[str]:
    """Compile the kernel afresh (assembly is not cached) and return the bodies of its innermost loops."""
    fresh = njit(nogil=True)(kernel.py_func)
    fresh(*arguments)
    (assembly,) = fresh.inspect_asm().values()
    labelled = re.split(r"^(\.LBB\w+):", assembly, flags=re.MULTILINE)
    pairs = zip(labelled[1::2], labelled[2::2], strict=True)
    return [body for label, body in pairs if re.search(rf"\tj\w+\t{re.escape(label)}\b", body)]


@pytest.mark.skipif(not get_host_cpu_features().get("avx2"), reason="reads x86 assembly with AVX2 or AVX-512")
class TestAssembly:
    """What silently breaks: a widened shift, a wrapped index, an interleaved loop."""

    bits = np.ones(4096, np.uint32)
    codes = np.empty(4096, np.uint8)
    scales = np.empty(128, np.uint8)
    hard = np.empty(128, np.bool_)

    def assert_vectorised(self, loops: list[str], *needed: str) -> None:
        assert not any("gather" in body for body in loops)
        register = {64: "zmm", 32: "ymm"}[vector_bytes()]
        vectors = [body for body in loops if f"%{register}" in body]
        assert any(all(re.search(pattern, body) for pattern in needed) for body in vectors), loops
        # 64-bit shifts would mean that Numba widened the lanes.
        assert not any(re.search(r"vpsrlv?q", body) for body in vectors)

    def test_casts(self):
        fmt = get_element_format("e4m3")
        loops = hottest_loops(narrow.narrow_float32, self.bits, self.codes, narrow.narrow_parameters(fmt))
        self.assert_vectorised(loops, r"vaddps", r"vpminud", r"vpsrlv?d")

    def test_integer_casts(self):
        parameters = narrow.narrow_integer_parameters(get_element_format("int8"))
        loops = hottest_loops(narrow.narrow_integer32, self.bits.view(np.float32), self.codes, parameters)
        self.assert_vectorised(loops, r"vmulps", r"vaddps")

    def test_power_of_two_blocks(self):
        fmt = get_block_format("mxfp4")
        power = narrow_blocks.power_of_two_parameters(fmt, ScaleRule.FLOOR)
        element = narrow_blocks.element_parameters(fmt)
        target = (self.bits, self.codes, self.scales, self.hard, 32)
        loops = hottest_loops(narrow_blocks.quantize_floats, *target, power, element)
        self.assert_vectorised(loops, r"vmulps", r"vaddps", r"vpminud")
        self.assert_vectorised(loops, r"vpmaxud")

    def test_division_by_rounded_scales(self):
        element = narrow_blocks.element_parameters(get_block_format("nvfp4"))
        factors = np.ones(4096, np.float32)
        loops = hottest_loops(narrow_blocks.divide, self.bits, factors, self.codes, element)
        self.assert_vectorised(loops, r"vmulps", r"vpminud")


def test_one_compilation_serves_all_formats():
    values = np.ones(3, np.float32)
    for name in ["e4m3", "e5m2", "e2m1", "e3m2", "e4m3fnuz", "p3109_k8p3se"]:
        encode(values, name)
        encode(values, name, rounding=Rounding.UP, overflow=Overflow.SATURATE)
    from simhw.formats import kernels

    for kernel in (narrow.narrow_float32, kernels.encode_float):
        dtypes = {(str(signature[0]), str(signature[1])) for signature in kernel.signatures}
        assert len(kernel.signatures) == len(dtypes)
