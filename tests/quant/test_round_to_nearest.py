"""Round to nearest against the affine equations in plain Python, number by number.

Symmetric: scale = max |x| / largest code; asymmetric: scale = (max - min) / (2^bits - 1) over a range that includes
zero, zero = clamp(round(-min / scale)); codes = clamp(round(x / scale) + zero), all rounding half to even, in fp32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from simhw.catalog import get_method
from simhw.gemm.operand import Operand
from simhw.quantize import Granularity, OperandScheme, Range, ValueRange

METHOD = get_method("round_to_nearest")

INTEGERS = [
    ("int2", True),
    ("int4", True),
    ("int8", True),
    ("int8", False),
    ("int16", True),
    ("uint4", False),
    ("uint8", False),
]
FLOATS = {"e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2, "e2m1": ml_dtypes.float4_e2m1fn}


def fp32(x: float) -> float:
    """One operation on two fp32 numbers, done in float64, rounds to fp32 as if done once (2 * 24 + 2 <= 53 bits)."""
    return float(np.float32(x))


def bounds(name: str) -> tuple[int, int]:
    """Lowest and highest integer of int8, uint4, ..."""
    bits = int(name.lstrip("uint"))
    return (0, 2**bits - 1) if name.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def affine(
    pool: list[float], name: str, symmetric: bool, store: Callable[[float], float] = fp32
) -> tuple[float, int, list[int]]:
    """Scale, zero point and integer codes of numbers that share them."""
    lowest, highest = bounds(name)
    low, high = min(pool), max(pool)
    if symmetric:
        scale = fp32(max(-low, high) / highest)
    else:
        low, high = min(low, 0.0), max(high, 0.0)
        scale = fp32(fp32(high - low) / (highest - lowest))
    scale = store(scale) if scale else 1.0
    zero = 0 if symmetric else round(Fraction(fp32(-low / scale))) + lowest
    zero = min(max(zero, lowest), highest)
    codes = [min(max(round(Fraction(fp32(x / scale))) + zero, lowest), highest) for x in pool]
    return scale, zero, codes


def signed(codes: np.ndarray, name: str) -> np.ndarray:
    """The integers of two's-complement (or unsigned) codes."""
    lowest, highest = bounds(name)
    wide = codes.astype(np.int64)
    return np.where(wide > highest, wide - (highest - lowest + 1), wide)


def scheme(name: str, granularity: Granularity = Granularity.ROW, **settings: object) -> OperandScheme:
    return OperandScheme(format=name, granularity=granularity, **settings)  # type: ignore[arg-type]


finite = st.floats(-1e4, 1e4, width=32).map(lambda x: x if abs(x) > 1e-3 else 0.0)
tensors = arrays(np.float32, array_shapes(min_dims=3, max_dims=3, max_side=7), elements=finite)


@pytest.mark.parametrize(("name", "symmetric"), INTEGERS)
@given(values=tensors)
def test_rows(name: str, symmetric: bool, values: np.ndarray):
    result = METHOD.quantize(values, scheme(name, symmetric=symmetric))
    for index in np.ndindex(values.shape[:2]):
        scale, zero, codes = affine(values[index].tolist(), name, symmetric)
        assert result.row_scale is not None
        assert result.row_scale[index] == scale
        assert signed(result.codes[index], name).tolist() == codes
        assert symmetric or result.zero_point is not None
        assert symmetric or result.zero_point[index].tolist() == [zero]
    assert (result.zero_point is None) == symmetric


@pytest.mark.parametrize(("name", "symmetric"), [("int8", True), ("uint4", False)])
@given(values=tensors)
def test_tensor_and_pools_of_rows(name: str, symmetric: bool, values: np.ndarray):
    """A scale per tensor is a scale per sample; rows that share a scale are one pool."""
    batch, rows, k = values.shape
    per_tensor = METHOD.quantize(values, scheme(name, Granularity.TENSOR, symmetric=symmetric), rows_per_tensor=rows)
    per_pool = METHOD.quantize(values, scheme(name, symmetric=symmetric), rows_per_scale=rows)
    for result in (per_tensor, per_pool):
        for sample in range(batch):
            scale, _, codes = affine(values[sample].ravel().tolist(), name, symmetric)
            assert result.row_scale is not None
            assert set(result.row_scale[sample].tolist()) == {scale}
            assert signed(result.codes[sample], name).ravel().tolist() == codes
    assert per_tensor.codes.shape == (batch, rows, k)


