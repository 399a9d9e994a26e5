"""The vector unit: a pipeline of two stages walked chunk by chunk, and what must hold for every machine."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.arrays import VectorOverlap, VectorUnit
from simhw.costs import REQUANTIZATION, VectorWork, load_table
from simhw.errors import InputError
from simhw.graph.ops import operators

SOFTMAX = VectorWork(adds=10, multiplies=8, passes=3)
ELEMENTS = st.integers(1, 10**6)
LANES = st.integers(1, 256)


def _two_stages(array, vector, chunks):
    """The array makes one chunk after the other; the unit takes each when it is made and it is free."""
    made = free = 0
    for _ in range(chunks):
        made += array
        free = max(made, free) + vector
    return free


@given(array=st.integers(1, 50), vector=st.integers(1, 50), chunks=st.integers(1, 30), lanes=st.integers(1, 9))
def test_equal_chunks_are_a_pipeline_of_two_stages(array, vector, chunks, lanes):
    unit = VectorUnit(lanes=lanes, overlap=VectorOverlap.PIPELINED)
    elements, cycles = vector * chunks * lanes, array * chunks
    exposed = unit.exposed_cycles(elements, VectorWork(), array_cycles=cycles, chunks=chunks)
    assert cycles + exposed == _two_stages(array, vector, chunks)


@given(elements=ELEMENTS, array=ELEMENTS, chunks=ELEMENTS, lanes=LANES, passes=st.integers(1, 3))
def test_overlap_hides_and_never_adds(elements, array, chunks, lanes, passes):
    work = VectorWork(adds=1, passes=passes)
    alone = VectorUnit(lanes=lanes)
    beside = VectorUnit(lanes=lanes, overlap=VectorOverlap.PIPELINED)
    own = alone.cycles(elements, work)
    assert own == beside.cycles(elements, work) == math.ceil(elements * passes / lanes)
    assert alone.exposed_cycles(elements, work, array_cycles=array, chunks=chunks) == own
    exposed = beside.exposed_cycles(elements, work, array_cycles=array, chunks=chunks)
    assert max(own, array) < array + exposed <= own + array
    more = beside.exposed_cycles(elements, work, array_cycles=array, chunks=chunks + 1)
    assert more <= exposed
    assert beside.exposed_cycles(elements, work, array_cycles=array) == own


def test_lanes_of_few_operations_take_more_cycles():
    narrow = VectorUnit(lanes=4, operations_per_lane=2)
    assert narrow.cycles_per_element(SOFTMAX) == 9  # 18 operations
    assert narrow.cycles(100, SOFTMAX) == 225
    assert VectorUnit(lanes=4, operations_per_lane=100).cycles(100, SOFTMAX) == VectorUnit(lanes=4).cycles(100, SOFTMAX)
    assert narrow.cycles_per_element(VectorWork()) == 1


def test_many_steps_at_once():
    unit = VectorUnit(lanes=8, overlap=VectorOverlap.PIPELINED)
    elements, array = np.array([64, 800]), np.array([50, 10])
    assert unit.cycles(elements, REQUANTIZATION).tolist() == [8, 100]
    assert unit.exposed_cycles(elements, REQUANTIZATION, array_cycles=array, chunks=4).tolist() == [2, 93]


@pytest.mark.parametrize("name", ["softmax", "layer_norm", "rms_norm", "gelu", "relu"])
def test_functions_of_networks_have_work(name):
    work = operators()[name].work
    assert VectorUnit(lanes=1).cycles(7, work) == 7 * work.passes
    table = load_table("horowitz_45nm")
    assert work.energy_pj(table) == pytest.approx(work.adds * 0.9 + work.multiplies * 3.7)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: VectorUnit(lanes=0), "lanes of the vector unit is 0, must be an integer of at least 1"),
        (lambda: VectorUnit(operations_per_lane=-1), "operations per lane is -1, must be an integer of at least 1"),
        (lambda: VectorUnit(overlap="none"), "overlap of the vector unit is 'none', must be one of VectorOverlap.NONE"),
        (lambda: VectorUnit().cycles(0, SOFTMAX), "elements of a vector step is 0, must be an integer of at least 1"),
        (lambda: VectorUnit().cycles(2**62, SOFTMAX), r"has 4611686018427387904 elements of 3 cycles, counts end at"),
        (lambda: VectorUnit().exposed_cycles(1, SOFTMAX, array_cycles=-2), "array cycles is -2, must be an integer"),
    ],
)
def test_impossible_units_are_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()
