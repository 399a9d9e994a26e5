"""The search: its bounds, its properties, and brute force on small layers."""

from dataclasses import replace

import numpy as np
import pytest
from drawn import GEMMS, KIB, LAYERS, WIDTHS, arrays, precisions
from drawn import memory as _memory
from drawn import plan as _plan
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simhw.arrays import Gemm, dataflow_names
from simhw.arrays.convolution import Convolution
from simhw.errors import InputError
from simhw.layer_plan import ArraySettings, plan_layer
from simhw.memory import Dram, Memory, Precision, Sram, traffic_bits
from simhw.pes import Dequantization


def _compulsory_bits(layer, precision):
    """Each pixel or activation once, each weight, scale and zero point once, each output once."""
    gemm = layer.gemm if isinstance(layer, Convolution) else layer
    group = precision.group_size
    groups = -(-gemm.k // group) if group else 0
    return gemm.batch * (
        gemm.m * (gemm.k * precision.activation_bits * (layer is gemm) + groups * precision.activation_scale_bits)
        + gemm.n * (gemm.k * precision.weight_bits + groups * (precision.scale_bits + precision.zero_point_bits))
        + gemm.m * gemm.n * precision.output_bits
    ) + (0 if layer is gemm else layer.input_words * precision.activation_bits)


@pytest.mark.parametrize("dataflow", dataflow_names())
@settings(max_examples=60)
@given(layer=LAYERS, array=arrays(), precision=precisions(), kib=st.sampled_from(KIB), width=WIDTHS)
def test_no_plan_beats_compute_or_bandwidth(dataflow, layer, array, precision, kib, width):
    plan = _plan(layer, replace(array, dataflow=dataflow), precision, _memory(kib, width))
    assume(plan is not None)
    gemm, tiling = plan.gemm, plan.tiling
    assert tiling.dram_bits >= _compulsory_bits(layer, precision)
    assert plan.total_cycles >= max(plan.schedule.cycles, tiling.compute_cycles, tiling.dram_bits / width)
    assert plan.stall_cycles >= 0
    assert 0 < plan.utilization <= 1
    pixels = gemm.batch * gemm.m * gemm.k if layer is gemm else layer.input_words
    words = np.array([pixels, gemm.batch * gemm.n * gemm.k, gemm.batch * gemm.m * gemm.n])
    assert (np.array([tiling.activation_words, tiling.weight_words, tiling.output_words]) >= words).all()
    assert tiling.output_words == words[2]
    assert tiling.partial_read_words == tiling.partial_write_words
    assert sum(traffic_bits(tiling, precision).values()) == tiling.dram_bits


@pytest.mark.parametrize("dataflow", dataflow_names())
@settings(max_examples=40)
@given(layer=LAYERS, array=arrays(), precision=precisions(), width=WIDTHS, latency=st.integers(0, 5))
def test_less_memory_never_helps(dataflow, layer, array, precision, width, latency):
    before = 0
    for kib in KIB:
        plan = _plan(layer, replace(array, dataflow=dataflow), precision, _memory(kib, width, latency))
        if plan is None:
            break
        assert plan.total_cycles >= before
        before = plan.total_cycles


@pytest.mark.parametrize("dataflow", dataflow_names())
@settings(max_examples=40)
@given(layer=LAYERS, array=arrays(), precision=precisions(), kib=st.sampled_from(KIB))
def test_less_bandwidth_never_helps(dataflow, layer, array, precision, kib):
    before = 0
    for width in (None, 300.0, 64.0, 17.0, 2.0):
        plan = _plan(layer, replace(array, dataflow=dataflow), precision, _memory(kib, width))
        assume(plan is not None)
        assert plan.total_cycles >= before
        before = plan.total_cycles


@settings(max_examples=60)
@given(gemm=GEMMS, array=arrays(), precision=precisions(), width=WIDTHS)
def test_latency_never_helps(gemm, array, precision, width):
    plans = [_plan(gemm, array, precision, _memory(16, width, latency)) for latency in (0, 3, 100)]
    assume(all(plan is not None for plan in plans))
    cycles = [plan.total_cycles for plan in plans]
    assert cycles == sorted(cycles)
    assert cycles[2] >= cycles[0] + 2 * 97


@settings(max_examples=60)
@given(gemm=GEMMS, array=arrays())
def test_unlimited_bandwidth_costs_nothing(gemm, array):
    """The stream may be cut at no cost, so that buffers of one fold are enough, however long the stream."""
    assume(array.dequantization is Dequantization.NONE)
    assume(array.rows % array.passes == 0)
    plan = plan_layer(gemm, array, Precision(), _memory(8))
    assert plan.stall_cycles == 0


def test_all_that_fits_is_moved_once():
    gemm = Gemm(m=64, n=64, k=64)
    plan = plan_layer(gemm, ArraySettings(), Precision(), _memory(64, 64.0))
    assert plan.tiling.dram_bits == _compulsory_bits(gemm, Precision())
    assert plan.tiling.partial_read_bits == 0


def test_by_hand():
    """One fold of 4 x 4 x 8 on 4 x 4 PEs at 8 bits per cycle: load 64 words, 14 cycles, store 16 words."""
    plan = plan_layer(Gemm(m=4, n=4, k=8), ArraySettings(rows=4, columns=4), Precision(), _memory(1, 8.0))
    assert plan.schedule.compute_cycles == 8 + 4 + 4 - 2
    assert plan.total_cycles <= 64 + 14 + 16
    assert plan.total_cycles >= 64 + 16
    # in pieces of one k: the first one arrives in 8 cycles, every further one hides the array's work on it
    assert (plan.tiling.tile[2], plan.total_cycles) == (1, 8 + 7 * 8 + (14 - 7) + 16)


def test_precision_counts_in_capacity_and_traffic():
    """Weights of half the width halve their traffic; scales come on top."""
    gemm, array = Gemm(m=8, n=64, k=128), ArraySettings()
    bits = [
        plan_layer(gemm, array, precision, _memory(64)).tiling.weight_bits
        for precision in (
            Precision(weight_bits=8),
            Precision(weight_bits=4),
            Precision(weight_bits=4, group_size=32, scale_bits=16, zero_point_bits=4),
        )
    ]
    assert bits == [8 * 64 * 128, 4 * 64 * 128, 4 * 64 * 128 + 64 * 4 * 20]


def test_wide_partial_sums_need_more_of_the_output_buffer():
    gemm = Gemm(m=4096, n=32, k=64)
    array = ArraySettings(dataflow="weight_stationary")
    wide = plan_layer(gemm, array, Precision(accumulator_bits=32), _memory(16, 64.0))
    narrow = plan_layer(gemm, array, Precision(accumulator_bits=16), _memory(16, 64.0))
    assert narrow.total_cycles < wide.total_cycles


def test_a_narrow_buffer_slows_the_array():
    gemm, memory = Gemm(m=64, n=64, k=64), _memory(64)
    slow = replace(memory, activation=Sram(kib=64, banks=2, ports=1, width_bits=64))  # 128 of 256 bits per cycle
    wide = replace(memory, activation=Sram(kib=64, banks=4, ports=1, width_bits=64))
    found = [plan_layer(gemm, ArraySettings(), Precision(), m).total_cycles for m in (memory, wide, slow)]
    assert found == [found[0], found[0], 2 * found[0]]


def test_pixels_come_once_where_windows_overlap():
    """3 x 3 windows read each pixel nine times into the array and once from DRAM."""
    layer = Convolution(height=16, width=16, channels=8, filters=8, filter_height=3, filter_width=3, padding=(1, 1))
    plan = plan_layer(layer, ArraySettings(), Precision(), _memory(64))
    assert plan.schedule.dram_activation_words == 256 * 72
    assert plan.tiling.activation_words == 256 * 8 == layer.input_words


@settings(max_examples=40)
@given(
    height=st.integers(3, 20),
    stride=st.integers(1, 3),
    images=st.integers(1, 3),
    kib=st.sampled_from(KIB),
    dataflow=st.sampled_from(dataflow_names()),
)
def test_convolutions_never_move_less_than_their_pixels(height, stride, images, kib, dataflow):
    layer = Convolution(
        height=height,
        width=11,
        channels=4,
        filters=20,
        filter_height=3,
        filter_width=3,
        stride=(stride, stride),
        padding=(1, 1),
        batch=images,
    )
    plan = _plan(layer, ArraySettings(dataflow=dataflow, rows=8, columns=8), Precision(), _memory(kib, 16.0))
    assume(plan is not None)
    assert plan.tiling.activation_words >= layer.input_words
    assert plan.total_cycles >= plan.tiling.dram_bits / 16


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Sram(kib=0), "SRAM kib is 0, must be an integer of at least 1"),
        (lambda: Sram(kib=1, banks=-2), "SRAM banks is -2, must be an integer of at least 1"),
        (lambda: Sram(kib=1, width_bits=1.5), "SRAM width_bits is 1.5, must be an integer"),
        (lambda: Dram(bits_per_cycle=0), "DRAM bandwidth is 0 bits per cycle, must be greater than 0"),
        (lambda: Dram(bits_per_cycle=float("nan")), "DRAM bandwidth is nan bits per cycle"),
        (lambda: Dram(latency_cycles=-1), "DRAM latency is -1 cycles, must be an integer of at least 0"),
        (lambda: Precision(weight_bits=0), "weight_bits is 0, must be an integer of at least 1"),
        (lambda: Precision(scale_bits=16), "scale_bits is 16, but no group size was given"),
        (lambda: Precision(zero_point_bits=-1), "zero_point_bits is -1, must be an integer of at least 0"),
    ],
)
def test_impossible_memories_are_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()


