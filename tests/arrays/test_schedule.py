"""Cycles and words of both dataflows: against arrays simulated cycle by cycle, and as properties."""

import numpy as np
import pytest
import systolic
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.arrays import Gemm, Overlap, dataflow_names, schedule
from simhw.errors import InputError
from simhw.pes import Dequantization, Dequantizers

SIZE = st.integers(1, 9)
ARRAY = st.integers(1, 5)
LARGE = st.integers(1, 5000)
OVERLAPS = st.sampled_from(Overlap)
DATAFLOWS = st.sampled_from(dataflow_names())


def _matrices(m, n, k):
    random = np.random.default_rng(m * 10_000 + n * 100 + k)
    return random.integers(-8, 8, (m, k)), random.integers(-8, 8, (k, n))


def _agree(found, count):
    assert found.cycles == count.cycles
    assert found.folds == count.folds
    assert found.sram_activation_reads == count.activation_reads
    assert found.sram_weight_reads == count.weight_reads
    assert found.sram_output_writes == count.output_writes
    assert found.sram_output_reads == count.output_reads
    assert found.utilization == count.busy / (found.cycles * found.rows * found.columns)


@pytest.mark.parametrize(
    ("overlap", "options"),
    [
        (Overlap.NONE, {"shift_out": True}),
        (Overlap.PER_FOLD, {}),
        (Overlap.DOUBLE_BUFFERED, {"double_buffered": True}),
    ],
)
@settings(max_examples=60, deadline=None)
@given(m=SIZE, n=SIZE, k=SIZE, rows=ARRAY, columns=ARRAY)
def test_output_stationary_is_the_array_cycle_by_cycle(overlap, options, m, n, k, rows, columns):
    a, b = _matrices(m, n, k)
    count = systolic.output_stationary(a, b, rows, columns, **options)
    assert (count.product == a @ b).all()
    found = schedule(Gemm(m=m, n=n, k=k), dataflow="output_stationary", rows=rows, columns=columns, overlap=overlap)
    _agree(found, count)


@pytest.mark.parametrize("overlap", [Overlap.NONE, Overlap.PER_FOLD, Overlap.DOUBLE_BUFFERED])
@settings(max_examples=60, deadline=None)
@given(m=SIZE, n=SIZE, k=SIZE, rows=ARRAY, columns=ARRAY)
def test_weight_stationary_is_the_array_cycle_by_cycle(overlap, m, n, k, rows, columns):
    a, b = _matrices(m, n, k)
    double_buffered = overlap is Overlap.DOUBLE_BUFFERED
    count = systolic.weight_stationary(a, b, rows, columns, double_buffered=double_buffered)
    assert (count.product == a @ b).all()
    found = schedule(Gemm(m=m, n=n, k=k), dataflow="weight_stationary", rows=rows, columns=columns, overlap=overlap)
    _agree(found, count)


@settings(max_examples=60, deadline=None)
@given(m=SIZE, n=SIZE, k=SIZE, rows=ARRAY, columns=ARRAY, data=st.data())
def test_dequantizing_after_the_group_stalls_as_the_array_does(m, n, k, rows, columns, data):
    """One dequantizer per column: groups shorter than the column, and a ragged last one, stall."""
    group = data.draw(st.integers(1, k), label="group")
    a, b = _matrices(m, n, k)
    for overlap in (Overlap.PER_FOLD, Overlap.DOUBLE_BUFFERED):
        count = systolic.output_stationary(
            a, b, rows, columns, group=group, double_buffered=overlap is Overlap.DOUBLE_BUFFERED
        )
        assert (count.product == a @ b).all()
        found = schedule(
            Gemm(m=m, n=n, k=k),
            dataflow="output_stationary",
            rows=rows,
            columns=columns,
            overlap=overlap,
            dequantization=Dequantization.AFTER_GROUP,
            group_size=group,
        )
        _agree(found, count)
        if overlap is Overlap.PER_FOLD:
            assert found.dequantize_stall_cycles == count.bubbles


