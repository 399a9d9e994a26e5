"""The public matrix product: against NumPy, recorded GPU results and the definition; inputs of every kind."""

import math

import ml_dtypes
import numpy as np
import pytest
import torch

import simhw
from simhw.accumulators import Exact, Saturate
from simhw.errors import InputError
from simhw.formats import decode, encode, get_element_format, quantize_blocks, view_as_dtype
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import datapath_names, get_datapath
from simhw.gemm.matmul import MatmulPlan
from simhw.testing import check_datapath

RNG = np.random.default_rng(3)


def takes_addend(name):
    datapath = get_datapath(name)
    return datapath.requantize is not None or not isinstance(datapath.accumulator, Exact)


@pytest.mark.parametrize("name", datapath_names())
def test_equals_the_definition(name):
    report = check_datapath(
        name,
        matmul=lambda a, b, c, **scales: simhw.matmul(a, b, name, c, **scales),
        tries=12,
        lengths=(1, 2, 5, 17, 33, 70),
        addend=takes_addend(name),
    )
    assert report.agrees, report
    assert report.tried > 12


def codes(name, *shape):
    fmt = get_element_format(name)
    drawn = RNG.integers(0, fmt.code_count, shape)
    return np.where(np.isfinite(decode(drawn, fmt)), drawn, 0).astype(fmt.code_dtype)


def test_int8_register_comes_back_whole():
    """Sums of int8 products beyond 2^24 are odd numbers that float32 does not hold."""
    a, b = np.full((1, 1031), 127, np.int8), np.full((1031, 1), 127, np.int8)
    got = simhw.matmul(a, b, "w8a8_int8")
    assert got[0, 0] == 1031 * 127 * 127 == 16_628_999
    a, b = np.full((1, 2001), 127, np.int8), np.full((2001, 1), 127, np.int8)
    got = simhw.matmul(a, b, "w8a8_int8")
    assert got[0, 0] == 2001 * 127 * 127 > 2**24
    assert got.dtype == np.float64
    assert np.float32(got[0, 0]) != got[0, 0]


def test_int8_equals_integer_matmul():
    a, b = RNG.integers(-128, 128, (7, 300)), RNG.integers(-128, 128, (300, 5))
    got = simhw.matmul(a.astype(np.int8), b.astype(np.int8), "w8a8_int8")
    np.testing.assert_array_equal(got, a @ b)
    np.testing.assert_array_equal(simhw.matmul(a % 256, b % 256, "w8a8_int8"), a @ b)


def test_int32_register_wraps():
    a, b = np.full((1, 1 << 18), -128, np.int8), np.full((1 << 18, 1), -128, np.int8)
    assert simhw.matmul(a, b, "w8a8_int8")[0, 0] == 0  # 2^18 x 2^14 = 2^32
    assert simhw.matmul(a[:, 1:], b[1:], "w8a8_int8")[0, 0] == -(2**14)


def test_an_accumulator_of_ones_own():
    from dataclasses import replace

    record = replace(get_datapath("w8a8_int8"), name="mine", accumulator=Exact(bits=20))
    a, b = np.full((1, 40), -128, np.int8), np.full((40, 1), -128, np.int8)
    assert simhw.matmul(a, b, record)[0, 0] == 40 * 2**14 - 2**20
    assert simhw.matmul(a, b, replace(record, accumulator=Saturate(bits=20)))[0, 0] == 2**19 - 1


def test_recorded_h100(vectors):
    data = np.load(vectors / "H100_bf16.npz")
    a, b, c, d = (data[key].view(np.float32) for key in ("a", "b", "c", "d_fp32"))
    finite = np.isfinite(a).all(1) & np.isfinite(b).all(1) & np.isfinite(c) & np.isfinite(d)
    a, b, c, d = (x[finite][:300] for x in (a, b, c, d))
    x = a.astype(ml_dtypes.bfloat16)
    y = b.astype(ml_dtypes.bfloat16)
    assert (x.astype(np.float32) == a).all()
    # One product per row, as a batch: (rows, 1, k) x (rows, k, 1) + (rows, 1, 1).
    got = simhw.matmul(x[:, None, :], y[:, :, None], "hopper_bf16_fp32", c[:, None, None])
    np.testing.assert_array_equal(got[:, 0, 0], d)


