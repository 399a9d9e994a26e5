"""Codes that are more than one rounded number: each coding against its rules, written value by value."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from simhw.catalog import get_method, get_scheme
from simhw.gemm.operand import Storage
from simhw.pes.figna import align
from simhw.pes.olive_pair import decode_pair
from simhw.products import fit_group
from simhw.quant.outlier_victim import load, prune_victims, store

METHOD = get_method()
INT4 = [*range(8), *range(-8, 0)]
ABFLOAT = [0, 12, 16, 24, 32, 48, 64, 96, 0, -12, -16, -24, -32, -48, -64, -96]
OLIVE = [*(0 if value == -8 else value for value in INT4), *ABFLOAT]


def heavy_tailed(shape, seed=0):
    return np.random.default_rng(seed).standard_t(3, shape).astype(np.float32)


def quantize(name, values, part="activation", **kwargs):
    return METHOD.quantize(values, fit_group(getattr(get_scheme(name), part), values.shape[2]), **kwargs)


@given(lanes=arrays.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 9)), elements=st.integers(0, 31)))
def test_stored_pairs_are_read_back(lanes):
    """Four bits per value hold what the lanes see, and every pair decodes as the PE decodes it."""
    lanes = np.where((lanes & 0x17) == 0x10, np.uint8(0), lanes)  # an abfloat of zero is no outlier
    lanes = np.where(lanes == 8, np.uint8(0), lanes)  # a victim only beside an outlier
    pruned = prune_victims(lanes)
    stored = store(pruned)
    assert stored.max() < 16
    assert stored.shape[1] == lanes.shape[1] + lanes.shape[1] % 2
    read = load(stored)
    np.testing.assert_array_equal(read[:, : lanes.shape[1]], pruned)
    for row, codes in zip(read, stored, strict=True):
        for at in range(0, len(codes), 2):
            assert decode_pair(int(codes[at]), int(codes[at + 1])) == (row[at], row[at + 1])


def test_outliers_prune_their_neighbours_and_the_first_of_two_stays():
    found = prune_victims(np.array([16 | 3, 5, 4, 16 | 2, 16 | 1, 16 | 7, 16 | 5], np.uint8))
    assert found.tolist() == [16 | 3, 8, 8, 16 | 2, 16 | 1, 8, 16 | 5]


def test_outlier_victim_values_are_the_nearest_ones():
    values = heavy_tailed((1, 4, 30))
    operand = quantize("olive", values)
    assert operand.stored_bits == Storage.of(operand).bits == 4
    choices = sorted(set(OLIVE))
    for row in range(4):
        scale = Fraction(float(operand.row_scale[0, row]))
        for at, code in enumerate(operand.codes[0, row].tolist()):
            if code == 8:
                assert operand.codes[0, row, at ^ 1] >= 16
                continue
            ratio = Fraction(float(np.float32(values[0, row, at]) / operand.row_scale[0, row]))
            least = min(abs(choice - ratio) for choice in choices)
            assert abs(OLIVE[code] - ratio) == least, (float(ratio), float(scale))


def test_outliers_of_real_tails_survive():
    values = np.full((1, 1, 64), 0.01, np.float32)
    values[0, 0, ::3] = -0.01
    values[0, 0, 11] = 3.0
    pairs, plain = quantize("olive", values), quantize("w4a4_int4", values)
    kept = pairs.dequantize()[0, 0]
    assert abs(kept[11] - 3.0) < 1.2
    assert kept[10] == 0
    assert np.count_nonzero(plain.dequantize()) == 1  # int4 keeps the outlier alone


@pytest.mark.parametrize("bits", [4, 8])
def test_channel_groups_follow_the_thresholds(bits):
    values = heavy_tailed((2, 300, 12), seed=bits) * np.exp2(np.arange(12) - 8).astype(np.float32)
    values[1, 5:, 3] = 0
    operand = quantize("tender" if bits == 4 else "tender_w8a8", values, rows_per_tensor=300)
    assert Storage.of(operand).bits == bits
    largest = 2 ** (bits - 1) - 1
    for sample, rows in ((s, slice(start, start + 256)) for s in range(2) for start in (0, 256)):
        chunk, codes = values[sample, rows], operand.codes[sample, rows].astype(int)
        top = Fraction(float(np.abs(chunk).max()))
        for at in range(12):
            peak = Fraction(float(np.abs(chunk[:, at]).max()))
            group = next(i for i in range(8) if peak <= top / 2 ** (7 - i))
            assert set((codes[:, at] >> bits).tolist()) == {group}
        scale = operand.row_scale[sample, rows]
        assert len(set(scale.tolist())) == 1
        assert scale[0] == np.float32(float(top) / 128) / np.float32(largest)
        units = scale[0] * np.exp2(codes >> bits).astype(np.float32)
        expected = np.clip(np.rint(chunk / units), -largest - 1, largest)
        integers = (codes & (2**bits - 1)) - (2**bits) * ((codes >> (bits - 1)) & 1)
        np.testing.assert_array_equal(integers, expected)
        np.testing.assert_array_equal(
            operand.dequantize()[sample, rows], integers * np.exp2(codes >> bits) * scale.astype(np.float64)[:, None]
        )


def test_activations_are_aligned_as_the_pe_aligns_them():
    values = heavy_tailed((1, 3, 300), seed=4) * np.exp2(np.random.default_rng(1).integers(-20, 6, 300))
    operand = quantize("figna", values.astype(np.float32))
    halves = values.astype(np.float32).astype(np.float16).view(np.uint16)
    for row in range(3):
        for group, start in enumerate(range(0, 300, 128)):
            mantissas, exponent = align(halves[0, row, start : start + 128].tolist())
            assert operand.codes[0, row, start : start + 128].view(np.int16).tolist() == mantissas
            assert Fraction(float(operand.group_scale[0, row, group])) == Fraction(2) ** exponent
    assert (Storage.of(operand).bits, Storage.of(operand).group_scale_bits) == (16, 0)


def test_two_levels_fit_their_integers():
    weights = heavy_tailed((1, 16, 300), seed=9)
    operand = quantize("w4a8_progressive", weights, "weight")
    assert operand.codes.max() <= 15
    for row in range(16):
        scale = np.abs(weights[0, row]).max() / np.float32(119)
        assert operand.row_scale[0, row] == scale
        level_1 = [round(Fraction(float(np.float32(w / scale)))) for w in weights[0, row]]
        for group, start in enumerate(range(0, 300, 128)):
            part = level_1[start : start + 128]
            low, high = min(*part, 0), max(*part, 0)
            step = max(round(Fraction(high - low, 15)), 1)
            zero = min(max(round(Fraction(-low, step)), 0), 15)
            assert (operand.group_scale[0, row, group], operand.zero_point[0, row, group]) == (step, zero)
            codes = [min(max(round(Fraction(w, step)) + zero, 0), 15) for w in part]
            assert operand.codes[0, row, start : start + 128].tolist() == codes
            assert all(-127 <= step * (code - zero) <= 127 for code in codes)
            assert -zero * step >= -128
    storage = Storage.of(operand)
    assert storage.total_bits(1, 300) == 300 * 4 + 3 * (8 + 8) + 32


@given(arrays.arrays(np.float32, (1, 2, 20), elements=st.floats(-1e3, 1e3, width=32)))
def test_two_levels_stay_within_int8_for_any_weights(weights):
    operand = quantize("w4a8_progressive", weights, "weight")
    products = operand.integers() * np.repeat(operand.group_scale, 20, axis=2)
    assert np.abs(products).max() <= 127


@pytest.mark.parametrize("bits", [2, 4])
def test_odd_weights_mean_the_same_as_unsigned_ones(bits):
    weights = heavy_tailed((1, 5, 200), seed=bits)
    odd = quantize(f"lut_w{bits}a8", weights, "weight")
    plain_scheme = get_scheme("w4a8_mixpe").weight
    plain = METHOD.quantize(weights, type(plain_scheme)(**{**vars(plain_scheme), "format": f"uint{bits}"}))
    np.testing.assert_array_equal(odd.codes, plain.codes)
    np.testing.assert_array_equal(odd.dequantize(), plain.dequantize())
    assert set((odd.zero_point % 2).ravel().tolist()) == {1}


def test_odd_keys_mean_the_same_as_signed_ones():
    keys = heavy_tailed((2, 5, 64))
    odd, plain = quantize("lut_w4a8", keys, "attention"), quantize("w8a8_int8", keys, "attention")
    np.testing.assert_array_equal(odd.dequantize(), plain.dequantize())
