"""The engine against the definition in fractions: equal codes on every datapath, format, group and shape."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simhw.accumulators import Exact
from simhw.errors import InputError
from simhw.formats import FloatFormat, decode, encode, get_element_format
from simhw.gemm.datapaths import datapath_names, get_datapath
from simhw.gemm.definition import define
from simhw.gemm.engine import multiply, prepare_weights
from simhw.gemm.operand import Operand
from simhw.gemm.stored import StoredScale
from simhw.products import fit_group
from simhw.quant.round_to_nearest import METHOD
from simhw.quant.schemes import get_scheme


def operands(datapath, m, n, k, seed, spread=1.0, batch=1, group=None):
    rng = np.random.default_rng(seed)
    scheme = get_scheme(datapath.scheme)
    if group is not None:
        scheme = scheme.with_group_size(group)
    a = (rng.standard_normal((batch, m, k)) * np.exp(spread * rng.standard_normal((1, 1, k)))).astype(np.float32)
    b = (rng.standard_normal((batch, n, k)) * np.exp(spread * rng.standard_normal((batch, n, 1)))).astype(np.float32)
    return METHOD.quantize(a, fit_group(scheme.activation, k)), METHOD.quantize(b, fit_group(scheme.weight, k))


def stored_scale(a, b, datapath):
    """A scale of the results at which some of them saturate, for datapaths that requantize."""
    if datapath.requantize is None:
        return None
    return StoredScale(scale=float(a.row_scale.flat[0] * b.row_scale.max() * np.float32(19.25)), zero_point=-3)


def check(a, b, datapath, bias=None):
    stored = stored_scale(a, b, datapath)
    got = multiply(a, b, datapath, bias=bias, stored=stored)
    expected = define(a, prepare_weights(b, datapath), datapath, bias, stored)
    np.testing.assert_array_equal(got.values.astype(np.float64), expected)
    return got


@pytest.mark.parametrize("name", datapath_names())
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (3, 5, 7), (2, 3, 33), (5, 2, 130)])
def test_engine_equals_definition(name, m, n, k):
    datapath = get_datapath(name)
    a, b = operands(datapath, m, n, k, seed=k)
    check(a, b, datapath, np.linspace(-1, 1, n, dtype=np.float32))


@pytest.mark.parametrize("name", ["w4a8_mixpe", "w4a16_mixpe", "w4a8_dequantize_first", "w4a16_dequantize_first"])
@pytest.mark.parametrize("group", [1, 8, 9, 20])
def test_groups_of_any_size_with_a_ragged_last_one(name, group):
    datapath = get_datapath(name)
    check(*operands(datapath, 3, 4, 20, seed=group, group=group), datapath)


@given(
    name=st.sampled_from(datapath_names()),
    m=st.integers(1, 4),
    n=st.integers(1, 4),
    k=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.0, 1.0, 4.0]),
)
def test_engine_equals_definition_on_any_values(name, m, n, k, seed, spread):
    datapath = get_datapath(name)
    check(*operands(datapath, m, n, k, seed, spread, batch=2), datapath)


@given(
    name=st.sampled_from(["fp8_e4m3_fp32", "hopper_e4m3_fp32", "hopper_e5m2_fp16", "ada_e5m2_fp32"]),
    data=st.data(),
)
def test_any_codes(name, data):
    """Codes drawn freely: subnormals, zeros and the largest values meet in one sum."""
    datapath = get_datapath(name)
    form = get_element_format(datapath.activation)
    codes = st.integers(0, form.code_count - 1).filter(lambda c: np.isfinite(decode(np.array([c]), form)[0]))
    k = data.draw(st.integers(1, 40))
    rows = [data.draw(st.lists(codes, min_size=k, max_size=k)) for _ in range(2)]
    a, b = (Operand(codes=np.array([[row]], form.code_dtype), format=form.name) for row in rows)
    check(a, b, datapath)


def test_whole_int8_layer_equals_torch_int_mm():
    rng = np.random.default_rng(1)
    a = rng.integers(-128, 128, (64, 768), dtype=np.int8)
    b = rng.integers(-128, 128, (768, 96), dtype=np.int8)
    expected = torch._int_mm(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    datapath = get_datapath("w8a8_int8")
    from simhw.gemm.extent import extent_of
    from simhw.gemm.plan import group_sums, plan_sum

    x, y = a[None].astype(np.float32), np.ascontiguousarray(b.T)[None].astype(np.float32)
    extents = (extent_of(x, 0), extent_of(y, 0))
    sums = group_sums(plan_sum(datapath.accumulator, 768, *extents), datapath.accumulator, x, y, extents)
    np.testing.assert_array_equal(sums[0].astype(np.int32), expected)
    # ... and through the public door: codes in, fp16 results out.
    left = Operand(codes=a[None].view(np.uint8), format="int8")
    right = Operand(codes=np.ascontiguousarray(b.T)[None].view(np.uint8), format="int8")
    limited = np.clip(expected.astype(np.float32), -65504, 65504).astype(np.float16)
    np.testing.assert_array_equal(multiply(left, right, datapath).values[0], limited.astype(np.float32))


def test_mixpe_equals_its_equation_in_integers():
    """FACTS: y = a_m * sum over groups of s * (sum(q x) - z sum(x)), here before any scale."""
    rng = np.random.default_rng(2)
    q = rng.integers(0, 16, (6, 300))
    x = rng.integers(-128, 128, (4, 300))
    z = rng.integers(0, 16, (6, 3))
    s = np.exp2(rng.integers(-3, 4, (6, 3))).astype(np.float32)  # powers of two: no rounding below 2^24
    expected = np.zeros((4, 6))
    for m in range(4):
        for n in range(6):
            for g, ks in enumerate((slice(0, 128), slice(128, 256), slice(256, 300))):
                total = sum(int(q[n, k]) * int(x[m, k]) for k in range(ks.start, ks.stop))
                expected[m, n] += float(s[n, g]) * (total - int(z[n, g]) * int(x[m, ks].sum()))
    weights = Operand(
        codes=q[None].astype(np.uint8),
        format="uint4",
        group_size=128,
        group_scale=s[None],
        zero_point=z[None].astype(np.int32),
    )
    activations = Operand(codes=x[None].astype(np.int8).view(np.uint8), format="int8")
    got = multiply(activations, weights, get_datapath("w4a8_mixpe")).values[0]
    np.testing.assert_array_equal(got, np.clip(expected, -65504, 65504).astype(np.float16).astype(np.float32))


def test_narrow_accumulator_wraps_and_is_counted():
    q = np.full((1, 1, 128), 15, np.uint8)
    x = np.full((1, 1, 128), 127, np.uint8)
    weights = Operand(
        codes=q,
        format="uint4",
        group_size=128,
        group_scale=np.ones((1, 1, 1), np.float32),
        zero_point=np.zeros((1, 1, 1), np.int32),
    )
    activations = Operand(codes=x, format="int8")
    wide = multiply(activations, weights, get_datapath("w4a8_mixpe"))
    narrow = check(activations, weights, get_datapath("w4a8_mixpe", accumulator_bits=16))
    assert wide.overflows == 0
    assert narrow.overflows == 1
    exact = 128 * 15 * 127
    assert narrow.values[0, 0, 0] == np.float32(np.float16((exact + 2**15) % 2**16 - 2**15))


@given(bits=st.integers(16, 24), seed=st.integers(0, 1000))
def test_overflows_equal_the_definition_at_any_width(bits, seed):
    rng = np.random.default_rng(seed)
    datapath = get_datapath("w4a8_mixpe", accumulator_bits=bits)
    q = rng.integers(8, 16, (1, 2, 256), dtype=np.uint8)
    x = rng.integers(64, 128, (1, 2, 256), dtype=np.int8).view(np.uint8)
    zero = rng.integers(0, 16, (1, 2, 2)).astype(np.int32)
    weights = Operand(
        codes=q,
        format="uint4",
        group_size=128,
        group_scale=np.full((1, 2, 2), 2.0**-6, np.float32),
        zero_point=zero,
    )
    got = check(Operand(codes=x, format="int8"), weights, datapath)
    count = 0
    for m in range(2):
        for n in range(2):
            for g in range(2):
                ks = slice(128 * g, 128 * g + 128)
                total = int(np.dot(q[0, n, ks].astype(int), x.view(np.int8)[0, m, ks].astype(int)))
                count += not -(2 ** (bits - 1)) <= total < 2 ** (bits - 1)
    assert got.overflows == count


def test_weight_stationary_chains_change_rounded_sums_only():
    rng = np.random.default_rng(3)
    values = [rng.standard_normal((1, 8, 100)).astype(np.float32) for _ in range(2)]
    a, b = (Operand(codes=encode(v, "fp32"), format="fp32") for v in values)
    fp32 = get_datapath("fp32")
    chained = multiply(a, b, fp32, chain=32).values
    parts = [
        multiply(
            Operand(codes=a.codes[:, :, s : s + 32], format="fp32"),
            Operand(codes=b.codes[:, :, s : s + 32], format="fp32"),
            fp32,
        ).values
        for s in range(0, 100, 32)
    ]
    np.testing.assert_array_equal(chained, ((parts[0] + parts[1]) + parts[2]) + parts[3])
    assert (chained != multiply(a, b, fp32).values).any()
    x, y = operands(get_datapath("w8a8_int8"), 8, 8, 100, seed=4)
    np.testing.assert_array_equal(
        multiply(x, y, get_datapath("w8a8_int8"), chain=32).values,
        multiply(x, y, get_datapath("w8a8_int8")).values,
    )


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_result_does_not_depend_on_threads(threads, monkeypatch):
    datapath = get_datapath("hopper_e4m3_fp32")
    a, b = operands(datapath, 37, 21, 96, seed=5)
    expected = multiply(a, b, datapath).values
    monkeypatch.setenv("SIMHW_THREADS", threads)
    np.testing.assert_array_equal(multiply(a, b, datapath).values, expected)


def test_results_saturate_and_are_counted():
    a = Operand(codes=encode(np.full((1, 1, 4), 60000, np.float32), "fp16"), format="fp16")
    product = multiply(a, a, get_datapath("fp16"))
    assert product.values[0, 0, 0] == 65504
    assert product.saturations == 1


def test_non_finite_operands_follow_ieee():
    fp16 = get_datapath("fp16")
    row = np.array([[[np.inf, 1.0]]], np.float32)
    a = Operand(codes=encode(row, "fp16", overflow="infinity"), format="fp16")
    zero = Operand(codes=encode(np.zeros((1, 1, 2), np.float32), "fp16"), format="fp16")
    one = Operand(codes=encode(np.ones((1, 1, 2), np.float32), "fp16"), format="fp16")
    assert np.isnan(multiply(a, zero, fp16).values).all()
    assert multiply(a, one, fp16).values[0, 0, 0] in (np.inf, 65504)


def test_int4_weights_on_mixpe():
    scheme = get_scheme("w4a8_symmetric")
    rng = np.random.default_rng(6)
    a = METHOD.quantize(rng.standard_normal((1, 3, 200)).astype(np.float32), scheme.activation)
    b = METHOD.quantize(rng.standard_normal((1, 4, 200)).astype(np.float32), scheme.weight)
    assert b.zero_point is None
    check(a, b, get_datapath("w4a8_mixpe"))


def test_attention_of_w4a16_needs_more_than_float64_at_the_limit():
    """fp16 at its largest times int8: the planner must split the weights, and the bits stay exact."""
    datapath = get_datapath("w4a16_mixpe")
    rng = np.random.default_rng(7)
    codes = rng.choice([0x7BFF, 0xFBFF, 0x0001, 0x3C00], (1, 2, 512)).astype(np.uint16)
    a = Operand(codes=codes, format="fp16")
    b = Operand(
        codes=rng.integers(0, 256, (1, 2, 512), dtype=np.uint8),
        format="int8",
        row_scale=np.full((1, 2), 2.0**-20, np.float32),
    )
    assert check(a, b, datapath).plan.kernel == "dgemm_split"


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ((1, 2, 3), (1, 2, 4), "same batch and k"),
        ((1, 2, 3), (2, 2, 3), "same batch and k"),
    ],
)
def test_shapes_must_match(left, right, message):
    a, b = (Operand(codes=np.zeros(shape, np.uint8), format="int8") for shape in (left, right))
    with pytest.raises(InputError, match=message):
        multiply(a, b, get_datapath("w8a8_int8"))


def test_formats_must_fit_the_datapath():
    a = Operand(codes=np.zeros((1, 1, 4), np.uint8), format="e4m3")
    with pytest.raises(InputError, match="operand formats are e4m3 and e4m3, datapath w8a8_int8 takes int8"):
        multiply(a, a, get_datapath("w8a8_int8"))


def test_operands_are_checked():
    codes = np.zeros((1, 2, 8), np.uint8)
    with pytest.raises(InputError, match=r"must be \(batch, rows, k\)"):
        Operand(codes=codes[0], format="int8")
    with pytest.raises(InputError, match="every size must be at least 1"):
        Operand(codes=codes[:, :0], format="int8")
    with pytest.raises(InputError, match=r"group size is 9, must be 1..8"):
        Operand(codes=codes, format="int8", group_size=9)
    with pytest.raises(InputError, match=r"group size is 0, must be 1..8"):
        Operand(codes=codes, format="int8", group_size=0)
    with pytest.raises(InputError, match="group_scale has shape"):
        Operand(codes=codes, format="int8", group_size=4, group_scale=np.ones((1, 2, 3), np.float32))


def test_accumulator_width_is_checked():
    with pytest.raises(InputError, match=r"accumulator_bits is 7, must be 12..64"):
        get_datapath("w4a8_mixpe", accumulator_bits=7)
    with pytest.raises(InputError, match="accumulator_bits is 16"):
        get_datapath("fp16", accumulator_bits=16)
    assert get_datapath("w4a8_mixpe", accumulator_bits=18).accumulator == Exact(bits=18)


def test_every_format_of_a_datapath_is_known():
    for name in datapath_names():
        datapath = get_datapath(name)
        for form in (datapath.activation, datapath.weight, datapath.attention, datapath.output):
            assert get_element_format(form).name == form
        assert isinstance(get_element_format(datapath.output), FloatFormat) == (datapath.requantize is None)


@pytest.mark.parametrize("name", ["nvfp4", "w4a8_mixpe"])
def test_groups_without_scales_are_all_summed(name):
    datapath = get_datapath(name)
    ones = [encode(np.ones((1, 1, 40), np.float32), form) for form in (datapath.activation, datapath.weight)]
    a, b = (
        Operand(codes=codes, format=form, group_size=16)
        for codes, form in zip(ones, (datapath.activation, datapath.weight), strict=True)
    )
    assert check(a, b, datapath).values[0, 0, 0] == 40
