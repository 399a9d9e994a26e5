"""Inexact multipliers: their definitions against others, and every kernel against the definition."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.gemm.kernels.product_table import has_table_shuffles
from simhw.gemm.multipliers import MULTIPLIERS, get_multiplier, mitchell, truncated
from simhw.gemm.plan import Plan
from simhw.gemm.table_products import (
    LOOKED_UP,
    SHUFFLED,
    plan_table_products,
    product_table,
    run_table_products,
    table_product_exact,
    table_products,
)

KERNELS = [LOOKED_UP, *([SHUFFLED] if has_table_shuffles() else [])]
INT8 = range(-128, 128)
TABLES = {name: product_table(name) for name in MULTIPLIERS}


def integer(code):
    return code if code < 128 else code - 256


def by_logarithms(x, y):
    """Mitchell's definition in fractions: ``log2(2**k * (1 + f))`` is ``k + f``, and back."""
    if x == 0 or y == 0:
        return 0
    total = Fraction(0)
    for factor in (abs(x), abs(y)):
        characteristic = factor.bit_length() - 1
        total += characteristic + Fraction(factor, 1 << characteristic) - 1
    whole = total.numerator // total.denominator
    return (1 if x * y > 0 else -1) * (1 + total - whole) * 2**whole


def test_mitchell_equals_its_definition_in_fractions():
    for x in INT8:
        for y in INT8:
            assert mitchell(x, y) == by_logarithms(x, y)


def test_mitchell_is_at_most_a_ninth_too_small():
    """The bound of Mitchell's paper; powers of two are exact."""
    for x in range(1, 129):
        for y in range(1, 129):
            assert x * y * Fraction(8, 9) <= mitchell(x, y) <= x * y
    assert mitchell(3, 3) == 8
    assert all(mitchell(-(1 << i), y) == -(y << i) for i in range(8) for y in range(128))


@pytest.mark.parametrize("columns", [0, 1, 6, 9])
def test_truncated_leaves_out_the_bits_of_low_columns(columns):
    for x in INT8:
        for y in INT8:
            bits = [(i, j) for i in range(8) for j in range(8) if abs(x) >> i & 1 and abs(y) >> j & 1]
            magnitude = sum(1 << (i + j) for i, j in bits if i + j >= columns)
            assert truncated(x, y, columns) == (magnitude if (x < 0) == (y < 0) else -magnitude)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", MULTIPLIERS)
def test_every_product_of_int8_codes(kernel, name):
    codes = np.arange(256, dtype=np.uint8)
    got = run_table_products(Plan(kernel=kernel, why="forced"), codes[:, None], codes[None], TABLES[name])
    multiply = get_multiplier(name).multiply
    assert got.tolist() == [[multiply(integer(x), integer(y)) for y in range(256)] for x in range(256)]


@given(
    m=st.integers(1, 7),
    n=st.integers(1, 300),
    k=st.integers(1, 40),
    seed=st.integers(0, 999),
    name=st.sampled_from(sorted(MULTIPLIERS)),
    extreme=st.booleans(),
)
def test_kernels_equal_the_definition(m, n, k, seed, name, extreme):
    rng = np.random.default_rng(seed)
    a, b = (
        rng.choice([0x7F, 0x80], shape).astype(np.uint8) if extreme else rng.integers(0, 256, shape).astype(np.uint8)
        for shape in ((m, k), (k, n))
    )
    multiply = get_multiplier(name).multiply
    expected = [
        [
            table_product_exact([integer(x) for x in row], [integer(y) for y in b[:, j].tolist()], multiply)
            for j in range(0, n, 37)
        ]
        for row in a.tolist()
    ]
    results = [run_table_products(Plan(kernel=kernel, why="forced"), a, b, TABLES[name]) for kernel in KERNELS]
    for got in results:
        assert got[:, ::37].tolist() == expected
        assert (got == results[0]).all()


def test_exact_multiplier_is_the_integer_product():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-128, 128, (33, 500)).astype(np.int8), rng.integers(-128, 128, (500, 259)).astype(np.int8)
    got = table_products(a, b, TABLES["exact"])
    assert (got == a.astype(np.int64) @ b.astype(np.int64)).all()


def test_any_function_and_narrow_formats():
    table = product_table(lambda x, y: 70_000 * x - y, "int4", "uint4")
    assert not table.fits_int16
    assert plan_table_products(3, table).kernel == LOOKED_UP
    assert table_products([[15, 7]], [[15], [1]], table).tolist() == [[-70_000 - 15 + 490_000 - 1]]
    assert table_products(np.zeros((0, 2), np.uint8), [[1], [1]], table).shape == (0, 1)


def test_plan_says_why_and_leaves_int32_where_it_must():
    table = TABLES["exact"]
    last = (2**31 - 1) // 16384
    assert plan_table_products(last, table).kernel == KERNELS[-1]
    assert plan_table_products(last + 1, table).kernel == LOOKED_UP
    assert "exact in int" in plan_table_products(last, table).why
    with pytest.raises(InputError, match="can exceed 63 bits"):
        plan_table_products(2**60, table)


def test_sums_beyond_int32():
    table = product_table(lambda x, y: 2**30 if x and y else 0)
    ones = np.ones((1, 8), np.uint8)
    assert table_products(ones, ones.T, table).tolist() == [[2**33]]


def test_what_is_refused():
    with pytest.raises(InputError, match="must fit int32"):
        product_table(lambda x, y: x * y << 20)
    with pytest.raises(InputError, match="integer formats of at most 8 bits"):
        product_table("exact", "e4m3")
    with pytest.raises(InputError, match="mitchell"):
        product_table("mitchel")
    with pytest.raises(InputError, match=r"must be \(m, k\) and \(k, n\)"):
        table_products([[1, 2]], [[1, 2]], TABLES["exact"])
    with pytest.raises(InputError, match="b_codes"):
        table_products([[1]], [[256]], TABLES["exact"])