def test_results_are_not_rounded_to_what_a_layer_stores():
    assert get_datapath("hopper_e4m3_fp32").output == "bf16"
    a, b = encode([[1.0, 0.0625]], "e4m3"), encode([[256.0], [1.0]], "e4m3")
    assert simhw.matmul(a, b)[0, 0] == 256.0625
    big = encode(np.full((1, 8), 57344.0), "e5m2")
    assert simhw.matmul(big, big.T, "hopper_e5m2_fp16")[0, 0] == math.inf


def test_infinities_and_nan():
    e5m2 = encode([[1.0, math.inf, math.nan, 0.0]], "e5m2", overflow="infinity")
    for datapath in ("hopper_e5m2_fp32", "hopper_e5m2_fp16"):
        got = simhw.matmul(e5m2.T, e5m2, datapath)
        with np.errstate(invalid="ignore"):
            expected = np.outer([1.0, math.inf, math.nan, 0.0], [1.0, math.inf, math.nan, 0.0])
        np.testing.assert_array_equal(got, expected)
    nan = np.full((1, 1), 0x7F, np.uint8)
    for datapath in ("mxfp8", "fp8_e4m3_fp32"):
        assert np.isnan(simhw.matmul(nan, nan, datapath)[0, 0])


OWN_DTYPES = {
    "hopper_e4m3_fp32": ml_dtypes.float8_e4m3fn,
    "hopper_e5m2_fp32": ml_dtypes.float8_e5m2,
    "hopper_bf16_fp32": ml_dtypes.bfloat16,
    "hopper_fp16_fp32": np.float16,
    "fp32": np.float32,
    "mxfp4": ml_dtypes.float4_e2m1fn,
    "w8a8_int8": np.int8,
}


@pytest.mark.parametrize("name", OWN_DTYPES)
def test_arrays_of_the_formats_own_dtype_are_codes(name):
    fmt = get_element_format(get_datapath(name).activation)
    a, b = codes(fmt.name, 3, 9), codes(fmt.name, 9, 2)
    expected = simhw.matmul(a, b, name)
    mine = [view_as_dtype(x, fmt) for x in (a, b)]
    assert mine[0].dtype == OWN_DTYPES[name]
    np.testing.assert_array_equal(simhw.matmul(*mine, name), expected)
    np.testing.assert_array_equal(simhw.matmul(a.tolist(), b.tolist(), name), expected)
    np.testing.assert_array_equal(simhw.matmul(a.astype(np.int64), b, name), expected)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("hopper_e4m3_fp32", torch.float8_e4m3fn),
        ("hopper_e5m2_fp32", torch.float8_e5m2),
        ("hopper_bf16_fp32", torch.bfloat16),
        ("hopper_fp16_fp32", torch.float16),
        ("fp32", torch.float32),
        ("w8a8_int8", torch.int8),
        ("hopper_e4m3_fp32", torch.uint8),
    ],
)
def test_torch_tensors_are_codes(name, dtype):
    fmt = get_element_format(get_datapath(name).activation)
    a, b = codes(fmt.name, 3, 9), codes(fmt.name, 9, 2)
    signed = {1: np.int8, 2: np.int16, 4: np.int32}[fmt.code_dtype.itemsize]
    tensors = [torch.from_numpy(x.view(signed)).view(dtype) for x in (a, b)]
    np.testing.assert_array_equal(simhw.matmul(*tensors, name), simhw.matmul(a, b, name))


