"""Arrays of PEs that take several products per cycle: a shorter k of wider words, operands counted one by one."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.arrays import Gemm, dataflow_names, schedule
from simhw.arrays.base import Overlap
from simhw.errors import InputError
from simhw.pes import Dequantization

SIZE = st.integers(1, 40)
SETTINGS = {
    "dataflow": st.sampled_from(dataflow_names()),
    "rows": st.integers(1, 9),
    "columns": st.integers(1, 9),
    "passes": st.integers(1, 4),
    "overlap": st.sampled_from(list(Overlap)),
}


@given(m=SIZE, n=SIZE, words=SIZE, lanes=st.integers(1, 16), settings=st.fixed_dictionaries(SETTINGS))
def test_lanes_shorten_k(m, n, words, lanes, settings):
    """Full words: the cycles of a GEMM that is as many times less deep, and the words of the whole one."""
    fast = schedule(Gemm(m=m, n=n, k=words * lanes), lanes=lanes, **settings)
    short = schedule(Gemm(m=m, n=n, k=words), **settings)
    assert (fast.cycles, fast.folds, fast.sram_output_writes) == (short.cycles, short.folds, short.sram_output_writes)
    assert fast.sram_activation_reads == lanes * short.sram_activation_reads
    assert fast.sram_weight_reads == lanes * short.sram_weight_reads
    assert fast.dram_weight_words == n * words * lanes
    assert fast.utilization == pytest.approx(short.utilization)


@given(m=SIZE, n=SIZE, k=SIZE, group=SIZE, lanes=st.integers(2, 16), settings=st.fixed_dictionaries(SETTINGS))
def test_the_last_word_of_a_group_is_filled_up(m, n, k, group, lanes, settings):
    group = min(group, k)
    where = {"dequantization": Dequantization.AFTER_GROUP}
    ragged = schedule(Gemm(m=m, n=n, k=k), lanes=lanes, group_size=group, **where, **settings)
    whole, last = divmod(k, group)
    words = whole * -(-group // lanes) + -(-last // lanes)
    packed = schedule(Gemm(m=m, n=n, k=words), group_size=-(-group // lanes), **where, **settings)
    assert ragged.cycles == packed.cycles
    assert ragged.dram_activation_words == m * k
    assert ragged.utilization <= 1


@given(
    layers=st.lists(st.tuples(SIZE, SIZE, SIZE), min_size=1, max_size=4), lanes=st.lists(SIZE, min_size=1, max_size=3)
)
def test_many_at_once_are_each_of_them(layers, lanes):
    m, n, k = (np.array(sizes)[:, None] for sizes in zip(*layers, strict=True))
    many = asdict(schedule(Gemm.many(m=m, n=n, k=k), dataflow="weight_stationary", rows=4, columns=3, lanes=lanes))
    for i, (mi, ni, ki) in enumerate(layers):
        for j, lane in enumerate(lanes):
            one = asdict(schedule(Gemm(m=mi, n=ni, k=ki), dataflow="weight_stationary", rows=4, columns=3, lanes=lane))
            for name in ("compute_cycles", "sram_activation_reads", "sram_weight_reads", "dram_weight_words"):
                assert many[name][i, j] == one[name]


def test_no_lanes_are_refused():
    with pytest.raises(InputError, match="lanes is 0, must be an integer of at least 1"):
        schedule(Gemm(m=1, n=1, k=1), dataflow="output_stationary", rows=1, columns=1, lanes=0)