@settings(max_examples=60, deadline=None)
@given(m=SIZE, n=SIZE, k=SIZE, rows=ARRAY, columns=ARRAY, data=st.data())
def test_weight_stationary_folds_do_not_cross_groups(m, n, k, rows, columns, data):
    group = data.draw(st.integers(1, k), label="group")
    a, b = _matrices(m, n, k)
    for overlap in (Overlap.PER_FOLD, Overlap.DOUBLE_BUFFERED):
        count = systolic.weight_stationary(
            a, b, rows, columns, group=group, double_buffered=overlap is Overlap.DOUBLE_BUFFERED
        )
        assert (count.product == a @ b).all()
        found = schedule(
            Gemm(m=m, n=n, k=k),
            dataflow="weight_stationary",
            rows=rows,
            columns=columns,
            overlap=overlap,
            dequantization=Dequantization.AFTER_GROUP,
            group_size=group,
        )
        _agree(found, count)
        assert found.dequantize_stall_cycles == 0


@given(
    m=LARGE,
    n=LARGE,
    k=LARGE,
    batch=st.integers(1, 12),
    rows=st.integers(1, 256),
    columns=st.integers(1, 256),
    passes=st.integers(1, 4),
    dataflow=DATAFLOWS,
    overlap=OVERLAPS,
    dequantization=st.sampled_from(Dequantization),
    data=st.data(),
)
def test_no_array_beats_its_pes(m, n, k, batch, rows, columns, passes, dataflow, overlap, dequantization, data):
    group = data.draw(st.none() | st.integers(1, k), label="group")
    gemm = Gemm(m=m, n=n, k=k, batch=batch)
    found = schedule(
        gemm,
        dataflow=dataflow,
        rows=rows,
        columns=columns,
        overlap=overlap,
        passes=passes,
        dequantization=dequantization,
        group_size=group,
    )
    assert 0 < found.utilization <= 1
    assert found.cycles * rows * columns >= gemm.macs * passes
    assert found.cycles == found.compute_cycles + found.dequantize_stall_cycles
    assert found.dequantize_stall_cycles >= 0
    assert found.sram_activation_reads >= found.dram_activation_words == batch * m * k
    assert found.sram_weight_reads >= found.dram_weight_words == batch * k * n
    assert found.sram_output_writes - found.sram_output_reads == found.dram_output_words == batch * m * n


@given(m=LARGE, n=LARGE, k=LARGE, rows=st.integers(1, 256), columns=st.integers(1, 256), dataflow=DATAFLOWS)
def test_more_overlap_never_takes_longer(m, n, k, rows, columns, dataflow):
    cycles = [
        schedule(Gemm(m=m, n=n, k=k), dataflow=dataflow, rows=rows, columns=columns, overlap=overlap).cycles
        for overlap in (Overlap.NONE, Overlap.PER_FOLD, Overlap.DOUBLE_BUFFERED, Overlap.ONCE)
    ]
    assert cycles == sorted(cycles, reverse=True)


@given(m=SIZE, n=SIZE, k=SIZE, batch=st.integers(1, 4), passes=st.integers(1, 4), dataflow=DATAFLOWS)
def test_passes_stream_k_again(m, n, k, batch, passes, dataflow):
    """A GEMM of two passes takes the cycles of one that is twice as deep."""
    slow = schedule(Gemm(m=m, n=n, k=k, batch=batch), dataflow=dataflow, rows=4, columns=4, passes=passes)
    deep = schedule(Gemm(m=m, n=n, k=k * passes, batch=batch), dataflow=dataflow, rows=4, columns=4)
    assert (slow.cycles, slow.utilization) == (deep.cycles, deep.utilization)
    assert slow.sram_activation_reads == deep.sram_activation_reads
    assert slow.dram_words < deep.dram_words or passes == 1


@pytest.mark.parametrize(
    ("dataflow", "overlap", "cycles"),
    [
        ("output_stationary", Overlap.PER_FOLD, 79_680),
        ("weight_stationary", Overlap.PER_FOLD, 127_872),
        ("weight_stationary", Overlap.DOUBLE_BUFFERED, 73_822),
    ],
)
def test_published_cycles_of_one_gemm(dataflow, overlap, cycles):
    """128 x 768 x 768 on 32 x 32: SCALE-Sim's two, and double-buffered weights."""
    gemm = Gemm(m=128, n=768, k=768)
    assert schedule(gemm, dataflow=dataflow, rows=32, columns=32, overlap=overlap).cycles == cycles