def test_other_layouts_and_byte_orders():
    a, b = codes("bf16", 6, 10), codes("bf16", 10, 4)
    expected = simhw.matmul(a, b, "bf16")
    np.testing.assert_array_equal(simhw.matmul(np.asfortranarray(a), b[::-1][::-1], "bf16"), expected)
    np.testing.assert_array_equal(simhw.matmul(a.astype(">u2"), b.astype(">i4"), "bf16"), expected)
    np.testing.assert_array_equal(simhw.matmul(a.repeat(2, axis=1)[:, ::2], b, "bf16"), expected)
    fp16 = codes("fp16", 6, 10)
    big = fp16.view(np.float16).astype(">f2")
    np.testing.assert_array_equal(
        simhw.matmul(big, fp16.T, "fp16"), simhw.matmul(fp16, np.ascontiguousarray(fp16.T), "fp16")
    )
    a.flags.writeable = False
    np.testing.assert_array_equal(simhw.matmul(a, b, "bf16"), expected)


def test_leading_axes_broadcast():
    a, b = codes("e4m3", 2, 3, 4, 8), codes("e4m3", 3, 8, 5)
    got = simhw.matmul(a, b)
    assert got.shape == (2, 3, 4, 5)
    for i, j in np.ndindex(2, 3):
        np.testing.assert_array_equal(got[i, j], simhw.matmul(a[i, j], b[j]))
    np.testing.assert_array_equal(simhw.matmul(a[0, 0], b), np.stack([simhw.matmul(a[0, 0], x) for x in b]))


@pytest.mark.parametrize(
    ("a", "b", "shape"), [((0, 4), (4, 3), (0, 3)), ((2, 4), (4, 0), (2, 0)), ((5, 0, 2, 4), (4, 3), (5, 0, 2, 3))]
)
def test_empty_results(a, b, shape):
    got = simhw.matmul(np.zeros(a, np.uint8), np.zeros(b, np.uint8))
    assert (got.shape, got.dtype) == (shape, np.float32)


def test_a_sum_of_nothing_is_zero_or_the_addend():
    a, b = np.zeros((2, 0), np.uint8), np.zeros((0, 3), np.uint8)
    np.testing.assert_array_equal(simhw.matmul(a, b), np.zeros((2, 3)))
    np.testing.assert_array_equal(simhw.matmul(a, b, c=[1.0, 2.0, 3.0]), [[1.0, 2.0, 3.0]] * 2)


def test_addend_enters_the_accumulator():
    """On Hopper c is cut off with the products: 2^14 + 2^-1 leaves F = 13 bits below the largest exponent."""
    a, b = encode([[128.0]], "e4m3"), encode([[128.0]], "e4m3")
    assert simhw.matmul(a, b, c=0.5)[0, 0] == 2.0**14
    assert simhw.matmul(a, b, "blackwell_e4m3_fp32", c=0.5)[0, 0] == 2.0**14 + 0.5
    got = simhw.matmul(codes("e4m3", 2, 4), codes("e4m3", 4, 3), c=np.zeros((3,)))
    assert got.shape == (2, 3)


def test_scales_per_row_and_column():
    a, b = RNG.integers(-9, 10, (3, 20)).astype(np.int8), RNG.integers(-9, 10, (20, 4)).astype(np.int8)
    rows, columns = np.float32([[0.5], [2.0], [4.0]]), np.float32([[1.0, 0.25, 8.0, 0.5]])
    got = simhw.matmul(a, b, "w8a8_int8", a_scales=rows, b_scales=columns)
    np.testing.assert_array_equal(got, (a.astype(int) @ b.astype(int)) * rows * columns)
    assert got.dtype == np.float32
    batched = simhw.matmul(np.stack([a, a]), b, "w8a8_int8", a_scales=np.stack([rows, rows]), b_scales=columns)
    np.testing.assert_array_equal(batched, np.stack([got, got]))


