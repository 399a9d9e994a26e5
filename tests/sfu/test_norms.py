"""Norm units: kernel against definition, float ones against float64 torch, integer ones against exact rationals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn import functional

from simhw.errors import InputError
from simhw.sfu import Parameters, get_unit, integer_norm, layer_norm_ivit, unit_names
from simhw.sfu.base import code_range
from simhw.sfu.integer_norm import square_shift
from simhw.sfu.multiplier import multiplier_and_shift

NORMS = [name for name in unit_names() if get_unit(name).load is not None]
FLOAT = [name for name in NORMS if get_unit(name).input_scale is None]
INTEGER = [name for name in NORMS if get_unit(name).input_scale is not None]
LAYER = [name for name in NORMS if get_unit(name).function == "layer_norm"]
DIVIDING = [name for name in INTEGER if get_unit(name).function != "batch_norm"]

floats = st.floats(width=32) | st.floats(-20, 20, width=32)
weights = st.floats(-4, 4, width=32)


def parameters(seed: int, length: int, eps: float = 1e-5) -> Parameters:
    rng = np.random.default_rng(seed)
    weight, bias, mean = rng.standard_normal((3, length)).astype(np.float32)
    variance = rng.uniform(0.1, 4, length).astype(np.float32)
    return Parameters(weight=weight, bias=bias, eps=eps, mean=mean, variance=variance)


def reference(name: str, rows: np.ndarray, given: Parameters) -> np.ndarray:
    """Torch in float64."""
    x = torch.from_numpy(rows.astype(np.float64))
    weight, bias, mean, variance = (
        None if value is None else torch.from_numpy(value).double()
        for value in (given.weight, given.bias, given.mean, given.variance)
    )
    match get_unit(name).function:
        case "rms_norm":
            return functional.rms_norm(x, x.shape[1:], weight, given.eps).numpy()
        case "batch_norm":
            return functional.batch_norm(x, mean, variance, weight, bias, eps=given.eps).numpy()
        case _:
            return functional.layer_norm(x, x.shape[1:], weight, bias, given.eps).numpy()


@st.composite
def loaded_rows(draw, elements, dtype):
    """Return parameters (or none) and a row."""
    length = draw(st.integers(1, 140))
    row = draw(arrays(dtype, length, elements=elements))
    if not draw(st.booleans()):
        return Parameters(), row
    weight, bias = (draw(arrays(np.float32, length, elements=weights)) for _ in range(2))
    eps = draw(st.sampled_from([0.0, 1e-12, 1e-5, 1.0]))
    mean, variance = bias, np.abs(weight) + np.float32(0.125)
    return Parameters(weight=weight, bias=bias, eps=eps, mean=mean, variance=variance), row


@pytest.mark.parametrize("name", FLOAT)
@given(loaded=loaded_rows(floats, np.float32))
def test_float_kernel_is_the_definition(name, loaded):
    unit, row = get_unit(name).loaded(loaded[0]), loaded[1]
    with np.errstate(all="ignore"):
        expected = np.array(unit.definition(list(row)), np.float32)
    result = unit.kernel(row[None])[0]
    np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
    defined = ~np.isnan(expected)
    np.testing.assert_array_equal(result[defined].view(np.uint32), expected[defined].view(np.uint32))


@pytest.mark.parametrize("name", INTEGER)
@given(data=st.data())
def test_integer_kernel_is_the_definition(name, data):
    lowest, highest = code_range(get_unit(name).input_format)
    codes = st.integers(lowest, highest) | st.integers(-300, 300) | st.just(lowest) | st.just(highest)
    given_parameters, row = data.draw(loaded_rows(codes, np.int32))
    unit = get_unit(name).loaded(given_parameters)
    assert unit.kernel(row[None])[0].tolist() == unit.definition(row.tolist())


@pytest.mark.parametrize("name", [name for name in INTEGER if get_unit(name).input_format == "int16"])
def test_every_code(name):
    """Each int16 code beside 500, with a weight below 0."""
    codes = np.arange(-32768, 32768, dtype=np.int32)
    rows = np.stack([codes, np.full_like(codes, 500)], axis=1)
    unit = get_unit(name).loaded(
        Parameters(weight=np.array([-1.5, 3], np.float32), bias=np.array([0.25, -100], np.float32))
    )
    assert unit.kernel(rows).tolist() == [unit.definition(row) for row in rows.tolist()]


@pytest.mark.parametrize("name", FLOAT)
@pytest.mark.parametrize("length", [1, 2, 64, 65, 384, 1000])
def test_float_error(name, length):
    """Of rows with mean 2 and deviation 3: roundings of the sums (one per value for Welford's) and a dozen others.

    With one pass those of the mean square count, which is larger than the variance.
    """
    rows = (np.random.default_rng(length).standard_normal((20, length)) * 3 + 2).astype(np.float32)
    given_parameters = parameters(length, length)
    assert given_parameters.bias is not None
    expected = reference(name, rows, given_parameters)
    steps = length if name.endswith("welford") else length / 64 + 64
    bound = (16 + steps) * 2.0**-24 * (np.abs(expected - given_parameters.bias) + np.abs(given_parameters.bias) + 2)
    if name.endswith("one_pass"):
        bound = bound * (1 + (np.square(rows.mean(axis=1)) / (rows.var(axis=1) + given_parameters.eps))[:, None])
    if length == 1 and get_unit(name).function != "rms_norm":
        bound = bound + 1e-6 / math.sqrt(given_parameters.eps)  # x - mean is a rounding, beside eps alone
    assert (np.abs(get_unit(name).loaded(given_parameters).apply(rows) - expected) <= bound).all()


def test_one_pass_cancels_where_two_passes_do_not():
    """A mean of 3000 deviations: ``mean**2`` in float32 is uncertain by half of the variance and more."""
    rows = (np.random.default_rng(0).standard_normal((50, 256)) + 3000).astype(np.float32)
    expected = reference("layer_norm_two_pass", rows, Parameters())
    errors = {name: np.abs(get_unit(name).apply(rows) - expected).max() for name in FLOAT if name in LAYER}
    assert errors["layer_norm_two_pass"] < 2e-3
    assert errors["layer_norm_welford"] < 2e-2
    assert errors["layer_norm_one_pass"] > 0.1


@pytest.mark.parametrize("name", DIVIDING)
@pytest.mark.parametrize("length", [2, 64, 384, 1000])
def test_integer_error(name, length):
    """Of deviation 3 and mean 2, weight up to 4: what the codes, the mean, the root and the factor leave.

    A code is wrong by half a step, the rounded mean by half a step, std by 1 of itself and factor by 1 of itself.
    Rows whose root I-ViT's ten iterations do not reach are left out.
    """
    unit = get_unit(name)
    step = unit.input_scale
    given_parameters = parameters(length, length)
    assert given_parameters.weight is not None
    if unit.function == "rms_norm":
        given_parameters = Parameters(weight=given_parameters.weight)
    rows = (np.random.default_rng(length).standard_normal((20, length)) * 3 + 2).astype(np.float32)
    expected = reference(name, rows, given_parameters)
    deviation = rows if unit.function == "rms_norm" else rows - rows.mean(axis=1, keepdims=True)
    root = np.sqrt(np.square(deviation).mean(axis=1, keepdims=True, dtype=np.float64))
    std = root * math.sqrt(length) / step
    shifted = 2.0 ** square_shift(int(np.abs(deviation / step).max()) + 1, length)
    relative = (2 * shifted * (1 + math.sqrt(length)) + math.sqrt(length)) / std + (std + 1) / 2**31
    normal = np.abs(deviation) / root
    bound = (
        np.abs(given_parameters.weight) * (normal * relative + 2 * step / root + 2.0**-20) + unit.output_scale * 1.01
    )
    error = np.abs(unit.loaded(given_parameters).apply(rows) - expected)
    reached = (std > 2**12 if name == "layer_norm_ivit" else std > 0)[:, 0]
    assert reached.any() or length == 2
    assert (error <= bound)[reached].all()
    assert error[reached].max(initial=0) < 0.02  # the bound says something: weights reach 3.5


def test_batch_norm_error():
    """Half a code of the input times the scale, half a code each of product and offset."""
    rows = np.random.default_rng(0).uniform(-10, 10, (200, 32)).astype(np.float32)
    given_parameters = parameters(1, 32)
    assert given_parameters.weight is not None
    assert given_parameters.variance is not None
    scale = np.abs(given_parameters.weight) / np.sqrt(given_parameters.variance)
    error = np.abs(
        get_unit("batch_norm_multiplier_shift").loaded(given_parameters).apply(rows)
        - reference("batch_norm_multiplier_shift", rows, given_parameters)
    )
    assert (error <= (scale / 2 + 1 + 1e-3) * 2.0**-8).all()


def exact(row: list[int], name: str, given: Parameters) -> list[Fraction]:
    """The integer norms step by step in rationals, floors where the papers have them."""
    n = len(row)
    weight, bias = given.scale_and_shift(n)
    middle = math.floor(Fraction(sum(row), n) + Fraction(1, 2)) if name != "rms_norm_integer" else 0
    y = [q - middle for q in row]
    if name == "layer_norm_ivit":
        squares, s = sum(v * v for v in y), Fraction(2**16)
        for _ in range(10):
            s = Fraction(math.floor((s + math.floor(squares / s)) / 2))
        factor = math.floor((2**31 - 1) / s)
    else:
        extra = round(n * given.eps * 2**20) if name == "rms_norm_integer" else 0
        sh = square_shift(max(map(abs, y)), n, extra)
        root = math.isqrt(sum(math.floor(Fraction(v, 2**sh)) ** 2 for v in y) + extra // 4**sh)
        factor = math.floor(Fraction(2**31, max(root * 2**sh, 1)))
    z = [math.floor(Fraction(v * factor, 2)) for v in y]
    results = []
    for v, w, b in zip(z, weight, bias, strict=True):
        m, e = multiplier_and_shift(float(w) * math.sqrt(n) * 2.0**-18)
        code = math.floor(Fraction(v * m, 2**e) + Fraction(1, 2)) if e <= 62 else 0
        results.append(code + (0 if name == "rms_norm_integer" else round(Fraction(float(b)) * 2**12)))
    return [max(-(2**19), min(2**19 - 1, r)) for r in results]


@pytest.mark.parametrize("name", DIVIDING)
@pytest.mark.parametrize("length", [1, 3, 100])
@pytest.mark.parametrize("largest", [1, 40, 3000, None])
def test_integer_norms_in_rationals(name, length, largest):
    lowest, highest = code_range(get_unit(name).input_format)
    low, high = (lowest, highest) if largest is None else (-largest, largest)
    rows = np.random.default_rng(length).integers(low, high, (20, length), endpoint=True).astype(np.int32)
    given_parameters = parameters(length, length)
    result = get_unit(name).loaded(given_parameters).kernel(rows)
    assert result.tolist() == [exact(row, name, given_parameters) for row in rows.tolist()]


@pytest.mark.parametrize("name", DIVIDING)
def test_signals_hold_the_worst_rows(name):
    """Sum of squares below 2**32, quotients within 31 bits and a sign, whatever the shift leaves."""
    unit = get_unit(name)
    lowest, highest = code_range(unit.input_format)
    for length in (1, 2, 3, 100, unit.longest_row):
        for row in (
            [lowest] * length,
            [lowest] + [highest] * (length - 1),
            [lowest, highest] * (length // 2) or [highest],
            [0] * (length - 1) + [1],
            [-1] * (length - 1) + [lowest],
        ):
            middle = 0 if name == "rms_norm_integer" else integer_norm.mean(row)
            y = [q - middle for q in row]
            if name == "layer_norm_ivit":
                assert sum(v * v for v in y) < 2**42
                std = layer_norm_ivit.deviation(sum(v * v for v in y))
                assert max(abs(v * ((2**31 - 1) // std) >> 1) for v in y) < 2**31
            else:
                shift = square_shift(max(map(abs, y)), len(y))
                assert sum((v >> shift) ** 2 for v in y) < 2**32
                assert shift <= 19
                assert max(map(abs, integer_norm.over_root(y))) < 2**31
    with pytest.raises(InputError, match=f"{name} is sized for at most {unit.longest_row}"):
        unit.apply(np.zeros((1, unit.longest_row + 1), np.float32))


def test_ten_iterations_end_at_64():
    """What I-ViT leaves of a row whose root of the sum of squares is 2: a thirty-second of its norm."""
    rows = np.array([[1, -1, 1, -1]], np.float32) * 2.0**-8
    small, exact_root = get_unit("layer_norm_ivit").apply(rows), get_unit("layer_norm_ibert").apply(rows)
    np.testing.assert_allclose(small, rows * 2.0**8 / 32, atol=2.0**-12)
    np.testing.assert_allclose(exact_root, rows * 2.0**8, atol=2.0**-12)


@pytest.mark.parametrize("name", ["rms_norm_integer", "layer_norm_ibert"])
def test_rows_with_one_huge_value(name):
    """As language models have them: the norm of the others stays, to the coarseness of factor and of z in 2**30."""
    rows = (np.random.default_rng(0).standard_normal((10, 576)) * 5).astype(np.float32)
    rows[:, 7] = 24_658
    expected = reference(name, rows, Parameters())
    error = np.abs(get_unit(name).apply(rows) - expected)
    assert (error <= np.abs(expected) * 0.013 + 2.0**-12).all()  # 2**31 / std is 84 and a fraction


def test_weights_beyond_the_multiplier():
    weight = np.array([1, 2.0**60], np.float32)
    with pytest.raises(InputError, match=r"layer_norm_ibert was given a weight that scales codes by .*, must be below"):
        get_unit("layer_norm_ibert").loaded(Parameters(weight=weight)).apply(np.ones((1, 2), np.float32))


def test_zero_weights_leave_the_bias():
    given_parameters = Parameters(weight=np.zeros(8, np.float32), bias=np.full(8, 1.5, np.float32))
    rows = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    for name in NORMS:
        unit = get_unit(name)
        expected = 0 if unit.function == "rms_norm" else 1.5
        assert (unit.loaded(given_parameters).apply(rows) == expected).all(), name
