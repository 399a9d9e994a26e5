"""Row scales, bias and output rounding in one pass, against NumPy and the codec one step after the other."""

import numpy as np
import pytest

from simhw.formats import get_element_format, round_to
from simhw.gemm.accumulate import Totals
from simhw.gemm.engine import behind_accumulator
from simhw.gemm.operand import Operand
from simhw.gemm.plan import Plan


def operand(rows, scale):
    codes = np.zeros((2, rows, 1), np.uint8)
    return Operand(codes=codes, format="int8", row_scale=scale)


def sums_of(kind):
    rng = np.random.default_rng(3)
    if kind in ("i4", "i8"):
        return rng.integers(-(2**31), 2**31, (2, 7, 150)).astype(kind)
    patterns = rng.integers(0, 1 << 32, (2, 7, 150), dtype=np.uint64).astype(np.uint32).view(np.float32)
    patterns[0, 0, :6] = [0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan]
    patterns[0, 1, :6] = [65504.0, 65519.0, 65520.0, 1e-8, -2.9802322e-8, 3.3895314e38]
    with np.errstate(invalid="ignore"):
        return patterns.astype(kind)


@pytest.mark.parametrize("output", ["fp16", "bf16", "fp32", "e4m3", "tf32", None])
@pytest.mark.parametrize("kind", ["f4", "f8", "i4", "i8"])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_one_pass_equals_the_steps(kind, output, scaled, biased):
    sums = sums_of(kind)
    unit = -3 if kind in ("i4", "i8") else 0
    rng = np.random.default_rng(4)
    row, column = (rng.standard_normal((2, n)).astype(np.float32) if scaled else None for n in (7, 150))
    bias = rng.standard_normal(150).astype(np.float32) if biased else None
    form = None if output is None else get_element_format(output)
    with np.errstate(all="ignore"):
        expected = np.ldexp(sums.astype(np.float32), unit)
        if scaled:
            expected = expected * row[:, :, None] * column[:, None, :]
        if biased:
            expected = expected + bias
        beyond = 0 if form is None else int((np.abs(expected) > np.float32(float(form.max_value))).sum())
        if form is not None:
            expected = round_to(expected, form).astype(np.float32)
    totals = Totals(sums=sums.copy(), unit=unit, plan=Plan(kernel="", why=""))
    got, saturations = behind_accumulator(totals, operand(7, row), operand(150, column), bias, form)
    assert saturations == beyond
    assert (np.isnan(got) == np.isnan(expected)).all()
    numbers = ~np.isnan(expected)
    assert (got[numbers].view(np.uint32) == expected[numbers].view(np.uint32)).all()
    if output == "fp16":
        assert (np.signbit(got) == np.signbit(expected)).all()
