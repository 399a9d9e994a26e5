"""Requantized results: whole products against ONNX Runtime, counts of what saturates, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simhw
from simhw.accumulators import Saturate
from simhw.errors import InputError
from simhw.gemm.datapaths import datapath_names, get_datapath
from simhw.gemm.engine import multiply
from simhw.gemm.operand import Operand
from simhw.gemm.stored import StoredScale

NAMES = [name for name in datapath_names() if get_datapath(name).requantize is not None]


def test_the_machines_that_requantize():
    assert {
        "gemmini_int8",
        "onnx_reference_int8",
        "onnxruntime_int8",
        "tflite_int8_double_rounding",
        "tflite_int8_single_rounding",
        "xnnpack_int8",
        "xnnpack_int8_rndnu",
    } == set(NAMES)


@pytest.mark.parametrize("seed", range(5))
def test_matmul_equals_onnxruntime(seed):
    """Asymmetric activations, per-column scales, both zero points."""
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(-128, 128, shape).astype(np.int8) for shape in ((9, 70), (70, 6)))
    a_scale, y_scale = np.float32(0.0123 + seed / 1000), np.float32(1.37 - seed / 7)
    b_scale = (rng.random(6) * 0.02 + 0.001).astype(np.float32)
    a_zero, y_zero = np.int8(rng.integers(-128, 128)), np.int8(rng.integers(-128, 128))
    given = (a, a_scale, a_zero, b, b_scale, np.zeros(6, np.int8), y_scale, y_zero)
    names = [f"x{i}" for i in range(8)]
    kind = onnx.helper.np_dtype_to_tensor_dtype
    inputs = [
        onnx.helper.make_tensor_value_info(name, kind(np.asarray(value).dtype), np.shape(value))
        for name, value in zip(names, given, strict=True)
    ]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("QLinearMatMul", names, ["y"])],
        "g",
        inputs,
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT8, (9, 6))],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)])
    model.ir_version = 10
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {n: np.asarray(v) for n, v in zip(names, given, strict=True)})
    got = simhw.matmul(
        a,
        b,
        "onnxruntime_int8",
        a_scales=a_scale,
        b_scales=b_scale[None],
        a_zero_point=int(a_zero),
        output_scale=float(y_scale),
        output_zero_point=int(y_zero),
    )
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == np.float32


def test_bias_is_added_in_int32_and_wraps():
    a, b = np.full((1, 2), 127, np.int8), np.full((2, 1), 127, np.int8)
    arguments = {"output_scale": 2.0**24, "datapath": "onnxruntime_int8"}
    assert simhw.matmul(a, b, c=2**31 - 1 - 2 * 127 * 127, **arguments)[0, 0] == 127
    assert simhw.matmul(a, b, c=2**31 - 1, **arguments)[0, 0] == -128


def test_rules_differ_where_their_libraries_do():
    """The sum 5 halved: ties to even give 2, ties up 3."""
    a, b = np.array([[5]], np.int8), np.array([[1]], np.int8)
    got = {name: simhw.matmul(a, b, name, output_scale=2.0)[0, 0] for name in NAMES}
    up = {"tflite_int8_double_rounding", "tflite_int8_single_rounding", "xnnpack_int8_rndnu"}
    assert got == {name: 3 if name in up else 2 for name in NAMES}


def test_results_that_are_clamped_are_counted():
    ones = Operand(codes=np.ones((1, 3, 4), np.uint8), format="int8")
    big = Operand(codes=np.array([[[127] * 4, [1] * 4]], np.uint8), format="int8")
    made = multiply(ones, big, get_datapath("onnxruntime_int8"), stored=StoredScale(scale=1.0))
    assert made.saturations == 3
    np.testing.assert_array_equal(made.values[0], [[127, 4]] * 3)


@given(bits=st.integers(16, 20), seed=st.integers(0, 1000))
def test_a_saturating_register_counts_the_sums_that_it_clamped(bits, seed):
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(-128, 128, (1, rows, 40)) for rows in (3, 4))
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    expected = 0
    for row in x[0]:
        for column in y[0]:
            held, clamped = 0, False
            for p, q in zip(row.tolist(), column.tolist(), strict=True):
                wanted = held + p * q
                held = min(max(wanted, low), high)
                clamped |= held != wanted
            expected += clamped
    datapath = replace(get_datapath("w8a8_int8"), accumulator=Saturate(bits=bits))
    a, b = (Operand(codes=v.astype(np.int8).view(np.uint8), format="int8") for v in (x, y))
    assert multiply(a, b, datapath).overflows == expected


def test_steps_without_a_bound_are_told():
    """12-bit operands in 22 bits run step by step in floats; one row is large enough to need clamping."""
    rng = np.random.default_rng(1)
    x, y = rng.integers(-20, 21, (1, 64, 256)), rng.integers(-20, 21, (1, 150, 256))
    x[0, 9], y[0, 30] = 2047, 2047
    datapath = replace(
        get_datapath("w8a8_int8"), activation="int12", weight="int12", attention="int12", accumulator=Saturate(bits=22)
    )
    a, b = (Operand(codes=(v & 0xFFF).astype(np.uint16), format="int12") for v in (x, y))
    tally = multiply(a, b, datapath).tally
    assert 0 < tally.slow_steps < tally.steps // 4
    assert tally.overflows == 1


CODES = np.zeros((2, 2), np.int8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "output_scale is missing, datapath onnxruntime_int8 stores int8 codes; give it"),
        ({"output_scale": -1.0}, r"output_scale is -1\.0, must be a positive value of fp32"),
        ({"output_scale": 0.1}, r"output_scale is 0\.1, must be a positive value of fp32; round it first"),
        ({"output_scale": 1.0, "output_zero_point": 128}, r"output_zero_point is 128, must be -128\.\.127"),
        ({"output_scale": 1.0, "a_zero_point": 200}, r"a_zero_point is 200, must be -128\.\.127"),
        ({"output_scale": 1.0, "c": 0.5}, "c holds values that int32, the format of a bias, has not"),
        ({"output_scale": 1.0, "c": 2.0**31}, "c holds values that int32"),
        ({"output_scale": 1.0, "a_scales": [[1.0], [2.0]]}, "rows of the first operand have scales of their own"),
        ({"output_scale": 1.0, "group_size": 1}, "groups of k were given, onnxruntime_int8 requantizes the sum over"),
        ({"output_scale": 2.0**-20}, r"scale is 1\.04858e\+06, onnxruntime takes"),
        ({"datapath": "w8a8_int8", "output_scale": 1.0}, "w8a8_int8 does not requantize; leave them out"),
        ({"datapath": "gemmini_int8", "output_scale": 1.0, "a_zero_point": 1}, "gemmini_int8 sums int8 codes as they"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(InputError, match=message):
        simhw.matmul(CODES, CODES, **{"datapath": "onnxruntime_int8", **arguments})


def test_a_sum_of_nothing_is_refused():
    with pytest.raises(InputError, match="k is 0, onnxruntime_int8 requantizes sums of at least 1 product"):
        simhw.matmul(CODES[:, :0], CODES[:0], "onnxruntime_int8", output_scale=1.0)


def test_the_engine_asks_for_the_scale_of_the_results():
    operand = Operand(codes=np.zeros((1, 1, 1), np.uint8), format="int8")
    with pytest.raises(InputError, match="datapath gemmini_int8 requantizes its sums by gemmini_scale; give the scale"):
        multiply(operand, operand, get_datapath("gemmini_int8"))
    with pytest.raises(InputError, match="datapath w8a8_int8 does not requantize; leave it out"):
        multiply(operand, operand, get_datapath("w8a8_int8"), stored=StoredScale(scale=1.0))