def test_mixpe_groups_and_zero_points():
    x, q = RNG.integers(-128, 128, (3, 20)), RNG.integers(0, 16, (20, 4))
    scales = np.exp2(RNG.integers(-3, 3, (3, 4))).astype(np.float32)
    zeros = RNG.integers(0, 16, (3, 4))
    got = simhw.matmul(
        x.astype(np.int8), q, "w4a8_mixpe", b_scales=scales, zero_points=zeros, group_size=8, a_scales=[[2.0]] * 3
    )
    expected = np.zeros((3, 4))
    for group, ks in enumerate((slice(0, 8), slice(8, 16), slice(16, 20))):
        expected += (x[:, ks] @ (q[ks] - zeros[group])) * scales[group]
    np.testing.assert_array_equal(got, 2 * expected)


def test_signed_weights_of_a_uint4_datapath():
    x = RNG.integers(-128, 128, (3, 20))
    q = RNG.integers(-8, 8, (20, 4))
    got = simhw.matmul(x.astype(np.int8), q.astype(ml_dtypes.int4), "w4a8_mixpe")
    np.testing.assert_array_equal(got, x @ q)


@pytest.mark.parametrize(("name", "fmt"), [("mxfp4", "mxfp4"), ("mxfp8", "mxfp8_e4m3"), ("nvfp4", "nvfp4")])
def test_quantized_blocks_bring_their_scales(name, fmt):
    left = quantize_blocks(RNG.standard_normal((3, 70)) * 2.0 ** RNG.integers(-6, 6, (3, 1)), fmt)
    right = quantize_blocks(RNG.standard_normal((70, 4)), fmt, axis=0)
    got = simhw.matmul(left, right, name)
    a, b = left.decode(np.float64), right.decode(np.float64)
    magnitudes = np.abs(a) @ np.abs(b)
    # Block sums are exact; scaling and adding five of them and the tensor scales round less than 16 times.
    assert (np.abs(got - a @ b) <= 16 * 2.0**-24 * magnitudes).all()
    values = [decode(x.scales, x.format.scale) for x in (left, right)]
    if fmt != "nvfp4":
        same = simhw.matmul(left.codes, right.codes, name, a_scales=values[0], b_scales=values[1])
        np.testing.assert_array_equal(got, same)