@pytest.mark.parametrize(("name", "symmetric"), [("uint4", False), ("int4", True)])
@pytest.mark.parametrize(("stored", "smallest"), [("fp32", 2.0**-126), ("fp16", 2.0**-24), ("bf16", 2.0**-126)])
@given(values=tensors, data=st.data())
def test_groups(name: str, symmetric: bool, stored: str, smallest: float, values: np.ndarray, data: st.DataObject):
    """Also ragged ones; scales are rounded to their format before they divide."""
    cast = {"fp32": np.float32, "fp16": np.float16, "bf16": ml_dtypes.bfloat16}[stored]
    size = data.draw(st.integers(1, values.shape[2]))
    result = METHOD.quantize(
        values, scheme(name, Granularity.GROUP, symmetric=symmetric, group_size=size, scale_format=stored)
    )
    assert result.group_scale is not None
    assert result.group_scale.shape[2] == math.ceil(values.shape[2] / size)
    for index in np.ndindex(result.group_scale.shape):
        ks = slice(index[2] * size, (index[2] + 1) * size)
        scale, zero, codes = affine(
            values[index[:2]][ks].tolist(), name, symmetric, lambda x: max(float(np.float32(x).astype(cast)), smallest)
        )
        assert result.group_scale[index] == scale
        assert signed(result.codes[index[:2]][ks], name).tolist() == codes
        assert symmetric or result.zero_point[index] == zero  # type: ignore[index]


@pytest.mark.parametrize("name", FLOATS)
@given(values=tensors)
def test_float_formats(name: str, values: np.ndarray):
    dtype = FLOATS[name]
    largest = float(ml_dtypes.finfo(dtype).max)
    result = METHOD.quantize(values, scheme(name))
    peaks = np.abs(values).max(axis=2)
    scale = np.where(peaks == 0, np.float32(1), (peaks.astype(np.float64) / largest).astype(np.float32))
    np.testing.assert_array_equal(result.row_scale, scale)
    np.testing.assert_array_equal(result.codes, (values / scale[:, :, None]).astype(dtype).view(np.uint8))


def dequantized(result: Operand, name: str) -> np.ndarray:
    """scale * (q - z) in float64, for scales per row."""
    integers = signed(result.codes, name) - (0 if result.zero_point is None else result.zero_point)
    assert result.row_scale is not None
    return integers * result.row_scale.astype(np.float64)[:, :, None]


@pytest.mark.parametrize(("name", "symmetric"), INTEGERS)
@given(values=tensors)
def test_error_is_at_most_half_a_step(name: str, symmetric: bool, values: np.ndarray):
    """Of codes that are not clamped; the end of an asymmetric range moves with the rounded zero point by as much."""
    result = METHOD.quantize(values, scheme(name, symmetric=symmetric))
    assert result.row_scale is not None
    step = result.row_scale.astype(np.float64)[:, :, None]
    slack = 1e-6 * np.abs(values).max(axis=2, keepdims=True)  # the fp32 scale's own rounding
    error = np.abs(dequantized(result, name) - values)
    inside = ~np.isin(signed(result.codes, name), bounds(name))
    assert (error <= step / 2 + slack)[inside].all()
    assert (error <= (step / 2 if symmetric else step) + slack).all()


def noise(values: np.ndarray, result: Operand, name: str) -> np.ndarray:
    return np.mean((dequantized(result, name) - values) ** 2, axis=2)


