"""Datapaths of other accelerators: the engine against sums formed as their PEs form them, from stored codes."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.accumulators import Exact
from simhw.catalog import get_method, get_scheme
from simhw.errors import InputError
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.engine import multiply
from simhw.gemm.operand import Operand
from simhw.pes import get_pe
from simhw.pes.figna import align
from simhw.pes.lut_dot import dot
from simhw.pes.olive_pair import pair_product
from simhw.pes.tender import shifted_sum
from simhw.products import fit_group
from simhw.quant.outlier_victim import store

METHOD = get_method()
NO_SCALES = {"row_scale": None, "group_scale": None}


def pair(name, m, n, k, seed=0):
    rng = np.random.default_rng(seed)
    scheme = get_scheme(get_datapath(name).scheme)
    a, b = (rng.standard_t(3, (1, rows, k)).astype(np.float32) for rows in (m, n))
    activation = replace(fit_group(scheme.activation, k), static=False)
    return METHOD.quantize(a, activation), METHOD.quantize(b, fit_group(scheme.weight, k))


def whole(name, a, b, **changes):
    """The engine's sums with no scale at all, in fp32 (small enough to be exact)."""
    datapath = replace(get_datapath(name), output="fp32", **changes)
    return multiply(replace(a, row_scale=None), replace(b, row_scale=None), datapath).values[0]


@pytest.mark.parametrize("name", ["ant_flint4", "w4a4_int4", "w4a4_fp4", "bitfusion_w4a4", "bitfusion_w4a8"])
def test_sums_are_those_of_the_pe(name):
    datapath = get_datapath(name)
    a, b = pair(name, 3, 4, 50)
    product = get_pe(datapath.pe).products[a.format, b.format]
    expected = [[sum(map(product, x.tolist(), w.tolist())) for w in b.codes[0]] for x in a.codes[0]]
    assert whole(name, a, b).tolist() == expected


@pytest.mark.parametrize("k", [1, 2, 31, 64])
def test_outlier_victim_sums_from_stored_pairs(k):
    a, b = pair("olive", 4, 3, k, seed=k)
    x, y = store(a.codes[0]), store(b.codes[0])
    expected = [
        [
            sum(
                pair_product(tuple(row[at : at + 2].tolist()), tuple(column[at : at + 2].tolist()))
                for at in range(0, len(row), 2)
            )
            for column in y
        ]
        for row in x
    ]
    assert whole("olive", a, b).tolist() == expected


@pytest.mark.parametrize(("name", "bits"), [("tender", 4), ("tender_w8a8", 8)])
def test_shifting_accumulator_group_by_group(name, bits):
    """The largest scale first, one shift between groups, empty groups too; then the smallest scale and the column's."""
    a, b = pair(name, 4, 3, 60, seed=bits)
    product = get_pe("tender").products[f"int{bits}", f"int{bits}"]
    sums = whole(name, a, b)
    for row in range(4):
        group, integer = a.codes[0, row] >> bits, a.codes[0, row] & (2**bits - 1)
        for column in range(3):
            taken = [
                [int(product(int(integer[at]), int(b.codes[0, column, at]))) for at in np.flatnonzero(group == g)]
                for g in range(7, -1, -1)
            ]
            assert shifted_sum(taken) == sums[row, column]
            assert shifted_sum(taken, get_pe("tender").group_accumulator_bits(60, f"int{bits}")) == sums[row, column]


def test_a_narrow_shifting_register_wraps_as_the_pe_does():
    a, b = pair("tender", 4, 3, 200)
    datapath = replace(get_datapath("tender", accumulator_bits=12), output="fp32")
    found = multiply(replace(a, row_scale=None), replace(b, row_scale=None), datapath)
    assert found.overflows > 0
    product = get_pe("tender").product
    for row in range(4):
        group, integer = a.codes[0, row] >> 4, a.codes[0, row] & 15
        taken = [
            [int(product(int(integer[at]), int(b.codes[0, 1, at]))) for at in np.flatnonzero(group == g)]
            for g in range(7, -1, -1)
        ]
        assert shifted_sum(taken, 12) == found.values[0, row, 1]


def fp32(value):
    return Fraction(float(np.float32(float(value))))


def test_figna_from_fp16_codes():
    """Chunks aligned by the PE's definition, int4 weights, one fp32 scale per group."""
    rng = np.random.default_rng(3)
    values = (rng.standard_t(2, (1, 3, 300)) * 4).astype(np.float32)
    weights = rng.standard_normal((1, 4, 300)).astype(np.float32)
    scheme, datapath = get_scheme("figna"), replace(get_datapath("figna"), output="fp32")
    a, b = METHOD.quantize(values, scheme.activation), METHOD.quantize(weights, scheme.weight)
    halves = values.astype(np.float16).view(np.uint16)[0]
    product, found = get_pe("figna").product, multiply(a, b, datapath).values[0]
    for row in range(3):
        for column in range(4):
            total = Fraction(0)
            for group, start in enumerate(range(0, 300, 128)):
                mantissas, exponent = align(halves[row, start : start + 128].tolist())
                codes = b.codes[0, column, start : start + 128].tolist()
                held = sum(product(m & 0xFFFF, code) for m, code in zip(mantissas, codes, strict=True))
                scale = Fraction(2) ** exponent * Fraction(float(b.group_scale[0, column, group]))
                term = fp32(fp32(held) * fp32(scale))
                total = term if group == 0 else fp32(total + term)
            assert Fraction(float(found[row, column])) == total


