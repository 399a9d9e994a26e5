"""Every catalogued accumulator: its engine path equals its definition, and its entry says where it comes from."""

import dataclasses
import importlib

import numpy as np
import pytest

from simhw.accumulators import Exact, IntegerAccumulator, wrap
from simhw.accumulators.catalog import ACCUMULATORS, accumulator_names, get_accumulator
from simhw.errors import InputError
from simhw.gemm.extent import extent_of
from simhw.gemm.plan import group_sums, plan_sum


@pytest.mark.parametrize("name", accumulator_names())
def test_engine_equals_definition_on_small_integers(name):
    """Integers from -16 to 16 are E4M3 and int8 alike, so that every accumulator takes them."""
    accumulator = get_accumulator(name).accumulator
    rng = np.random.default_rng(len(name))
    for low, k in ((-16, 300), (0, 150), (12, 70)):
        a = np.rint(rng.integers(low, 17, (1, 3, k)))
        b = np.rint(rng.integers(low, 17, (1, 4, k)))
        x, y = a.astype(np.float32), b.astype(np.float32)
        extents = (extent_of(x, -9), extent_of(y, -9))
        if isinstance(accumulator, IntegerAccumulator):
            extents = (extent_of(x, 0), extent_of(y, 0))
        chosen = plan_sum(accumulator, k, *extents)
        got = group_sums(chosen, accumulator, x, y, extents)[0]
        assert chosen.why
        for i, j in np.ndindex(3, 4):
            expected = accumulator.dot(a[0, i].tolist(), b[0, j].tolist())
            if isinstance(accumulator, Exact) and accumulator.bits is not None:
                assert wrap(int(got[i, j]), accumulator.bits) == wrap(int(expected), accumulator.bits)
            else:
                assert float(got[i, j]) == float(expected), (name, low)


@pytest.mark.parametrize("name", accumulator_names())
def test_entries_are_complete(name):
    entry = get_accumulator(name)
    assert entry.name == name
    assert len(entry.description) > 10
    assert len(entry.source) > 10
    assert entry.accumulator.name
    importlib.import_module(f"simhw.accumulators.{entry.accumulator.kind}")
    importlib.import_module(f"simhw.gemm.paths.{entry.accumulator.kind}")
    assert hash(entry) == hash(dataclasses.replace(entry))


def test_no_two_entries_are_the_same():
    assert len({entry.accumulator for entry in ACCUMULATORS.values()}) == len(ACCUMULATORS)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"accumulator is 'fp18', which is not known; nearest: fp16"):
        get_accumulator("fp18")