@pytest.mark.parametrize(("name", "symmetric"), [("int4", True), ("uint4", False), ("int8", True)])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_mse_is_the_best_of_its_candidates(name: str, symmetric: bool, seed: int):
    values = np.random.default_rng(seed).standard_t(2, (2, 3, 40)).astype(np.float32)
    chosen = METHOD.quantize(values, scheme(name, symmetric=symmetric, range=Range.MSE))
    errors = []
    for factor in np.linspace(1.0, 0.21, 80, dtype=np.float32):
        kept = np.stack([values.min(axis=2) * factor, values.max(axis=2) * factor], axis=2)
        reference = METHOD.quantize(kept, scheme(name, symmetric=symmetric))
        assert reference.row_scale is not None
        lowest, highest = bounds(name)
        zero = 0 if reference.zero_point is None else reference.zero_point
        codes = np.clip(np.rint(values / reference.row_scale[:, :, None]) + zero, lowest, highest)
        clipped = (codes - zero) * reference.row_scale.astype(np.float64)[:, :, None]
        errors.append(np.mean((clipped - values) ** 2, axis=2))
    # The method compares sums of 40 squares in fp32: 1e-5 covers their rounding.
    found = noise(values, chosen, name)
    assert (found <= np.min(errors, axis=0) * (1 + 1e-5)).all()
    assert (found <= noise(values, METHOD.quantize(values, scheme(name, symmetric=symmetric)), name) * (1 + 1e-5)).all()


def quantile(pool: list[float], share: float) -> float:
    """Linear interpolation between order statistics."""
    ordered = sorted(pool)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_percentile_cuts_a_thousandth_on_each_side(seed: int):
    values = np.random.default_rng(seed).standard_normal((1, 2, 3000)).astype(np.float32)
    result = METHOD.quantize(values, scheme("int8", range=Range.PERCENTILE))
    for row in range(2):
        pool = values[0, row].tolist()
        scale = max(-quantile(pool, 0.001), quantile(pool, 0.999)) / 127
        assert result.row_scale is not None
        found = float(result.row_scale[0, row])
        assert found == pytest.approx(scale, rel=1e-6)  # NumPy interpolates in fp32
        codes = np.clip([round(Fraction(fp32(x / found))) for x in pool], -128, 127)
        np.testing.assert_array_equal(signed(result.codes[0, row], "int8"), codes)


@pytest.mark.parametrize("kept", list(Range))
def test_static_scales_are_those_of_the_calibration_data(kept: Range):
    rng = np.random.default_rng(3)
    seen = rng.standard_normal((1, 50, 40)).astype(np.float32)
    static = scheme("int8", Granularity.TENSOR, static=True, range=kept)
    calibrated = METHOD.calibrate(seen, static)
    at_run_time = METHOD.quantize(seen, scheme("int8", Granularity.TENSOR, range=kept))
    new = 3 * rng.standard_normal((2, 5, 40)).astype(np.float32)
    result = METHOD.quantize(new, static, rows_per_tensor=5, static=calibrated)
    assert at_run_time.row_scale is not None
    assert result.row_scale is not None
    scale = at_run_time.row_scale[0, 0]
    assert (result.row_scale == scale).all()
    codes = np.clip([round(Fraction(fp32(x / float(scale)))) for x in new.ravel().tolist()], -128, 127)
    np.testing.assert_array_equal(signed(result.codes, "int8").ravel(), codes)


def test_a_static_range_may_be_given():
    result = METHOD.quantize(
        np.full((1, 1, 1), 0.6, np.float32),
        scheme("uint4", Granularity.TENSOR, static=True, symmetric=False),
        static=ValueRange(low=-1.0, high=2.0),
    )
    scale = np.float32(3) / np.float32(15)
    assert result.row_scale is not None
    assert result.row_scale[0, 0] == scale
    assert (result.zero_point.tolist(), result.codes.tolist()) == ([[[5]]], [[[8]]])  # type: ignore[union-attr]


@pytest.mark.parametrize(("name", "symmetric"), INTEGERS)
@pytest.mark.parametrize("value", [0.0, 5.0, -5.0])
def test_constant_rows_come_back(name: str, symmetric: bool, value: float):
    values = np.full((1, 2, 4), value, np.float32)
    result = METHOD.quantize(values, scheme(name, symmetric=symmetric))
    np.testing.assert_allclose(dequantized(result, name), values, rtol=2.0**-23)  # the fp32 scale's rounding
