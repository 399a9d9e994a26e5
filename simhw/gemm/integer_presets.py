"""Datapaths of machines and libraries that multiply int8 and store int8, as data."""

from __future__ import annotations

from typing import Final

from simhw.accumulators import Accumulator, Exact, PartialSums
from simhw.gemm.datapath import Datapath
from simhw.gemm.requantize import get_rule

_INTEGER_HARDWARE: Final[tuple[tuple[str, str, Accumulator, str], ...]] = (
    (
        "tflite_int8_double_rounding",
        "tflite_double_rounding",
        Exact(bits=32),
        "TensorFlow Lite, MultiplyByQuantizedMultiplier over gemmlowp fixedpoint.h; Jacob et al., arXiv 1712.05877",
    ),
    (
        "tflite_int8_single_rounding",
        "tflite_single_rounding",
        Exact(bits=32),
        "TensorFlow Lite built with TFLITE_SINGLE_ROUNDING, MultiplyByQuantizedMultiplier",
    ),
    ("onnxruntime_int8", "onnxruntime", Exact(bits=32), "ONNX Runtime, QLinearMatMul: MlasRequantizeOutput"),
    ("onnx_reference_int8", "onnx_reference", Exact(bits=32), "onnx.reference, QLinearMatMul"),
    ("xnnpack_int8", "xnnpack_fp32", Exact(bits=32), "XNNPACK, qs8-gemm with fp32 requantization"),
    ("xnnpack_int8_rndnu", "xnnpack_rndnu", Exact(bits=32), "XNNPACK, qs8-gemm with rndnu requantization"),
    (
        "gemmini_int8",
        "gemmini_scale",
        PartialSums(inner_bits=20, every=16, outer_bits=32),
        "Gemmini, default: 16 x 16 array, 20-bit sums in it, 32-bit accumulator, ACC_SCALE in fp32",
    ),
)
"""Name, rule of :mod:`simhw.gemm.requantize`, register, source."""


def integer_presets() -> list[Datapath]:
    """Return int8 datapaths that store int8: machines and libraries, each with its own rule of requantization."""
    return [
        Datapath(
            name=name,
            description=f"int8 x int8, {accumulator.name} register, int8 results: {get_rule(rule).description}",
            activation="int8",
            weight="int8",
            attention="int8",
            pe="int8_mac",
            accumulator=accumulator,
            output="int8",
            requantize=rule,
            scheme="w8a8_static_min_max",
            source=source,
        )
        for name, rule, accumulator, source in _INTEGER_HARDWARE
    ]