def test_table_look_ups_are_the_sums_of_the_engine():
    a, b = pair("lut_w4a8", 3, 4, 128)
    plain = replace(b, zero_point=None, group_scale=np.ones_like(b.group_scale))
    sums = whole("lut_w4a8", a, plain)
    x = a.codes[0].view(np.int8)
    for row in range(3):
        for column in range(4):
            parts = (
                dot(x[row, at : at + 4].tolist(), b.codes[0, column, at : at + 4].tolist(), 4)
                for at in range(0, 128, 4)
            )
            assert sum(parts) == sums[row, column]


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (5, 7, 300), (40, 30, 256)])
def test_table_look_ups_give_the_bits_of_mixpe(m, n, k):
    table, shift = (multiply(*pair(name, m, n, k, seed=k), get_datapath(name)) for name in ("lut_w4a8", "w4a8_mixpe"))
    np.testing.assert_array_equal(table.values, shift.values)


def progressive(a, b):
    """Sum over groups of s2 (sum of q x + (-z s2) / s2 sum of x), in Fractions, then one rounding and two scales."""
    m, n = a.codes.shape[1], b.codes.shape[1]
    x = a.codes[0].view(np.int8).astype(object)
    out = np.empty((m, n))
    for row in range(m):
        for column in range(n):
            total = 0
            for group, ks in enumerate(b.group_slices()):
                scale, zero = int(b.group_scale[0, column, group]), int(b.zero_point[0, column, group])
                dots = sum(int(q) * int(v) for q, v in zip(b.codes[0, column, ks], x[row, ks], strict=True))
                total += scale * dots + (-zero * scale) * int(sum(x[row, ks]))
            value = fp32(
                fp32(fp32(total) * Fraction(float(a.row_scale[0, row]))) * Fraction(float(b.row_scale[0, column]))
            )
            out[row, column] = np.float16(float(value))
    return out


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (3, 4, 128), (3, 5, 300), (33, 40, 640)])
def test_all_integer_mixpe_equals_the_rational_reference(m, n, k):
    a, b = pair("w4a8_mixpe_progressive", m, n, k, seed=k)
    found = multiply(a, b, get_datapath("w4a8_mixpe_progressive"))
    np.testing.assert_array_equal(found.values[0], progressive(a, b))
    assert found.overflows == 0


def wrap(value, bits):
    return (int(value) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


@given(st.integers(12, 22), st.integers(0, 1000))
def test_all_integer_mixpe_with_any_register(bits, seed):
    """A register too narrow for a group wraps before the zero point is subtracted; the int32 sum wraps at the end."""
    rng = np.random.default_rng(seed)
    a = Operand(codes=rng.integers(0, 256, (1, 2, 40)).astype(np.uint8), format="int8")
    b = Operand(
        codes=rng.integers(0, 16, (1, 3, 40)).astype(np.uint8),
        format="uint4",
        group_size=16,
        group_scale=rng.integers(1, 256, (1, 3, 3)).astype(np.float32),
        zero_point=rng.integers(0, 16, (1, 3, 3)).astype(np.int32),
    )
    datapath = replace(get_datapath("w4a8_mixpe_progressive", accumulator_bits=bits), output="fp32")
    found = multiply(a, b, datapath)
    x, overflows = a.codes[0].view(np.int8).astype(int), 0
    for row in range(2):
        for column in range(3):
            total = 0
            for group, ks in enumerate(b.group_slices()):
                held = int(b.codes[0, column, ks].astype(int) @ x[row, ks])
                overflows += wrap(held, bits) != held
                term = wrap(held, bits) - int(b.zero_point[0, column, group]) * int(x[row, ks].sum())
                total += int(b.group_scale[0, column, group]) * term
            assert found.values[0, row, column] == np.float32(wrap(total, 32))
    assert found.overflows == overflows


def test_int32_sums_over_groups_wrap():
    k = 1 << 17
    a = Operand(codes=np.full((1, 1, k), 0x80, np.uint8), format="int8")
    b = Operand(
        codes=np.zeros((1, 1, k), np.uint8),
        format="uint4",
        group_size=128,
        group_scale=np.full((1, 1, k // 128), 16, np.float32),
        zero_point=np.full((1, 1, k // 128), 15, np.int32),
    )
    found = multiply(a, b, replace(get_datapath("w4a8_mixpe_progressive"), output="fp32"))
    assert found.values[0, 0, 0] == np.float32(wrap(k * 128 * 240, 32))
    assert found.overflows == 1


def test_scales_that_are_no_integers_are_refused():
    a, b = pair("w4a8_mixpe", 1, 1, 128)
    with pytest.raises(InputError, match="group scales were given that are no integers of up to 8 bits"):
        multiply(a, b, get_datapath("w4a8_mixpe_progressive"))


def test_exact_registers_are_as_wide_as_their_sums():
    """The engine's sums fit the PE's accumulator for the extreme codes of each datapath."""
    for name, code_a, code_b in (("olive", 31, 23), ("tender", 0x78, 8), ("figna", 0x8010, 8), ("lut_w4a8", 0x80, 0)):
        datapath = get_datapath(name)
        a = Operand(codes=np.full((1, 1, 128), code_a, np.uint16), format=datapath.activation)
        b = Operand(codes=np.full((1, 1, 128), code_b, np.uint8), format=datapath.weight)
        bits = get_pe(datapath.pe).group_accumulator_bits(128, b.format)
        wide = multiply(a, b, replace(datapath, output="fp32", accumulator=Exact(bits=bits)))
        narrow = multiply(a, b, replace(datapath, output="fp32", accumulator=Exact(bits=bits - 1)))
        assert (wide.overflows, narrow.overflows) == (0, 1), name
