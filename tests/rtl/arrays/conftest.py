"""Arrays that several tests share; the gates of each are made once."""

from functools import cache

import numpy as np
import pytest

pytest.importorskip("amaranth", reason="circuits need the extra simhw[rtl]")
pytest.importorskip("pyosys", reason="circuits need the extra simhw[rtl]")

from simhw.rtl.arrays import random_problem, random_shapes, systolic_array


@pytest.fixture(scope="session")
def make_array():
    """``systolic_array``, which gives the same record for the same arguments, so that its gates are kept."""
    return cache(systolic_array)


@pytest.fixture
def make_problems():
    """Random GEMMs for an array: ``(array, how many, longest k, seed)``."""

    def make(array, count, *, longest=24, seed=0):
        rng = np.random.default_rng(seed)
        shapes = random_shapes(array, count, rng, longest=longest)
        return [random_problem(array, m, n, k, rng=rng, group_size=group) for m, n, k, group in shapes]

    return make
