"""Arrays whose products take the cycles of their weights: counted fold by fold, without a closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.arrays import Gemm, dataflow_names, schedule
from simhw.arrays.base import Overlap
from simhw.arrays.serial import schedule_serial
from simhw.errors import InputError
from simhw.pes import Dequantization

SIZE = st.integers(1, 12)


def _cycles(seed, batch, n, k):
    return np.random.default_rng(seed).integers(1, 5, (batch, n, k)).astype(np.uint8)


@given(m=SIZE, n=SIZE, k=SIZE, batch=st.integers(1, 3), rows=st.integers(1, 5), columns=st.integers(1, 5), seed=SIZE)
def test_output_stationary_is_counted_step_by_step(m, n, k, batch, rows, columns, seed):
    weights = _cycles(seed, batch, n, k)
    total = 0
    for one in weights:
        for _ in range(0, m, rows):
            for left in range(0, n, columns):
                total += sum(max(int(c) for c in one[left : left + columns, at]) for at in range(k))
                total += rows + columns - 2
    found = schedule_serial(
        Gemm(m=m, n=n, k=k, batch=batch), weights, dataflow="output_stationary", rows=rows, columns=columns
    )
    assert found.cycles == total
    assert found.utilization == pytest.approx(m * int(weights.sum()) / (total * rows * columns))
    assert found.sram_activation_reads == batch * m * k * -(-n // columns)


@given(m=SIZE, n=SIZE, k=SIZE, rows=st.integers(1, 5), columns=st.integers(1, 5), seed=SIZE)
def test_weight_stationary_terms_occupy_rows(m, n, k, rows, columns, seed):
    weights = _cycles(seed, 1, n, k)
    total = writes = 0
    for left in range(0, n, columns):
        width = min(columns, n - left)
        filled = sum(int(weights[0, left : left + width, at].max()) for at in range(k))
        pieces = -(-filled // rows)
        total += pieces * (m + 2 * rows + columns - 2)
        writes += pieces * m * width
    found = schedule_serial(Gemm(m=m, n=n, k=k), weights, dataflow="weight_stationary", rows=rows, columns=columns)
    assert (found.cycles, found.sram_output_writes) == (total, writes)


@given(
    m=SIZE,
    n=SIZE,
    k=SIZE,
    batch=st.integers(1, 3),
    each=st.integers(1, 4),
    dataflow=st.sampled_from(dataflow_names()),
    overlap=st.sampled_from(list(Overlap)),
)
def test_equal_weights_are_passes(m, n, k, batch, each, dataflow, overlap):
    settings = {"dataflow": dataflow, "rows": 4, "columns": 3, "overlap": overlap}
    gemm = Gemm(m=m, n=n, k=k, batch=batch)
    serial = schedule_serial(gemm, np.full((batch, n, k), each, np.uint8), **settings)
    uniform = schedule(gemm, passes=each, activation_stays=True, **settings)
    assert serial == uniform


def test_slow_weights_in_one_column_cost_less_than_spread_out():
    gathered, spread = np.ones((2, 1, 4, 4), np.uint8)
    gathered[0, 0, :] = 4
    spread[0, range(4), range(4)] = 4
    gathered = gathered[:, [0, 1, 2, 3]]
    settings = {"dataflow": "output_stationary", "rows": 2, "columns": 2}
    gemm = Gemm(m=2, n=4, k=4)
    assert schedule_serial(gemm, gathered, **settings).cycles == (16 + 2) + (4 + 2)
    assert schedule_serial(gemm, spread, **settings).cycles == (10 + 2) + (10 + 2)


@pytest.mark.parametrize(
    ("shape", "where", "message"),
    [
        ((1, 2, 3), Dequantization.NONE, r"weight_cycles have shape \(1, 2, 3\), must be \(1, 3, 2\) as the weights"),
        ((1, 3, 2), Dequantization.AFTER_GROUP, "were given groups of k, they have none; dequantize after"),
    ],
)
def test_what_serial_weights_have_not_is_refused(shape, where, message):
    with pytest.raises(InputError, match=message):
        schedule_serial(
            Gemm(m=1, n=3, k=2),
            np.ones(shape, np.uint8),
            dataflow="output_stationary",
            rows=1,
            columns=1,
            dequantization=where,
        )
