"""Layers, arrays and memories that several tests of memories draw."""

from hypothesis import strategies as st

from simhw.arrays import Gemm, Overlap, dataflow_names
from simhw.arrays.convolution import Convolution
from simhw.errors import InputError
from simhw.layer_plan import ArraySettings, plan_layer
from simhw.memory import Dram, Memory, Precision, Sram
from simhw.pes import Dequantization, Dequantizers

SIZE = st.integers(1, 200)
WIDTHS = st.sampled_from([1.0, 8.0, 31.5, 256.0])
KIB = (64, 16, 4, 2, 1)


@st.composite
def arrays(draw):
    columns = draw(st.integers(1, 32))
    dequantizers = draw(st.sampled_from(Dequantizers) | st.integers(1, columns))
    return ArraySettings(
        dataflow=draw(st.sampled_from(dataflow_names())),
        rows=draw(st.integers(1, 32)),
        columns=columns,
        overlap=draw(st.sampled_from(Overlap)),
        passes=draw(st.integers(1, 2)),
        lanes=draw(st.sampled_from([1, 1, 2, 16])),
        activation_stays=draw(st.booleans()),
        dequantization=draw(st.sampled_from(Dequantization)),
        dequantizers=dequantizers,
        group_size=draw(st.sampled_from([None, 8, 13, 64])),
    )


@st.composite
def precisions(draw):
    group = draw(st.sampled_from([None, 8, 32]))
    scale = 16 if group else 0
    return Precision(
        activation_bits=draw(st.sampled_from([4, 8, 16])),
        weight_bits=draw(st.sampled_from([4, 8])),
        group_size=group,
        scale_bits=scale,
        zero_point_bits=draw(st.sampled_from([0, 4])) if group else 0,
        activation_scale_bits=scale // 2,
    )


GEMMS = st.builds(Gemm, m=SIZE, n=SIZE, k=SIZE, batch=st.integers(1, 3))
ATTENTION = st.builds(Gemm, m=SIZE, n=SIZE, k=st.sampled_from([32, 64, 128]), batch=st.sampled_from([8, 12, 32]))


@st.composite
def convolutions(draw):
    groups, taps = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    pair = st.tuples(st.integers(1, 2), st.integers(1, 2))
    per_group = draw(st.integers(1, 5))  # 1: depthwise
    return Convolution(
        height=draw(st.integers(5, 20)),
        width=draw(st.integers(5, 20)),
        channels=groups * per_group,
        filters=groups * draw(st.integers(1, 20)),
        filter_height=taps,
        filter_width=draw(st.integers(1, 3)),
        stride=draw(pair),
        dilation=draw(pair),
        padding=draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        groups=groups,
        batch=draw(st.integers(1, 3)),
    )


LAYERS = GEMMS | ATTENTION | convolutions()


def memory(kib, width=None, latency=0):
    return Memory(
        activation=Sram(kib=kib),
        weight=Sram(kib=kib),
        output=Sram(kib=kib),
        dram=Dram(bits_per_cycle=width, latency_cycles=latency),
    )


def plan(gemm, array, precision, memory):
    try:
        return plan_layer(gemm, array, precision, memory)
    except InputError as error:
        if "buffer" not in str(error):
            raise
        return None