REFUSED = [
    ({"a": np.zeros(4, np.uint8)}, r"a_codes have shape \(4,\), must be \(..., m, k\)"),
    ({"a": np.uint8(3)}, r"a_codes have shape \(\), must be"),
    ({"b": np.zeros(4, np.uint8)}, r"b_codes have shape \(4,\)"),
    ({"a": np.zeros((2, 5), np.uint8)}, r"operands have shapes \(2, 5\) and \(4, 3\).*same k, here 5 and 4"),
    ({"a": np.zeros((2, 2, 4), np.uint8), "b": np.zeros((3, 4, 3), np.uint8)}, "leading axes do not broadcast"),
    ({"a": np.full((2, 4), 300)}, r"a_codes: code is 300, must be 0..255 for e4m3"),
    ({"a": np.full((2, 4), -1)}, r"a_codes: code is -1"),
    ({"a": np.zeros((2, 4))}, "a_codes have dtype float64, must be codes of e4m3.*float8_e4m3fn.*simhw.encode"),
    ({"a": np.zeros((2, 4), ml_dtypes.float8_e5m2)}, "a_codes have dtype float8_e5m2, must be codes of e4m3"),
    ({"a": torch.zeros((2, 4), dtype=torch.float8_e5m2)}, "a_codes have dtype float8_e5m2"),
    ({"a": torch.zeros((2, 4))}, "a_codes have dtype float32"),
    ({"a": np.zeros((2, 4), object)}, "a_codes: codes have dtype object"),
    ({"a": np.zeros((2, 4), bool)}, "a_codes: codes have dtype bool"),
    ({"a": [[1, 2], [3]]}, "a_codes: codes cannot become a NumPy array"),
    ({"datapath": "hopper_e4m4"}, "datapath is 'hopper_e4m4', which is not known; nearest: hopper_e4m3"),
    ({"c": np.zeros((3, 3))}, r"c has shape \(3, 3\), must broadcast to the result's \(2, 3\)"),
    ({"c": 0.1}, "c holds values that fp32, the format of the result, has not"),
    ({"c": 70000.0, "datapath": "hopper_e4m3_fp16"}, "c holds values that fp16"),
    ({"c": 1.0, "datapath": "mxfp8"}, "an addend c was given with scales or groups of k"),
    (
        {"a": np.zeros((2, 4), np.int8), "b": np.zeros((4, 3), np.int8), "c": 1.0, "datapath": "w8a8_int8"},
        "exact accumulator",
    ),
    ({"a_scales": np.ones((3, 1))}, r"a_scales have shape \(3, 1\), must be \(..., 2, 1\)"),
    ({"b_scales": np.ones(3)}, r"b_scales have shape \(3,\), must be \(..., 1, 3\)"),
    ({"b_scales": np.ones((2, 3)), "group_size": 1}, r"b_scales have shape \(2, 3\), must be \(..., 4, 3\) or"),
    ({"a_scales": np.ones((2, 1), np.uint8)}, "a_scales have dtype uint8, must be values.*decode"),
    ({"a_scales": np.full((2, 1), 0.1)}, "a_scales hold values that fp32 has not"),
    ({"zero_points": np.full((1, 3), 0.5)}, "zero_points hold fractions"),
    ({"group_size": 5}, r"group size is 5, must be 1..4"),
    ({"group_size": 2, "datapath": "mxfp8"}, "group_size is 2, the datapath's block formats have 32; leave it out"),
    ({"group_size": 2, "c": 1.0}, "an addend c was given with scales or groups of k.*add it to the result"),
    ({"a_scales": 2.0, "c": 1.0}, "an addend c was given with scales or groups of k"),
    ({"a": quantize_blocks(np.ones((2, 4)), "mxfp8"), "a_scales": 1.0}, "bring the scales of mxfp8_e4m3 with them"),
    ({"a": quantize_blocks(np.ones((2, 4)), "mxfp4")}, "a_codes are mxfp4, must have e4m3 elements"),
    ({"a": quantize_blocks(np.ones((2, 4)), "mxfp8", axis=0)}, "blocks along axis 0 of 2, must have them along k"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_refusals(change, message):
    given = {"a": np.zeros((2, 4), np.uint8), "b": np.zeros((4, 3), np.uint8), **change}
    a, b = given.pop("a"), given.pop("b")
    with pytest.raises(InputError, match=message):
        simhw.matmul(a, b, **given)


@pytest.mark.parametrize("name", datapath_names())
def test_plan_needs_no_data(name):
    made = simhw.plan(64, 32, 100, datapath=name)
    assert isinstance(made, MatmulPlan)
    assert made.kernel
    assert len(made.why) > 20
    block = get_datapath(name).block_size
    assert made.group_size == (100 if block is None else block)


def test_plan_states_bounds():
    assert "2^24" in simhw.plan(1, 1, 512, "w8a8_int8").why
    assert simhw.plan(1, 1, 1 << 20, "w8a8_int8").kernel != simhw.plan(1, 1, 64, "w8a8_int8").kernel
    assert simhw.plan(8, 8, 4096, "w4a8_mixpe", group_size=128).group_size == 128


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, 1), "m is 0, must be at least 1"),
        ((1, 1, -3), "k is -3, must be at least 1"),
        ((1, 1, 1, "hoper_e4m3_fp32"), "datapath is 'hoper_e4m3_fp32'.*nearest: hopper_e4m3_fp32"),
    ],
)
def test_plan_refuses(arguments, message):
    with pytest.raises(InputError, match=message):
        simhw.plan(*arguments)


def test_a_datapath_record_is_taken():
    record = get_datapath("fp8_e4m3_fp32")
    assert isinstance(record, Datapath)
    a, b = codes("e4m3", 2, 4), codes("e4m3", 4, 3)
    np.testing.assert_array_equal(simhw.matmul(a, b, record), simhw.matmul(a, b, "fp8_e4m3_fp32"))