@pytest.mark.parametrize(
    ("dataflow", "buffer", "name"),
    [
        ("output_stationary", "output", "output"),
        ("weight_stationary", "weight", "weight"),
        ("input_stationary", "activation", "activation"),
    ],
)
def test_a_buffer_that_holds_no_tile_is_refused(dataflow, buffer, name):
    memory = replace(_memory(256), **{buffer: Sram(kib=1)})
    message = f"the {name} buffer has 1 KiB, which does not hold two of the smallest tiles of this array"
    with pytest.raises(InputError, match=message):
        plan_layer(
            Gemm(m=512, n=512, k=512), ArraySettings(dataflow=dataflow, rows=64, columns=64), Precision(), memory
        )


def test_counts_beyond_int64_are_refused():
    gemm = Gemm(m=2**20, n=2**20, k=2**18)
    with pytest.raises(InputError, match=r"counts end at 2\*\*62; split the GEMM"):
        plan_layer(gemm, ArraySettings(), Precision(), Memory())


@pytest.mark.parametrize(
    ("gemm", "dram"),
    [
        (Gemm(m=2**17, n=2**17, k=2**18), Dram(bits_per_cycle=1e-6)),
        (Gemm(m=64, n=64, k=64), Dram(bits_per_cycle=1e-15)),
        (Gemm(m=64, n=64, k=64), Dram(latency_cycles=2**62)),
        (Gemm(m=64, n=64, k=64), Dram(latency_cycles=2**80)),
    ],
)
@pytest.mark.parametrize("dataflow", dataflow_names())
def test_cycles_of_a_slow_dram_beyond_int64_are_refused(gemm, dram, dataflow):
    with pytest.raises(InputError, match=r"more than 2\*\*62 cycles|counts end at 2\*\*63"):
        plan_layer(gemm, ArraySettings(dataflow=dataflow), Precision(), Memory(dram=dram))


def test_equal_layers_are_planned_once():
    plan_layer.cache_clear()
    plans = [plan_layer(Gemm(m=9, n=9, k=9), ArraySettings(), Precision(), Memory()) for _ in range(3)]
    assert plans[0] is plans[1] is plans[2]
    assert plan_layer.cache_info().misses == 1
