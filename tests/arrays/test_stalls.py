"""Shared dequantizers: what must hold for every machine (tests/arrays/test_events.py walks them cycle by cycle)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.arrays import Gemm, Overlap, dataflow_names, schedule
from simhw.arrays.events import walk
from simhw.errors import InputError
from simhw.pes import Dequantization, Dequantizers

SIZE = st.integers(1, 400)
SETTINGS = {
    "dataflow": st.sampled_from(dataflow_names()),
    "overlap": st.sampled_from(Overlap),
    "dequantization": st.sampled_from(Dequantization),
    "passes": st.integers(1, 3),
    "rows": st.integers(1, 40),
}


@given(
    m=SIZE,
    n=SIZE,
    k=SIZE,
    columns=st.integers(1, 40),
    settings=st.fixed_dictionaries(SETTINGS),
    data=st.data(),
)
def test_fewer_dequantizers_never_help(m, n, k, columns, settings, data):
    options = {"columns": columns, "group_size": data.draw(st.none() | st.integers(1, k)), **settings}
    gemm = Gemm(m=m, n=n, k=k)
    own = schedule(gemm, dequantizers=Dequantizers.PER_BLOCK, **options)
    each = schedule(gemm, dequantizers=Dequantizers.PER_COLUMN, **options)
    stalls = [own.dequantize_stall_cycles, each.dequantize_stall_cycles]
    for count in sorted({columns, -(-columns // 2), 1}, reverse=True):
        shared = schedule(gemm, dequantizers=count, **options)
        assert shared.compute_cycles == each.compute_cycles
        stalls.append(shared.dequantize_stall_cycles)
    assert stalls == sorted(stalls)
    assert stalls[0] == 0
    if settings["dequantization"] not in (Dequantization.BEFORE_MULTIPLY, Dequantization.AFTER_GROUP):
        assert stalls[-1] == 0  # in the PE and on finished outputs nothing is shared


@pytest.mark.parametrize("dataflow", dataflow_names())
@pytest.mark.parametrize("where", [Dequantization.BEFORE_MULTIPLY, Dequantization.AFTER_GROUP])
def test_a_dequantizer_takes_one_value_per_cycle(dataflow, where):
    """One dequantizer for the array cannot be faster than the values that meet it, one each cycle."""
    gemm = Gemm(m=24, n=24, k=32)
    found = schedule(
        gemm,
        dataflow=dataflow,
        rows=8,
        columns=8,
        dequantization=where,
        dequantizers=1,
        group_size=8,
        overlap=Overlap.DOUBLE_BUFFERED,
    )
    values = gemm.k * gemm.n * found.weight_streams if where is Dequantization.BEFORE_MULTIPLY else gemm.m * gemm.n * 4
    assert found.cycles >= values


def test_by_hand():
    """4 x 4 PEs, 2 dequantizers: a group of 4 leaves 4 sums per column, 8 per dequantizer, in 8 cycles instead of 4."""
    options = {"dataflow": "output_stationary", "rows": 4, "columns": 4, "dequantization": Dequantization.AFTER_GROUP}
    found = schedule(Gemm(m=4, n=4, k=16), group_size=4, dequantizers=2, **options)
    # three groups follow another one and wait 4 cycles each; the last sums leave 3 cycles after the array is done
    assert (found.compute_cycles, found.dequantize_stall_cycles) == (16 + 6, 3 * 4 + 3)


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, "dequantizers is 0, must be one of Dequantizers.PER_COLUMN, Dequantizers.PER_BLOCK or an integer"),
        (True, "dequantizers is True, must be one of"),
        ("per_column", "dequantizers is 'per_column', must be one of"),
        (5, r"dequantizers is 5, must be 1\.\.4, at most one for each column"),
    ],
)
def test_impossible_numbers_are_refused(count, message):
    options = {"dataflow": "output_stationary", "rows": 4, "columns": 4, "dequantizers": count}
    for model in (schedule, walk):
        with pytest.raises(InputError, match=message):
            model(Gemm(m=8, n=8, k=8), **options)
