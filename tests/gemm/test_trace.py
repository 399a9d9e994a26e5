"""The steps of a dot product: they end in the engine's result, and each says truly what it lost."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simhw
from simhw.accumulators import Aligned, Ieee
from simhw.errors import InputError
from simhw.formats import decode, encode
from simhw.gemm.datapaths import datapath_names, get_datapath
from simhw.gemm.trace import trace_dot
from simhw.strategies import gemm_operands

TRACED = [name for name in datapath_names() if get_datapath(name).multiplier_weight is None]


def check(trace):
    """The invariants of a trace."""
    last = trace.steps[-1].after
    assert trace.result == float(last) or (math.isnan(trace.result) and math.isnan(last))
    products = [step for step in trace.steps if step.label.startswith("k = ")]
    assert sorted(int(step.label[4:]) for step in products) == list(range(len(products)))
    if not isinstance(trace.exact, Fraction):
        return
    for step in trace.steps:
        assert (step.bits_lost == 0) <= (step.lost == 0)
        assert step.shift is None or step.shift >= 0
        if step.a is not None and math.isfinite(step.a) and math.isfinite(step.b):
            assert step.product == Fraction(step.a) * Fraction(step.b)
        if step.before is not None and isinstance(step.after, Fraction):
            assert step.before - step.after == step.lost
    if isinstance(trace.datapath.accumulator, Aligned | Ieee) and math.isfinite(trace.result):
        assert trace.exact - Fraction(trace.result) == sum(step.lost for step in trace.steps)


@settings(max_examples=150)
@given(st.sampled_from(TRACED).flatmap(lambda name: st.tuples(st.just(name), gemm_operands(name, max_m=1, max_n=1))))
def test_steps_end_in_the_engines_result(case):
    name, operands = case
    trace = trace_dot(operands.a[0], operands.b[:, 0], name)
    # Where sums are requantized, the trace ends in the register.
    register = replace(get_datapath(name), requantize=None, output="fp32")
    got = simhw.matmul(operands.a, operands.b, register)[0, 0]
    assert trace.result == got or (math.isnan(got) and math.isnan(trace.result))
    check(trace)


@pytest.mark.parametrize("name", ["hopper_e5m2_fp32", "hopper_e5m2_fp16", "fp8_e4m3_fp32", "fp16"])
def test_specials_and_overflow(name):
    fmt = get_datapath(name).activation
    for values in ([math.nan, 1.0], [448.0] * 40):
        codes = encode(values, fmt)
        check(trace_dot(codes, codes, name))


@pytest.mark.parametrize("name", ["hopper_e4m3_fp32", "recorded_b200_e4m3_fp32", "fp8_e4m3_fp32"])
def test_addend_is_a_step(name):
    codes = encode([1.5, -3.0, 0.0625] * 20, "e4m3")
    trace = trace_dot(codes, codes, name, c=0.3125)
    check(trace)
    assert "c" in {step.label for step in trace.steps}
    assert trace.exact == 20 * Fraction(2.25 + 9 + 2.0**-8) + Fraction(0.3125)


def test_alignment_by_hand():
    """2^8 beside 2^-9 on Hopper: 17 places apart, F = 13 keeps nothing of the smaller one."""
    a, b = encode([16.0, 2.0**-9], "e4m3"), encode([16.0, 1.0], "e4m3")
    large, small, rounded = trace_dot(a, b).steps
    assert (large.exponent, large.shift, large.bits_lost) == (8, 0, 0)
    # The smaller operand is subnormal: its exponent is that of the smallest normal number, 2^-6.
    assert (small.exponent, small.shift, small.bits_lost, small.lost) == (-6, 14, 1, Fraction(1, 512))
    assert (rounded.before, rounded.after) == (256, 256)
    assert trace_dot(a, b).error == -(2.0**-9)


def test_rounding_by_hand():
    """2048 + 1.5 in an fp16 register: the unit is 2, and 2049.5 becomes 2050."""
    a, b = encode([64.0, 1.5], "e5m2"), encode([32.0, 1.0], "e5m2")
    rounded = trace_dot(a, b, "hopper_e5m2_fp16").steps[-1]
    assert (rounded.before, rounded.after, rounded.lost) == (Fraction(4099, 2), 2050, Fraction(-1, 2))
    assert rounded.bits_lost == 2  # the bits worth 1 and 1/2


def test_integer_register_that_wraps():
    from dataclasses import replace

    from simhw.accumulators import Exact

    record = replace(get_datapath("w8a8_int8"), accumulator=Exact(bits=16))
    trace = trace_dot(np.full(3, 128, np.uint8), np.full(3, 128, np.uint8), record)
    assert [step.after for step in trace.steps] == [2**14, -(2**15), -(2**14)]
    assert trace.steps[1].before == 2**15


def test_blocks_are_joined_in_fp32():
    codes = encode(np.linspace(-400, 400, 70), "e4m3")
    trace = trace_dot(codes, codes, "mxfp8")
    check(trace)
    assert [step.label for step in trace.steps].count("sum") == 2
    assert float(trace.exact) == float((decode(codes, "e4m3").astype(float) ** 2).sum())


@pytest.mark.parametrize(
    ("a", "b", "datapath", "message"),
    [
        (np.zeros(3, np.uint8), np.zeros(4, np.uint8), "fp8_e4m3_fp32", "must be two vectors of one length"),
        (np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint8), "fp8_e4m3_fp32", "must be two vectors"),
        (np.zeros(0, np.uint8), np.zeros(0, np.uint8), "fp8_e4m3_fp32", "at least 1"),
        (np.zeros(3), np.zeros(3, np.uint8), "fp8_e4m3_fp32", "a_codes have dtype float64"),
        (np.zeros(3, np.uint8), np.zeros(3, np.uint8), "w4a8_dequantize_first", "rounds weights to int8 before"),
    ],
)
def test_refusals(a, b, datapath, message):
    with pytest.raises(InputError, match=message):
        trace_dot(a, b, datapath)
