"""Block dot products: every pairing of the OCP formats, and widths that the extreme blocks need."""

import itertools
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from simhw.pes import get_pe
from simhw.pes.base import signed_bits

DTYPES = {
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn,
}
BITS = {"e4m3": 8, "e5m2": 8, "e3m2": 6, "e2m3": 6, "e2m1": 4, "mxint8_element": 8}
LEAST_PLACE = {"e4m3": -9, "e5m2": -16, "e3m2": -4, "e2m3": -3, "e2m1": -1, "mxint8_element": -6}


def _values(name):
    codes = np.arange(1 << BITS[name], dtype=np.uint8)
    floats = codes.view(np.int8) / 64 if name == "mxint8_element" else codes.view(DTYPES[name]).astype(np.float64)
    return {
        int(code): Fraction(value) for code, value in zip(codes, floats.tolist(), strict=True) if np.isfinite(value)
    }


PAIRS = [(name, *pair) for name in ("mx_dot", "mxfp6_dot", "mxint8_dot") for pair in get_pe(name).products]


@pytest.mark.parametrize(("name", "activation", "weight"), PAIRS)
def test_every_pair_of_codes(name, activation, weight):
    multiply = get_pe(name).products[activation, weight]
    for (a_code, a), (w_code, w) in itertools.product(_values(activation).items(), _values(weight).items()):
        assert multiply(a_code, w_code) == a * w, (a_code, w_code)


def test_all_ocp_formats_are_executed():
    assert {name for pair in get_pe("mx_dot").products for name in pair} == set(BITS)


@pytest.mark.parametrize(("name", "activation", "weight"), PAIRS)
def test_extreme_blocks_fit(name, activation, weight):
    unit = Fraction(2) ** (LEAST_PLACE[activation] + LEAST_PLACE[weight])
    products = [32 * a * w / unit for a in _values(activation).values() for w in _values(weight).values()]
    assert all(value.denominator == 1 for value in (min(products), max(products)))
    needed = signed_bits(int(min(products)), int(max(products)))
    pe = get_pe(name)
    assert needed <= pe.group_accumulator_bits(32, weight)
    widest = max(pe.group_accumulator_bits(32, w) for _, w in pe.products)
    assert {signal.name: signal.bits for signal in pe.signals}["block sum"] == widest


@pytest.mark.parametrize(
    ("name", "weight", "bits"),
    [("mx_dot", "e4m3", 56), ("mx_dot", "e2m1", 14), ("mxfp6_dot", "e3m2", 24), ("mxint8_dot", "mxint8_element", 21)],
)
def test_stated_widths(name, weight, bits):
    assert get_pe(name).group_accumulator_bits(32, weight) == bits
