"""Signal and error power against NumPy in float64, over any batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simhw.noise import Noise


def measure(reference: np.ndarray, value: np.ndarray, batch: int) -> Noise:
    noise = Noise()
    for start in range(0, len(reference), batch):
        noise.add(reference[start : start + batch], value[start : start + batch])
    return noise


finite = st.floats(-1e6, 1e6, width=32)


@given(data=st.data(), rows=st.integers(1, 6), batch=st.integers(1, 6))
def test_powers_and_the_largest_error(data: st.DataObject, rows: int, batch: int):
    reference, value = (data.draw(arrays(np.float32, (rows, 2, 3), elements=finite)) for _ in range(2))
    noise = measure(reference, value, batch)
    difference = np.abs(value.astype(np.float64) - reference)
    # 36 squares are added in float64, in an order that batches choose: 1e-12 is far above its rounding.
    assert noise.signal == pytest.approx(np.sum(reference.astype(np.float64) ** 2), rel=1e-12)
    assert noise.error == pytest.approx(np.sum(difference**2), rel=1e-12)
    assert noise.largest == difference.max()
    assert noise.where == np.unravel_index(np.argmax(difference), difference.shape)
    assert noise.samples == rows
    if noise.error and noise.signal:
        ratio = np.sum(reference.astype(np.float64) ** 2) / np.sum(difference**2)
        assert noise.sqnr_db == pytest.approx(10 * math.log10(ratio), abs=1e-9)


def test_ten_times_less_error_is_twenty_decibel_more():
    ones = np.ones((4, 5), np.float32)
    assert measure(ones, ones + np.float32(0.5), 4).sqnr_db == pytest.approx(20 * math.log10(2), abs=1e-12)
    assert measure(ones, ones + np.float32(0.0625), 4).sqnr_db == pytest.approx(20 * math.log10(16), abs=1e-12)


def test_no_error_is_infinite_no_signal_is_minus_infinite():
    zeros, ones = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    assert measure(ones, ones, 1).sqnr_db == math.inf
    assert measure(zeros, zeros, 1).sqnr_db == math.inf
    assert measure(zeros, ones, 1).sqnr_db == -math.inf


def test_equal_infinities_count_for_nothing():
    """Masked attention scores: minus infinity on both sides."""
    reference = np.array([[1.0, -np.inf], [2.0, -np.inf]], np.float32)
    noise = measure(reference, np.array([[1.5, -np.inf], [2.0, -np.inf]], np.float32), 1)
    assert (noise.signal, noise.error, noise.largest, noise.where) == (5.0, 0.25, 0.5, (0, 0))


@pytest.mark.parametrize("wrong", [np.inf, np.nan, 0.0])
def test_a_wrong_infinity_has_no_ratio(wrong: float):
    reference = np.array([[1.0], [-np.inf]], np.float32)
    noise = measure(reference, np.array([[1.0], [wrong]], np.float32), 1)
    assert math.isnan(noise.sqnr_db)
    assert noise.where == (1, 0)


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_the_first_nan_is_the_largest_error(batch: int):
    reference = np.ones((4, 2), np.float32)
    value = np.array([[9, 1], [1, np.nan], [99, np.nan], [1, 1]], np.float32)
    noise = measure(reference, value, batch)
    assert noise.where == (1, 1)
    assert math.isnan(noise.largest)
    assert math.isnan(noise.sqnr_db)


@pytest.mark.parametrize("places", [(40_000,), (5, 40_000), (20_000, 40_000), (16_383, 16_384)])
@pytest.mark.parametrize("wrong", [2.0, np.nan])
def test_the_first_of_equal_errors_among_many_values(places: tuple[int, ...], wrong: float):
    """More values than are compared at once."""
    reference = np.zeros((1, 50_000), np.float32)
    value = reference + np.float32(1)
    value[0, list(places)] = wrong
    noise = measure(reference, value, 1)
    assert noise.where == (0, places[0])
    assert noise.largest == wrong or (math.isnan(noise.largest) and math.isnan(wrong))
