"""The event model and the closed forms agree, for every dataflow, convention and grouping."""

import numpy as np
import pytest
import systolic
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.arrays import Gemm, Overlap, dataflow_names, schedule
from simhw.arrays.convolution import Convolution
from simhw.arrays.events import Walk, walk
from simhw.errors import InputError
from simhw.pes import Dequantization, Dequantizers

SIZE = st.integers(1, 40)
ARRAY = st.integers(1, 9)


@settings(max_examples=150)
@given(
    m=SIZE,
    n=SIZE,
    k=SIZE,
    batch=st.integers(1, 3),
    rows=ARRAY,
    columns=ARRAY,
    passes=st.integers(1, 3),
    dataflow=st.sampled_from(dataflow_names()),
    overlap=st.sampled_from(Overlap),
    dequantization=st.sampled_from(Dequantization),
    dequantizers=st.sampled_from(Dequantizers) | st.integers(1, 9),
    registers=st.integers(0, 3),
    data=st.data(),
)
def test_events_and_closed_form_agree(
    m, n, k, batch, rows, columns, passes, dataflow, overlap, dequantization, dequantizers, registers, data
):
    group = data.draw(st.none() | st.integers(1, k), label="group")
    if isinstance(dequantizers, int):
        dequantizers = min(dequantizers, columns)
    gemm = Gemm(m=m, n=n, k=k, batch=batch)
    options = {
        "dataflow": dataflow,
        "rows": rows,
        "columns": columns,
        "overlap": overlap,
        "passes": passes,
        "dequantization": dequantization,
        "dequantizers": dequantizers,
        "group_size": group,
        "output_registers": registers,
    }
    found, counted = schedule(gemm, **options), walk(gemm, **options)
    for name in Walk.__dataclass_fields__:
        assert getattr(found, name) == getattr(counted, name), name


def test_a_network_layer():
    gemm = Gemm(m=196, n=256, k=1152)
    for dataflow in dataflow_names():
        options = {"dataflow": dataflow, "rows": 32, "columns": 16, "overlap": Overlap.DOUBLE_BUFFERED}
        assert walk(gemm, **options).cycles == schedule(gemm, **options).cycles


@pytest.mark.parametrize("overlap", Overlap)
@pytest.mark.parametrize("dataflow", dataflow_names())
@pytest.mark.parametrize(
    "kind",
    [
        {"padding": (1, 1)},
        {"stride": (2, 3)},
        {"dilation": (2, 1), "padding": (2, 0)},
        {"groups": 2},
        {"groups": 6, "filters": 6},  # depthwise
        {"groups": 6, "filters": 12, "batch": 3, "stride": (2, 2), "padding": (1, 1)},
    ],
)
def test_convolutions_of_every_kind(kind, dataflow, overlap):
    sizes = {"height": 9, "width": 8, "channels": 6, "filters": 10, "filter_height": 3, "filter_width": 2}
    layer = Convolution(**(sizes | kind))
    options = {"dataflow": dataflow, "rows": 5, "columns": 4, "overlap": overlap}
    found, counted = schedule(layer.gemm, **options), walk(layer.gemm, **options)
    for name in Walk.__dataclass_fields__:
        assert getattr(found, name) == getattr(counted, name), name


@pytest.mark.parametrize("double_buffered", [False, True])
@settings(max_examples=40, deadline=None)
@given(m=st.integers(1, 9), n=st.integers(1, 9), k=st.integers(1, 9), rows=st.integers(1, 5), columns=st.integers(1, 5))
def test_input_stationary_is_the_array_cycle_by_cycle(double_buffered, m, n, k, rows, columns):
    """The array of the weight-stationary dataflow, with activations held and weights streamed."""
    random = np.random.default_rng(m * 10_000 + n * 100 + k)
    a, b = random.integers(-8, 8, (m, k)), random.integers(-8, 8, (k, n))
    count = systolic.weight_stationary(b.T, a.T, rows, columns, double_buffered=double_buffered)
    assert (a @ b == count.product.T).all()
    overlap = Overlap.DOUBLE_BUFFERED if double_buffered else Overlap.PER_FOLD
    found = schedule(Gemm(m=m, n=n, k=k), dataflow="input_stationary", rows=rows, columns=columns, overlap=overlap)
    assert (found.cycles, found.folds) == (count.cycles, count.folds)
    assert (found.sram_weight_reads, found.sram_activation_reads) == (count.activation_reads, count.weight_reads)
    assert (found.sram_output_writes, found.sram_output_reads) == (count.output_writes, count.output_reads)
    assert found.utilization == count.busy / (found.cycles * rows * columns)


def test_the_event_model_takes_one_gemm_of_moderate_size():
    array = {"dataflow": "output_stationary", "rows": 4, "columns": 4}
    with pytest.raises(InputError, match=r"gemm m is array\(\[1, 2\]\), must be an integer of at least 1"):
        walk(Gemm(m=[1, 2], n=1, k=1), **array)
    with pytest.raises(InputError, match="moves more than 68719476736 words"):
        walk(Gemm(m=2**14, n=2**14, k=2**14), **array)
    with pytest.raises(InputError, match="moves more than 68719476736 words"):  # beyond int64, too
        walk(Gemm(m=2**24, n=2**24, k=2**24), **array)
    with pytest.raises(InputError, match="rows is 0, must be an integer of at least 1"):
        walk(Gemm(m=1, n=1, k=1), **{**array, "rows": 0})
    with pytest.raises(InputError, match="columns is -4, must be an integer of at least 1"):
        walk(Gemm(m=1, n=1, k=1), **{**array, "columns": -4})
