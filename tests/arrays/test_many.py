"""Schedules of many GEMMs and arrays at once: equal to one at a time, and never wrapped."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simhw
from simhw.arrays import Gemm, Overlap, Schedule, dataflow_names, schedule
from simhw.errors import InputError
from simhw.pes import Dequantization, Dequantizers

SIZE = st.integers(1, 3000)
COUNTS = [field.name for field in fields(Schedule) if field.type in ("int", "float")]


@given(
    layers=st.lists(st.tuples(SIZE, SIZE, SIZE, st.integers(1, 4)), min_size=1, max_size=4),
    arrays=st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), min_size=1, max_size=3),
    passes=st.integers(1, 3),
    dataflow=st.sampled_from(dataflow_names()),
    overlap=st.sampled_from(Overlap),
    dequantization=st.sampled_from(Dequantization),
    dequantizers=st.sampled_from(Dequantizers) | st.integers(1, 200),
    lanes=st.integers(1, 4),
    registers=st.integers(0, 3),
    data=st.data(),
)
def test_many_are_each_of_them(
    layers, arrays, passes, dataflow, overlap, dequantization, dequantizers, lanes, registers, data
):
    if isinstance(dequantizers, int):
        dequantizers = min(dequantizers, *(c for _, c in arrays))
    group = data.draw(st.none() | st.integers(1, min(k for _, _, k, _ in layers)), label="group")
    m, n, k, batch = (np.array(column)[:, None] for column in zip(*layers, strict=True))
    rows, columns = (np.array(column) for column in zip(*arrays, strict=True))
    options = {
        "dataflow": dataflow,
        "overlap": overlap,
        "passes": passes,
        "dequantization": dequantization,
        "dequantizers": dequantizers,
        "lanes": lanes,
        "output_registers": registers,
        "group_size": group,
    }
    many = schedule(Gemm(m=m, n=n, k=k, batch=batch), rows=rows, columns=columns, **options)
    for i, sizes in enumerate(layers):
        one_gemm = Gemm(**dict(zip(("m", "n", "k", "batch"), sizes, strict=True)))
        for j, (r, c) in enumerate(arrays):
            one = schedule(one_gemm, rows=r, columns=c, **options)
            for name in COUNTS:
                value = getattr(many, name)
                assert value.shape == (len(layers), len(arrays))
                assert value[i, j] == getattr(one, name), name
            chunk = None if many.summation_chunk is None else many.summation_chunk[i, j]
            assert chunk == (one.summation_chunk or (None if chunk is None else one_gemm.k))


def test_the_public_door_takes_arrays():
    found = simhw.schedule(
        simhw.Gemm(m=np.array([128, 1], np.int32), n=768, k=768), dataflow="output_stationary", rows=32, columns=32
    )
    assert found.cycles.tolist() == [79_680, 19_920]
    assert found.cycles.dtype == np.int64


def test_numpy_scalars_are_sizes():
    assert Gemm(m=np.int32(3), n=2, k=1) == Gemm(m=3, n=2, k=1)


@given(
    m=st.integers(1, 2**22),
    n=st.integers(1, 2**22),
    k=st.integers(1, 2**22),
    dataflow=st.sampled_from(dataflow_names()),
    overlap=st.sampled_from(Overlap),
    where=st.sampled_from(Dequantization),
    count=st.sampled_from([Dequantizers.PER_COLUMN, 4, 1]),
)
def test_counts_beyond_int64_are_refused_not_wrapped(m, n, k, dataflow, overlap, where, count):
    """Arrays of sizes give what Python's integers give, or the same refusal."""
    options = {"dataflow": dataflow, "rows": 4, "columns": 4, "overlap": overlap}
    options |= {"dequantization": where, "dequantizers": count, "group_size": None if k < 8 else 8}
    refusal = _refusal(Gemm(m=m, n=n, k=k), options)
    assert _refusal(Gemm(m=[1, m], n=n, k=k), options) == refusal
    if refusal is None:
        one, many = (schedule(Gemm(m=sizes, n=n, k=k), **options) for sizes in (m, [1, m]))
        assert all(getattr(many, name)[1] == getattr(one, name) for name in COUNTS if name != "utilization")
        # beyond 2**53 Python divides exact integers, NumPy rounds them first
        assert many.utilization[1] == pytest.approx(one.utilization, rel=1e-15)


def _refusal(gemm, options):
    try:
        schedule(gemm, **options)
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"m": [4, 0]}, "gemm m is 0, must be an integer of at least 1"),
        ({"n": np.array([3, -1])}, "gemm n is -1, must be an integer of at least 1"),
        ({"k": np.array([2.0])}, "gemm k is an array of 1 x float64, must hold integers of at least 1"),
        ({"k": np.array([], dtype=int)}, "gemm k is an array of 0 x int64"),
        ({"batch": [2**64]}, "gemm batch is an array of 1 x object"),
        ({"m": np.array([2**63], np.uint64)}, r"gemm m is 9223372036854775808, must be below 2\*\*63"),
        ({"m": [1, 2], "n": [1, 2, 3]}, r"shapes m \(2,\), n \(3,\), k \(\), batch \(\), which do not broadcast"),
    ],
)
def test_impossible_sizes_are_refused(sizes, message):
    with pytest.raises(InputError, match=message):
        Gemm(**{"m": 4, "n": 4, "k": 4, **sizes})


def test_impossible_arrays_are_refused():
    gemm = Gemm(m=[4, 8], n=4, k=4)
    with pytest.raises(InputError, match="rows is 0, must be an integer of at least 1"):
        schedule(gemm, dataflow="output_stationary", rows=[4, 0], columns=4)
    with pytest.raises(InputError, match=r"rows \(3,\), columns \(\), passes \(\).* do not broadcast"):
        schedule(gemm, dataflow="output_stationary", rows=[1, 2, 3], columns=4)
    with pytest.raises(InputError, match=r"group size is 5, must be 1\.\.4, the length of k"):
        schedule(gemm, dataflow="output_stationary", rows=4, columns=4, group_size=5)
