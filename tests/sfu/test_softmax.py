"""Softmax units: kernel against definition, definition against float64, and the exponentials inside, exhaustively."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simhw.errors import InputError
from simhw.sfu import get_unit, softmax_ibert, softmax_ivit, unit_names
from simhw.sfu.exponential import exp_pair

UNITS = [name for name in unit_names() if get_unit(name).function == "softmax"]
FLOAT = [name for name in UNITS if get_unit(name).input_scale is None]
INTEGER = [name for name in UNITS if get_unit(name).input_scale is not None]

lengths = st.integers(1, 140)
floats = st.floats(width=32, allow_nan=False) | st.floats(-20, 20, width=32)


def softmax(rows):
    rows = rows.astype(np.float64)
    e = np.exp(rows - rows.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("name", FLOAT)
@given(row=lengths.flatmap(lambda k: arrays(np.float32, k, elements=floats | st.just(float("nan")))))
def test_float_kernel_is_the_definition(name, row):
    unit = get_unit(name)
    result = unit.kernel(row[None])[0]
    np.testing.assert_array_equal(
        result.view(np.uint32), np.array(unit.definition(list(row)), np.float32).view(np.uint32)
    )


@pytest.mark.parametrize("name", INTEGER)
@given(row=lengths.flatmap(lambda k: arrays(np.int32, k, elements=st.integers(-32768, 32767) | st.integers(-600, 0))))
def test_integer_kernel_is_the_definition(name, row):
    unit = get_unit(name)
    assert unit.kernel(row[None])[0].tolist() == unit.definition(row.tolist())


@pytest.mark.parametrize("name", INTEGER)
def test_every_difference(name):
    """Rows of two: the largest code and every other one, each of the 2**16 differences that matter."""
    unit = get_unit(name)
    rows = np.stack([np.full(1 << 16, 32767), np.arange(-32768, 32768)], axis=1).astype(np.int32)
    assert unit.kernel(rows).tolist() == [unit.definition(row) for row in rows.tolist()]


@pytest.mark.parametrize("name", FLOAT)
@pytest.mark.parametrize("length", [1, 63, 64, 65, 100, 1000])
def test_float_error(name, length):
    """Relative: 16 roundings of an exponential, those of the sum, and of ``x - max`` where it is formed.

    Results below the least normal number are left out: there an exponential counts as 0.
    """
    rows = np.random.default_rng(length).uniform(-30, 30, (50, length)).astype(np.float32)
    expected = softmax(rows)
    reduction = 64 if name == "softmax_three_pass" else 0
    bound = (16 + length / 64 + 64 + reduction) * 2.0**-24
    error = np.abs(get_unit(name).apply(rows) - expected) / expected
    assert error[expected > 2.0**-120].max() <= bound


@pytest.mark.parametrize(("exponential", "scale", "one", "bound"), [
    (softmax_ibert.exponential, 2.0**-8, 32767, 0.002),
    (lambda x: softmax_ivit.shift_exponential(x, softmax_ivit.X0, softmax_ivit.STEPS), 2.0**-4, 1 << 19, 0.08),
])  # fmt: skip
def test_exponential_error(exponential, scale, one, bound):
    """Of 1, over every difference of two int16 codes.

    I-BERT: 1.9e-3 as its paper says, and the floors of the constants. I-ViT: the line between powers lies
    up to 0.043 above 2**-f, the floors of the three shifts weigh up to half a code each, of 1/16.
    """
    assert max(abs(exponential(x) / one - math.exp(x * scale)) for x in range(0, -65536, -1)) <= bound


@pytest.mark.parametrize("name", INTEGER)
def test_signals_hold_the_worst_rows(name):
    unit = get_unit(name)
    least = np.iinfo(np.int16).min
    rows = [[32767], [least, 32767], [0] * unit.longest_row, [32767] + [least] * (unit.longest_row - 1)]
    bits = next(signal.bits for signal in unit.signals if signal.name == "result")
    for row in rows:
        codes = unit.kernel(np.array([row], np.int32))
        assert codes.min() >= 0
        assert int(codes.max()).bit_length() <= bits
    with pytest.raises(InputError, match=f"a row has {unit.longest_row + 1} elements, {name} is sized for at most"):
        unit.apply(np.zeros((1, unit.longest_row + 1), np.float32))


@pytest.mark.parametrize("name", [*UNITS, "softmax_two_pass_in_bf16", "softmax_three_pass_in_e4m3"])
def test_masked_scores_have_no_weight(name):
    rows = np.array([[1, -np.inf, 2, -np.inf], [np.nan, 1, 2, 3]], np.float32)
    result = get_unit(name).apply(rows)
    assert result[0, 1] == result[0, 3] == 0
    assert 0 < result[0, 0] < result[0, 2]
    assert np.isnan(result[1]).all()


def test_pairs_never_overflow():
    """Scores at which exp is infinite in float32."""
    rows = np.array([[1000, 1001, 999]], np.float32)
    np.testing.assert_allclose(get_unit("softmax_two_pass").apply(rows), softmax(rows), rtol=1e-4)


def test_polynomial_of_the_pair():
    """To 3 units in the last place over one period of the argument reduction."""
    x = np.linspace(-0.34, 0.34, 20001).astype(np.float32)
    pairs = [exp_pair(v) for v in x]
    found = np.array([float(m) * 2.0**n for m, n in pairs])
    assert np.abs(found / np.exp(x.astype(np.float64)) - 1).max() <= 3 * 2.0**-23


@pytest.mark.parametrize("narrow", ["fp16", "bf16", "e4m3"])
@pytest.mark.parametrize("name", UNITS)
def test_narrow_input_and_output(name, narrow):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtype = {"fp16": np.float16, "bf16": ml_dtypes.bfloat16, "e4m3": ml_dtypes.float8_e4m3fn}[narrow]
    rows = (np.random.default_rng(1).standard_normal((30, 33)) * 4).astype(np.float32)
    between = get_unit(name).apply(rows.astype(dtype).astype(np.float32))
    np.testing.assert_array_equal(get_unit(f"{name}_in_{narrow}").apply(rows), between.astype(dtype).astype(np.float32))


def test_unknown_names():
    with pytest.raises(InputError, match=r"unit is 'softmax_tow_pass', which is not known; nearest: softmax_two_pass"):
        get_unit("softmax_tow_pass")
    with pytest.raises(InputError, match=r"unit is 'softmax_ibert_in_', which names no format"):
        get_unit("softmax_ibert_in_")
    with pytest.raises(InputError, match="nothing_such"):
        get_unit("softmax_ibert_in_nothing_such")