def test_short_groups_stall_one_dequantizer_per_column_only():
    gemm = Gemm(m=32, n=32, k=64)
    common = {"dataflow": "output_stationary", "rows": 32, "columns": 32, "group_size": 16}
    plain = schedule(gemm, **common)
    stalled = schedule(gemm, dequantization=Dequantization.AFTER_GROUP, **common)
    blocks = schedule(gemm, dequantization=Dequantization.AFTER_GROUP, dequantizers=Dequantizers.PER_BLOCK, **common)
    assert stalled.dequantize_stall_cycles == 3 * (32 - 16)
    assert (plain.cycles, blocks.cycles) == (64 + 62, 64 + 62)
    assert stalled.cycles == 64 + 62 + 48


def test_the_summation_order_follows_the_dataflow():
    gemm = Gemm(m=4, n=4, k=12)
    assert schedule(gemm, dataflow="output_stationary", rows=5, columns=4).summation_chunk is None
    assert schedule(gemm, dataflow="weight_stationary", rows=5, columns=4).summation_chunk == 5
    assert schedule(gemm, dataflow="weight_stationary", rows=12, columns=4).summation_chunk is None


@pytest.mark.parametrize(("name", "value"), [("m", 0), ("n", -3), ("k", 2.5), ("batch", True), ("m", "8")])
def test_sizes_must_be_positive_integers(name, value):
    sizes = {"m": 4, "n": 4, "k": 4, name: value}
    with pytest.raises(InputError, match=f"gemm {name} is {value!r}, must be an integer of at least 1"):
        Gemm(**sizes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "rows is 0, must be an integer of at least 1"),
        ({"columns": -1}, "columns is -1, must be an integer of at least 1"),
        ({"passes": 0}, "passes is 0, must be an integer of at least 1"),
        ({"output_registers": -1}, "output_registers is -1, must be an integer of at least 0"),
        ({"output_registers": True}, "output_registers is True, must be an integer of at least 0"),
        ({"group_size": 0}, "group size is 0, must be an integer of at least 1"),
        ({"group_size": 9}, r"group size is 9, must be 1\.\.8, the length of k"),
        ({"dataflow": "output"}, "dataflow is 'output', which is not known; nearest: output_stationary"),
        ({"overlap": "per_fold"}, r"overlap is 'per_fold', must be one of Overlap.NONE, Overlap.PER_FOLD"),
        ({"dequantization": "none"}, r"dequantization is 'none', must be one of Dequantization.NONE"),
    ],
)
def test_impossible_arrays_are_refused(options, message):
    arguments = {"dataflow": "output_stationary", "rows": 4, "columns": 4, **options}
    with pytest.raises(InputError, match=message):
        schedule(Gemm(m=8, n=8, k=8), **arguments)


def test_counts_beyond_int64_are_refused():
    huge = Gemm(m=2**24, n=2**24, k=2**24)
    with pytest.raises(InputError, match=r"end at 2\*\*63 - 1; split the GEMM"):
        schedule(huge, dataflow="output_stationary", rows=4, columns=4)


@given(m=SIZE, n=SIZE, k=SIZE, registers=st.integers(0, 4), dataflow=DATAFLOWS, overlap=OVERLAPS)
def test_output_registers_are_passed_once_or_in_every_fold(m, n, k, registers, dataflow, overlap):
    """They delay results; folds wait for them only where nothing overlaps."""
    common = {"dataflow": dataflow, "rows": 3, "columns": 2, "overlap": overlap}
    plain, delayed = (schedule(Gemm(m=m, n=n, k=k), output_registers=count, **common) for count in (0, registers))
    times = plain.folds if overlap is Overlap.NONE else 1
    assert delayed.cycles == plain.cycles + times * registers
    assert delayed.cycles_per_fold == plain.cycles_per_fold + registers
